"""Tells people that the readings' disk is full, and that it no longer is; meanwhile recording waits alone."""

from __future__ import annotations

from typing import Protocol

from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.codec import Message
from dt.utils.dataclasses import AlertCondition, Severity
from dt.utils.exceptions import DTError
from dt.utils.ids import new_correlation_id
from dt.utils.logger import get_logger

KEY = "storage_full"
_AGAIN_S = 60.0  # what still holds is said every minute: alerts opens nothing for what it hears late

log = get_logger(__name__)


class Voice(Protocol):
    """What is needed of the log."""

    def publish(self, topic: str, value: Message | bytes | None, *, key: str | None = None) -> None:
        """Say it soon."""
        ...


class FullDisk:
    """Hears after each attempt to store readings whether the disk was full; told by the recording thread alone."""

    def __init__(self, messaging: Voice, clock: Clock, place: str) -> None:
        self._messaging = messaging
        self._clock = clock
        self._place = place
        self._was_full: bool | None = None  # a process that died while the disk was full has left an alert open
        self._said_s = float("-inf")
        self._is_full = False

    @property
    def why(self) -> str | None:
        """Return that nothing is stored, while it is so."""
        return f"no reading is stored: the disk of {self._place} is full" if self._is_full else None

    def hear(self, is_full: bool) -> None:  # noqa: FBT001 - the one thing there is to hear
        """Publish the condition when it changes, and every minute while it holds."""
        self._is_full = is_full
        now_s = self._clock.monotonic()
        if is_full == self._was_full and not (is_full and now_s - self._said_s >= _AGAIN_S):
            return
        if is_full != self._was_full and (is_full or self._was_full):
            log.warning("%s: %s", self._place, "the disk is full" if is_full else "there is room again")
        try:
            self._messaging.publish(Topics.ALERT_CONDITIONS, self._condition(is_full), key="database")
        except DTError as error:
            log.warning("whether the disk is full could not be said: %s", error)
            return
        self._was_full, self._said_s = is_full, now_s

    def _condition(self, is_full: bool) -> AlertCondition:  # noqa: FBT001 - the field's value
        now = self._clock.wall()
        return AlertCondition(
            key=KEY,
            severity=Severity.CRITICAL,
            description=f"No reading is stored: the disk of {self._place} is full"
            if is_full
            else f"Readings are stored: the disk of {self._place} has room",
            advice="Free space on it, or lower RETENTION_RAW_DAYS; what waits in the log is stored by itself then."
            if is_full
            else "",
            active=is_full,
            timestamp=now,
            correlation_id=new_correlation_id(now),
        )
