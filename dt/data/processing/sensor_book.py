"""What the registry says of each sensor and its calibrations, followed while it changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dt.communication.messaging import Record
from dt.communication.topics import Topics
from dt.plant.calibration import Calibration, parse_calibration
from dt.utils.clock import Clock
from dt.utils.dataclasses import RegistryRecord, SensorCalibration, SensorDescriptor
from dt.utils.exceptions import DTError, MessageError
from dt.utils.logger import get_logger

REFRESH_AT_MOST_EVERY_S = 1.0
STRANGER_REFRESH_EVERY_S = 30.0  # for sensors that a refresh did not find; the subscription brings them sooner
_MOST_STRANGERS = 10_000

Version = tuple[float, Calibration | None]  # since when; None: it was taken away or is unusable

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorEntry:
    """A registered sensor, its newest calibration where that is usable, and all of them with since when each holds."""

    descriptor: SensorDescriptor
    calibration: Calibration | None
    versions: tuple[Version, ...] = ()

    def calibration_at(self, timestamp: float) -> Calibration | None:
        """Return the calibration that was valid for a reading's time; before the first that one."""
        if len(self.versions) < 2:
            return self.calibration
        held = (calibration for since, calibration in reversed(self.versions) if since <= timestamp)
        return next(held, self.versions[0][1])


class Registry(Protocol):
    """Where the registry's records are read."""

    def read_all(self, topic: str) -> list[Record]:
        """Return a topic's records, oldest first; raises DTError."""
        ...


class SensorBook:
    """Sensors by id; one thread reads it while another follows `dt.registry`."""

    def __init__(self, messaging: Registry, clock: Clock) -> None:
        self._messaging = messaging
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, SensorEntry] = {}
        self._offsets: dict[str, int] = {}
        self._sensors: dict[str, tuple[SensorDescriptor, float]] = {}  # with when the registry said so
        self._versions: dict[str, dict[int, Version]] = {}
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
                kind, _, name = (record.key or "").partition(":")
                if kind in ("sensor", "calibration") and record.offset > self._offsets.get(record.key or "", -1):
                    self._offsets[record.key or ""] = record.offset
                    self._take(kind, name, record)

    def _take(self, kind: str, name: str, record: Record) -> None:
        try:
            if kind == "sensor":
                self._put(name, record)
            else:
                self._put_version(name, record)
        except MessageError as error:  # what was known of the sensor stays
            log.warning("registry record %s is passed over: %s", record.key, error)

    def _put(self, sensor_id: str, record: Record) -> None:
        if record.value is None:
            self._entries.pop(sensor_id, None)
            self._sensors.pop(sensor_id, None)
            return
        said = RegistryRecord.from_json(record.value)
        self._sensors[sensor_id] = SensorDescriptor.from_dict(said.body), said.timestamp
        self._renew(sensor_id)

    def _put_version(self, name: str, record: Record) -> None:
        sensor_id, _, version = name.rpartition(":")
        versions = self._versions.setdefault(sensor_id, {})
        if record.value is None:
            if version.isdecimal():
                versions.pop(int(version), None)
        else:
            kept = SensorCalibration.from_dict(RegistryRecord.from_json(record.value).body)
            versions[kept.version] = kept.since, _parsed(sensor_id, kept.calibration)
        self._renew(sensor_id)

    def _renew(self, sensor_id: str) -> None:
        """Make a sensor's entry anew; a calibration that the registry has no version of holds since it said so."""
        if sensor_id not in self._sensors:
            return
        descriptor, said_at = self._sensors[sensor_id]
        versions, own = self._versions.get(sensor_id, {}), _parsed(sensor_id, descriptor.calibration)
        if own is not None and own.version not in versions:
            versions = {**versions, own.version: (said_at, own)}
        held = tuple(versions[number] for number in sorted(versions))
        newest = held[-1][1] if held else None
        self._entries[sensor_id] = SensorEntry(descriptor=descriptor, calibration=newest, versions=held)

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


def _parsed(sensor_id: str, calibration: Mapping[str, Any] | None) -> Calibration | None:
    if calibration is None:
        return None
    try:
        return parse_calibration(calibration)
    except MessageError as error:
        log.warning("the calibration of %s is unusable: %s", sensor_id, error)
        return None
