"""Raw records to processed ones: every record ends as a judged reading, a picture's description or a dead letter."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

from dt.communication.dead_letters import letter_of
from dt.communication.frames import frame_from_headers, frame_url, is_jpeg
from dt.communication.messaging import Outgoing, Record, outgoing
from dt.communication.topics import Topics
from dt.data.processing.air_pairs import KEPT_CATCHING_UP, KEPT_LIVE
from dt.data.processing.checks import Sample, judge
from dt.data.processing.derived import DerivedAir
from dt.data.processing.sensor_book import SensorBook, SensorEntry
from dt.utils.clock import Clock
from dt.utils.dataclasses import CameraFrame, Origin, SensorData
from dt.utils.exceptions import MessageError
from dt.utils.quantities import NEEDS_CALIBRATION, QUANTITIES, Quantity, Unit, to_canonical

LATE_AFTER_S = 60.0

_PROCESSED = {quantity: Topics.of(quantity).processed for quantity in QUANTITIES}
_QUANTITY_OF = {
    Topics.of(quantity).raw: quantity
    for quantity, spec in QUANTITIES.items()
    if not spec.is_derived and quantity is not Quantity.CAMERA_IMAGE
}
_CAMERA_RAW = Topics.CAMERA_IMAGE.raw


class Processor:
    """The `Transformer` of the raw topics; `count` hears how many readings had each verdict."""

    def __init__(
        self, book: SensorBook, clock: Clock, count: Callable[[Counter[str]], None] = lambda _verdicts: None
    ) -> None:
        self._book = book
        self._clock = clock
        self._count = count
        self._air = DerivedAir()

    def restore(self, state: Sequence[Record]) -> None:
        """Begin from the committed state, with the registry as it stands."""
        self._air.restore(state)
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
                    continue
                reading = self._judged(record)
            except MessageError as error:
                verdicts["unreadable"] += 1
                outputs.append(letter_of(record, error, now))
                continue
            if reading.quality is not None:
                verdicts[reading.quality.verdict] += 1
            outputs.append(outgoing(_PROCESSED[reading.data_type], reading, reading.zone_id))
            outputs += self._derived(reading, now)
        self._count(verdicts)
        return outputs + self._air.changed()

    def _judged(self, record: Record) -> SensorData:
        raw = _reading(record)
        entry = self._book.find(raw.sensor_id)
        value, unit, calibration = _converted(raw, entry)
        sample = Sample(
            raw.data_type,
            value,
            unit,
            raw.value,
            raw.timestamp,
            record.timestamp,
            entry is not None,
            entry.calibration if entry is not None and calibration is not None else None,
            raw.origin,
            raw.quality,
        )
        return SensorData(
            sensor_id=raw.sensor_id,
            data_type=raw.data_type,
            value=value,
            unit=unit,
            timestamp=raw.timestamp,
            correlation_id=raw.correlation_id,
            zone_id=raw.zone_id,
            plant_id=raw.plant_id,
            boot_id=raw.boot_id,
            sequence=raw.sequence,
            clock_synced=raw.clock_synced,
            raw_value=raw.value if raw.raw_value is None else raw.raw_value,
            quality=judge(sample),
            calibration=calibration,
            caused_by=raw.caused_by,
            late=raw.origin is Origin.LIVE and record.timestamp - raw.timestamp > LATE_AFTER_S,
            revision=raw.revision,
            schema=raw.schema,
            origin=raw.origin,
        )

    def _derived(self, reading: SensorData, now: float) -> list[Outgoing]:
        is_live = reading.origin is Origin.LIVE and now - reading.timestamp <= LATE_AFTER_S
        derived = self._air.accept(reading, KEPT_LIVE if is_live else KEPT_CATCHING_UP)
        return [outgoing(_PROCESSED[new.data_type], new, new.zone_id) for new in derived]


def _reading(record: Record) -> SensorData:
    if record.value is None:
        raise MessageError("$", "is a tombstone, and a reading is expected")
    reading = SensorData.from_json(record.value)
    if reading.data_type is not _QUANTITY_OF[record.topic]:
        raise MessageError("data_type", f"is {reading.data_type} in a record of {record.topic}")
    return reading


def _converted(raw: SensorData, entry: SensorEntry | None) -> tuple[float, Unit, int | None]:
    """Return value, unit and the calibration's version; counts stay counts where no calibration reads them."""
    if (raw.data_type, raw.unit) not in NEEDS_CALIBRATION:
        return (*to_canonical(raw.data_type, raw.value, raw.unit), None)
    if entry is None or entry.calibration is None:
        return raw.value, raw.unit, None
    return entry.calibration.apply(raw.value), QUANTITIES[raw.data_type].unit, entry.calibration.version


def _picture(record: Record) -> Outgoing:
    frame = frame_from_headers(record.headers)
    if record.value is None or not is_jpeg(record.value):
        raise MessageError("$", "is no JPEG")
    sha256 = hashlib.sha256(record.value).hexdigest()
    described = CameraFrame.from_dict(
        {**frame.to_dict(), "url": frame_url(sha256), "sha256": sha256, "size_bytes": len(record.value)}
    )
    return outgoing(Topics.CAMERA_IMAGE.processed, described, described.zone_id)
