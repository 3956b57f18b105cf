"""The registry told to everyone: each record as it changes, and all of them at start."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dt.communication.messaging import MessagingService
from dt.communication.topics import Topics
from dt.data.database.registry_records import RegistryRecords, plant_record, sensor_record
from dt.utils.clock import Clock
from dt.utils.dataclasses import RegistryRecord
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

_RETRY_S = 2.0

log = get_logger(__name__)


class Announcer:
    """Publishes on `dt.registry`; what could not be sent is sent again with all the rest."""

    def __init__(self, registry: RegistryRecords, messaging: MessagingService, clock: Clock) -> None:
        self._registry = registry
        self._messaging = messaging
        self._clock = clock
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
        """Publish one record; when the log does not take it, everything is announced later."""
        try:
            self._messaging.publish(Topics.REGISTRY, record, key=record.record_id)
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
                self._announce_all()
            except DTError as error:
                log.warning("the registry is announced later: %s", error)
                self._is_due.set()
                self._clock.wait(self._stop, _RETRY_S)

    def _announce_all(self) -> None:
        now = self._clock.wall()
        records = [sensor_record(sensor, now) for sensor in self._registry.sensors()]
        records += [plant_record(plant, now) for plant in self._registry.plants()]
        for record in records:
            self._messaging.publish(Topics.REGISTRY, record, key=record.record_id)
