"""A service's own word on `dt.health`: at once, when it changes, and every ten seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.codec import Message
from dt.utils.dataclasses import HealthReport, HealthStatus
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger
from dt.utils.service import Service

BEATS_EVERY_S = 10.0

log = get_logger(__name__)


class Voice(Protocol):
    """What a beat needs of the log."""

    def publish(self, topic: str, value: Message | bytes | None, *, key: str | None = None) -> None:
        """Say it soon."""
        ...


class HealthBeat:
    """Publishes a service's health in a thread of its own until stopped."""

    def __init__(self, service: Service, messaging: Voice, clock: Clock) -> None:
        self._service = service
        self._messaging = messaging
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"health {service.name}", daemon=True)

    def start(self) -> Callable[[], None]:
        """Begin, and return what ends it."""
        self._thread.start()
        return self.stop

    def stop(self) -> None:
        """Say that the service is stopped, and end."""
        self._stop.set()
        self._thread.join(2.0)
        self._publish(HealthStatus.STOPPED, "")

    def _run(self) -> None:
        last: tuple[HealthStatus, str] | None = None
        beats_left = 0
        while not self._service.is_started and not self._clock.wait(self._stop, 0.05):
            continue  # the first word is about a service that has started
        while not self._stop.is_set():
            why = self._service.ready() or self._service.trouble() or ""
            now = (HealthStatus.DEGRADED if why else HealthStatus.OK, why)
            if now != last or beats_left == 0:
                self._publish(*now)
                last, beats_left = now, int(BEATS_EVERY_S)
            beats_left -= 1
            self._clock.wait(self._stop, 1.0)

    def _publish(self, status: HealthStatus, why: str) -> None:
        name = self._service.name
        report = HealthReport(
            service=name, status=status, why=why, timestamp=self._clock.wall(), detail=self._service.health()
        )
        try:
            self._messaging.publish(Topics.HEALTH, report, key=name)
        except DTError as error:
            log.debug("health of %s not published: %s", name, error)
