"""Raw readings through the real processor, in order and strictly causal, and what it says of each in the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Record, headers_of
from dt.communication.topics import Topics
from dt.data.processing.processor import Processor
from dt.data.processing.sensor_book import SensorBook
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import Origin, RegistryRecord, SensorData, SensorDescriptor, Verdict

_BATCH = 2000
_APART_S = 3600.0

Key = tuple[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The last word on one reading."""

    sensor_id: str
    timestamp: float
    value: float
    raw_value: float
    verdict: Verdict
    check: str
    revision: int

    @property
    def is_doubted(self) -> bool:
        """Return whether anything is wrong with it."""
        return self.verdict is not Verdict.GOOD


def judgements(readings: Iterable[SensorData], sensors: Sequence[SensorDescriptor]) -> dict[Key, Judgement]:
    """Return the last word on every reading, by sensor and instant; derived readings are left out.

    Live readings arrive at their own instant, all others now.
    """
    clock = ManualClock()
    messaging = MemoryMessaging(clock)
    for sensor in sensors:
        record_id = f"sensor:{sensor.sensor_id}"
        messaging.publish(
            Topics.REGISTRY,
            RegistryRecord(record_id=record_id, kind="sensor", timestamp=clock.wall(), body=sensor.to_dict()),
            key=record_id,
        )
    processor = Processor(SensorBook(messaging, clock), clock)
    processor.restore([])
    found: dict[Key, Judgement] = {}
    for batch in _batches(_records(readings, clock.wall())):
        for output in processor.transform(batch):
            if output.topic.endswith(".processed") and output.value is not None:
                _note(found, SensorData.from_json(output.value))
    messaging.close()
    return found


def doubted_spans(found: Iterable[Judgement], apart_s: float = _APART_S) -> list[tuple[str, float, float, str]]:
    """Return (sensor, first, last, check) of every stretch of doubt; pauses up to `apart_s` end none."""
    spans: list[tuple[str, float, float, str]] = []
    for one in sorted((one for one in found if one.is_doubted), key=lambda one: (one.sensor_id, one.timestamp)):
        if spans and spans[-1][0] == one.sensor_id and one.timestamp - spans[-1][2] <= apart_s:
            spans[-1] = (*spans[-1][:2], one.timestamp, spans[-1][3])
        else:
            spans.append((one.sensor_id, one.timestamp, one.timestamp, one.check))
    return spans


def _records(readings: Iterable[SensorData], now: float) -> Iterator[Record]:
    for offset, reading in enumerate(readings):
        received_at = reading.timestamp if reading.origin is Origin.LIVE else now
        topic = Topics.of(reading.data_type).raw
        yield Record(topic, 0, offset, reading.zone_id, reading.to_json(), headers_of(reading), received_at)


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(records, _BATCH)):
        yield batch


def _note(found: dict[Key, Judgement], reading: SensorData) -> None:
    quality, key = reading.quality, (reading.sensor_id, reading.timestamp)
    if quality is None or reading.raw_value is None:
        return
    before = found.get(key)
    if before is None or reading.revision >= before.revision:
        found[key] = Judgement(
            sensor_id=reading.sensor_id,
            timestamp=reading.timestamp,
            value=reading.value,
            raw_value=reading.raw_value,
            verdict=quality.verdict,
            check=quality.check or "",
            revision=reading.revision,
        )
