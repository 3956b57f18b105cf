"""Raw records to processed ones: every record ends as a judged reading, a picture's description or a dead letter."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

from dt.communication.dead_letters import letter_of
from dt.communication.frames import frame_from_headers, frame_url, is_jpeg
from dt.communication.messaging import Outgoing, Record, outgoing
from dt.communication.topics import Topics
from dt.data.processing.arrival import Arrival
from dt.data.processing.derived import AIR, HOURLY, local_days, of_the_air, of_the_hour, of_the_light, without
from dt.data.processing.judging import LATE_AFTER_S, judged
from dt.data.processing.sensor_book import SensorBook
from dt.data.processing.sensor_watch import SensorWatch
from dt.data.processing.zone_state import ZoneStates
from dt.utils.clock import Clock
from dt.utils.dataclasses import CameraFrame, Origin, SensorData
from dt.utils.exceptions import MessageError
from dt.utils.quantities import QUANTITIES, Quantity

_PROCESSED = {quantity: Topics.of(quantity).processed for quantity in QUANTITIES}
_QUANTITY_OF = {
    Topics.of(quantity).raw: quantity
    for quantity, spec in QUANTITIES.items()
    if not spec.is_derived and quantity is not Quantity.CAMERA_IMAGE
}
_CAMERA_RAW = Topics.CAMERA_IMAGE.raw
_AHEAD_AT_MOST_S = 300.0


class Processor:
    """The `Transformer` of the raw topics; `count` hears how many readings had each verdict."""

    def __init__(
        self,
        book: SensorBook,
        clock: Clock,
        count: Callable[[Counter[str]], None] = lambda _verdicts: None,
        *,
        timezone: str = "UTC",
        watch: SensorWatch | None = None,
    ) -> None:
        self._book = book
        self._clock = clock
        self._count = count
        self._watch = watch
        self._day_of = local_days(timezone)
        self._states = ZoneStates()

    def restore(self, state: Sequence[Record]) -> None:
        """Begin from the committed state, with the registry as it stands."""
        self._states.restore(state)
        if self._watch is not None:
            self._watch.begin(self._states.last_heard(), self._clock.wall())
        self._book.refresh()

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return what becomes of a batch, and the zones' state where it changed."""
        now = self._clock.wall()
        verdicts: Counter[str] = Counter()
        outputs: list[Outgoing] = []
        for record in records:
            try:
                if record.topic == _CAMERA_RAW:
                    outputs.append(_picture(record))
                else:
                    outputs += self._processed(record, now, verdicts)
            except MessageError as error:
                verdicts["unreadable"] += 1
                outputs.append(letter_of(record, error, now))
        self._count(verdicts)
        return outputs + self._states.changed()

    def _processed(self, record: Record, now: float, verdicts: Counter[str]) -> list[Outgoing]:
        raw = _reading(record)
        entry = self._book.find(raw.sensor_id)
        zone = self._states.at(raw.zone_id)
        result = judged(raw, record.timestamp, entry, zone)
        if result is None:
            verdicts["repeated"] += 1
            return []
        reading, quality = result.reading, result.quality
        if result.arrival is Arrival.BACK and reading.origin is Origin.LIVE:
            zone.forget_ahead_of(now + _AHEAD_AT_MOST_S)
        verdicts[quality.verdict] += 1
        found = [reading]
        if result.corrected is not None:
            verdicts["corrected"] += 1
            found += [result.corrected, *without(zone, result.corrected)]
        if reading.data_type in AIR:
            is_live = reading.origin is Origin.LIVE and now - reading.timestamp <= LATE_AFTER_S
            found += of_the_air(zone, reading, quality, is_live=is_live)
        elif reading.data_type is Quantity.LIGHT_INTENSITY and result.arrival is Arrival.NEXT:
            found += of_the_light(zone, reading, quality, entry, result.cadence_s, self._day_of)
        if reading.data_type in HOURLY and (result.arrival is Arrival.NEXT or result.arrival is Arrival.LATE):
            found += of_the_hour(zone, reading, quality, result.cadence_s)
        if self._watch is not None and result.arrival is Arrival.NEXT:
            self._watch.hear(reading, result.cadence_s)
        return [outgoing(_PROCESSED[new.data_type], new, new.zone_id) for new in found]


def _reading(record: Record) -> SensorData:
    if record.value is None:
        raise MessageError("$", "is a tombstone, and a reading is expected")
    reading = SensorData.from_json(record.value)
    if reading.data_type is not _QUANTITY_OF[record.topic]:
        raise MessageError("data_type", f"is {reading.data_type} in a record of {record.topic}")
    return reading


def _picture(record: Record) -> Outgoing:
    frame = frame_from_headers(record.headers)
    if record.value is None or not is_jpeg(record.value):
        raise MessageError("$", "is no JPEG")
    sha256 = hashlib.sha256(record.value).hexdigest()
    described = CameraFrame.from_dict(
        {**frame.to_dict(), "url": frame_url(sha256), "sha256": sha256, "size_bytes": len(record.value)}
    )
    return outgoing(Topics.CAMERA_IMAGE.processed, described, described.zone_id)
