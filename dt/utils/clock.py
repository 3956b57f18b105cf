"""Time as an argument: the wall, the monotonic counter and waiting, real or stepped by hand."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where a service gets its time from."""

    def wall(self) -> float:
        """Return UTC epoch seconds; may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Block until the event is set (True) or the time has passed (False)."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall(self) -> float:
        """Return UTC epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Block until the event is set or the time has passed."""
        return event.wait(max(0.0, timeout_s))


class ManualClock:
    """A clock that stands still until `advance` or `set_wall` moves it; waiting wakes as it moves."""

    def __init__(self, wall: float = 1_800_000_000.0, monotonic: float = 1000.0) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._moved = threading.Condition()

    def wall(self) -> float:
        """Return the wall time set by hand."""
        with self._moved:
            return self._wall

    def monotonic(self) -> float:
        """Return the monotonic time set by hand."""
        with self._moved:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let both clocks run forward and wake who waits."""
        if seconds < 0:
            msg = f"a clock cannot run back: {seconds} s"
            raise ValueError(msg)
        with self._moved:
            self._wall += seconds
            self._monotonic += seconds
            self._moved.notify_all()

    def set_wall(self, wall: float) -> None:
        """Let the wall clock jump, as NTP or a person does; the monotonic one does not move."""
        with self._moved:
            self._wall = wall
            self._moved.notify_all()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Block until the event is set or the clock was moved past the time-out."""
        with self._moved:
            deadline = self._monotonic + timeout_s
            while not event.is_set() and self._monotonic < deadline:
                self._moved.wait(0.02)
        return event.is_set()
