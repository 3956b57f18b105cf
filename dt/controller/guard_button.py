"""The emergency-stop button (S9), read by the thread that owns the pins."""

from __future__ import annotations

from collections.abc import Callable

from dt.controller.guard_desk import GuardDesk
from dt.controller.guard_types import GuardClock

BOUNCE_S = 0.03  # contacts settle within it, and a spike on the wire is shorter
BUTTON = "the button"


class StopWatch:
    """Presses the desk's stop when the button is pressed, and as long as it is; no stop is released meanwhile.

    `is_pressed` raises OSError when the pin cannot be read; None means that there is no button.
    """

    def __init__(self, desk: GuardDesk, clock: GuardClock, is_pressed: Callable[[], bool] | None) -> None:
        self._desk = desk
        self._clock = clock
        self._is_pressed = is_pressed
        self._since_s: float | None = float("-inf")  # one that is pressed at the start is no bounce

    def look(self) -> None:
        """Read the button; a press counts when it lasts from one reading to another one `BOUNCE_S` later."""
        if self._is_pressed is None:
            return
        now = self._clock.monotonic()
        if not self._is_pressed():
            self._since_s, self._desk.is_button_pressed = None, False
            return
        self._since_s = now if self._since_s is None else self._since_s
        if now - self._since_s >= BOUNCE_S:
            self._desk.is_button_pressed = True
            if self._desk.guard.stopped_by is None:
                self._desk.emergency_stop(BUTTON)
