"""What the registry says of each sensor, followed while it changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dt.communication.messaging import MessagingService, Record
from dt.communication.topics import Topics
from dt.plant.calibration import Calibration, parse_calibration
from dt.utils.clock import Clock
from dt.utils.dataclasses import RegistryRecord, SensorDescriptor
from dt.utils.exceptions import DTError, MessageError
from dt.utils.logger import get_logger

REFRESH_AT_MOST_EVERY_S = 1.0
STRANGER_REFRESH_EVERY_S = 30.0  # for sensors that a refresh did not find; the subscription brings them sooner
_MOST_STRANGERS = 10_000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorEntry:
    """A registered sensor and its calibration, where it has a usable one."""

    descriptor: SensorDescriptor
    calibration: Calibration | None


class SensorBook:
    """Sensors by id; one thread reads it while another follows `dt.registry`."""

    def __init__(self, messaging: MessagingService, clock: Clock) -> None:
        self._messaging = messaging
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, SensorEntry] = {}
        self._offsets: dict[str, int] = {}
        self._refreshed_at: float | None = None
        self._strangers: set[str] = set()

    def __len__(self) -> int:
        """Return how many sensors are registered."""
        return len(self._entries)

    def find(self, sensor_id: str) -> SensorEntry | None:
        """Return a sensor; an unknown one makes the book read the registry again, at most once a second."""
        entry = self._entries.get(sensor_id)
        return entry if entry is not None else self._look_for(sensor_id)

    def known(self, sensor_id: str) -> SensorEntry | None:
        """Return a sensor as far as it is known now, without looking for it."""
        return self._entries.get(sensor_id)

    def refresh(self) -> None:
        """Read the whole registry; without a broker the book stays as it is."""
        self._refreshed_at = self._clock.monotonic()
        try:
            records = self._messaging.read_all(Topics.REGISTRY)
        except DTError as error:
            log.warning("the registry could not be read: %s", error)
            return
        self.accept(records)

    def accept(self, records: Sequence[Record] | Iterable[Record]) -> None:
        """Take records of the registry, in any order and repeatedly; the latest of each id counts."""
        with self._lock:
            for record in records:
                name = record.key or ""
                if name.startswith("sensor:") and record.offset > self._offsets.get(name, -1):
                    self._offsets[name] = record.offset
                    self._put(name.removeprefix("sensor:"), record)

    def _put(self, sensor_id: str, record: Record) -> None:
        if record.value is None:
            self._entries.pop(sensor_id, None)
            return
        try:
            descriptor = SensorDescriptor.from_dict(RegistryRecord.from_json(record.value).body)
        except MessageError as error:  # what was known of the sensor stays
            log.warning("registry record %s is passed over: %s", record.key, error)
            return
        self._entries[sensor_id] = SensorEntry(descriptor=descriptor, calibration=_calibration_of(descriptor))

    def _look_for(self, sensor_id: str) -> SensorEntry | None:
        pause_s = STRANGER_REFRESH_EVERY_S if sensor_id in self._strangers else REFRESH_AT_MOST_EVERY_S
        before = self._refreshed_at
        if before is not None and self._clock.monotonic() - before < pause_s:
            return None
        self.refresh()
        entry = self._entries.get(sensor_id)
        if entry is None and len(self._strangers) < _MOST_STRANGERS:
            self._strangers.add(sensor_id)
        return entry


def _calibration_of(descriptor: SensorDescriptor) -> Calibration | None:
    if descriptor.calibration is None:
        return None
    try:
        return parse_calibration(descriptor.calibration)
    except MessageError as error:
        log.warning("the calibration of %s is unusable: %s", descriptor.sensor_id, error)
        return None
