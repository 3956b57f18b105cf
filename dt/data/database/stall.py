"""Whether what waits in the log is still being stored."""

from __future__ import annotations

from dt.utils.clock import Clock

MANY = 100  # records; a broker counts a few of its own that no reader ever sees
STALLED_AFTER_S = 30.0


class Stall:
    """Watches one subscription: many records wait, and for half a minute neither has any been stored nor fewer wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: tuple[int, int] | None = None
        self._moved_s = clock.monotonic()

    def why(self, lag: int, stored: int) -> str | None:
        """Return what stands still, given how many records wait and how many were stored ever."""
        now_s = self._clock.monotonic()
        if self._seen is None or lag < MANY or lag < self._seen[0] or stored != self._seen[1]:
            self._moved_s = now_s
        self._seen = (lag, stored)
        still_s = now_s - self._moved_s
        return f"{lag} records wait and none was stored for {still_s:.0f} s" if still_s >= STALLED_AFTER_S else None
