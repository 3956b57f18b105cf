"""The registry told to everyone: each record as it changes, and all of them at start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from dt.communication.messaging import MessagingService
from dt.communication.topics import Topics
from dt.data.database.registry_messages import (
    calibration_record,
    grant_record,
    model_record,
    plant_record,
    policy_record,
    sensor_record,
    zone_record,
)
from dt.data.database.registry_records import RegistryRecords
from dt.utils.clock import Clock
from dt.utils.dataclasses import RegistryRecord
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

_RETRY_S = 2.0
_KINDS = ("zone", "plant", "calibration", "sensor", "policy", "grant", "model")  # who reads one knows what it names

log = get_logger(__name__)


class Announcer:
    """Publishes on `dt.registry`; what could not be sent is sent again with all the rest."""

    def __init__(self, registry: RegistryRecords, messaging: MessagingService, clock: Clock) -> None:
        self._registry = registry
        self._messaging = messaging
        self._clock = clock
        self._lock = threading.Lock()  # what was read is said before anything newer: the last record of a key stays
        self._is_due = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announce registry", daemon=True)

    def start(self) -> Callable[[], None]:
        """Announce everything in a thread of its own, and return what ends it."""
        self._is_due.set()
        self._thread.start()
        return self.stop

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._is_due.set()
        self._thread.join(3.0)

    def announce(self, record: RegistryRecord) -> None:
        """Publish one record as it now stands; when the log does not take it, everything is announced later.

        Two changes of one record may come here in another order than they were kept in: it is read again, so that
        what is said last is what holds. The versions of a sensor's calibration go before it: who sees the sensor
        knows them.
        """
        try:
            with self._lock:
                if record.kind == "sensor":
                    self._publish(self._calibrations(str(record.body["sensor_id"])))
                self._publish([self._as_it_stands(record)])
        except DTError as error:
            log.warning("%s is announced later: %s", record.record_id, error)
            self._is_due.set()

    def _run(self) -> None:
        while True:
            self._is_due.wait()
            if self._stop.is_set():
                return
            self._is_due.clear()
            try:
                self._announce_due()
            except DTError as error:
                log.warning("the registry is announced later: %s", error)
                self._is_due.set()
                self._clock.wait(self._stop, _RETRY_S)

    def _announce_due(self) -> None:
        with self._lock:
            self._announce_all()

    def _announce_all(self) -> None:
        for kind in _KINDS:
            self._publish(self._all_of(kind))

    def _as_it_stands(self, record: RegistryRecord) -> RegistryRecord:
        known = self._all_of(record.kind) if record.kind in _KINDS else []
        return next((one for one in known if one.record_id == record.record_id), record)

    def _all_of(self, kind: str) -> list[RegistryRecord]:
        """Return every record of a kind, of grants the last of each actuator."""
        now, registry = self._clock.wall(), self._registry
        made: Mapping[str, Callable[[], Iterable[RegistryRecord]]] = {
            "zone": lambda: (zone_record(zone, now) for zone in registry.zones()),
            "plant": lambda: (plant_record(plant, now) for plant in registry.plants()),
            "calibration": partial(self._calibrations, None),
            "sensor": lambda: (sensor_record(sensor, now) for sensor in registry.sensors()),
            "policy": lambda: (policy_record(policy, now) for policy in registry.policies()),
            "grant": lambda: list({one.actuator_id: grant_record(one, now) for one in registry.grants()}.values()),
            "model": lambda: (model_record(model, now) for model in registry.models()),
        }
        return list(made[kind]())

    def _calibrations(self, sensor_id: str | None) -> list[RegistryRecord]:
        now = self._clock.wall()
        return [calibration_record(version, now) for version in self._registry.calibrations(sensor_id)]

    def _publish(self, records: Iterable[RegistryRecord]) -> None:
        for record in records:
            self._messaging.publish(Topics.REGISTRY, record, key=record.record_id)
