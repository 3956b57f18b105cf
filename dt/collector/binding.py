"""Every sensor is known to the database: bound at start, and again when the database comes back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from dt.utils.clock import Clock
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConflictError, DTError, RefusedRequestError
from dt.utils.logger import get_logger

_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0
_REPEATS_EVERY_S = 60.0  # binding again changes nothing; it is how a database that lost its memory learns them anew

log = get_logger("dt.collector.binding")


class Binder(Protocol):
    """The part of the database's client that is needed here."""

    def bind_sensor(self, descriptor: SensorDescriptor) -> object:
        """Register a sensor; raises a retriable error while the database is away."""
        ...


class Binding:
    """Binds sensors in a thread of its own."""

    def __init__(self, descriptors: Sequence[SensorDescriptor], database: Binder, clock: Clock) -> None:
        self._descriptors = list(descriptors)
        self._database = database
        self._clock = clock
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._unbound = {descriptor.sensor_id for descriptor in descriptors}
        self._refused: dict[str, str] = {}

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="binding", daemon=True)
        self._thread.start()

    def replace(self, descriptors: Sequence[SensorDescriptor]) -> None:
        """Bind these from now on: the rig is another one."""
        names = {descriptor.sensor_id for descriptor in descriptors}
        self._unbound = (self._unbound & names) | {d.sensor_id for d in descriptors if d not in self._descriptors}
        self._refused = {name: why for name, why in self._refused.items() if name in names}
        self._descriptors = list(descriptors)
        self._wake.set()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(0.3)  # one that waits for an answer is left behind

    def health(self) -> dict[str, object]:
        """Return which sensors the database does not know yet, and which it refused."""
        return {"unbound": sorted(self._unbound), "refused": dict(self._refused)}

    def trouble(self) -> str | None:
        """Return which sensors the database refuses, and why the first of them; None while it refuses none."""
        refused = dict(self._refused)
        if not refused:
            return None
        first = min(refused)
        return f"the database refuses {', '.join(sorted(refused))}: {refused[first]}"

    def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not self._stop.is_set():
            self._wake.clear()
            if self._bind_all():
                retry_s, pause_s = _FIRST_RETRY_S, _REPEATS_EVERY_S
            else:
                pause_s, retry_s = retry_s, min(_LONGEST_RETRY_S, 2.0 * retry_s)
            if not self._stop.is_set():
                self._clock.wait(self._wake, pause_s)

    def _bind_all(self) -> bool:
        for descriptor in list(self._descriptors):
            try:
                self._database.bind_sensor(descriptor)
            except (ConflictError, RefusedRequestError) as error:
                self._note_refusal(descriptor.sensor_id, str(error))
            except DTError as error:
                log.debug("the database does not take sensors now: %s", error)
                return False
            else:
                self._refused.pop(descriptor.sensor_id, None)
            self._unbound.discard(descriptor.sensor_id)
        return True

    def _note_refusal(self, sensor_id: str, why: str) -> None:
        if self._refused.get(sensor_id) != why:
            log.warning("the database refuses sensor %s: %s", sensor_id, why)
        self._refused[sensor_id] = why
