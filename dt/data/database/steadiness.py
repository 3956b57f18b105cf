"""Whether the wall clock may be trusted by what removes old things: one that jumps to 2049 must not empty a store."""

from __future__ import annotations

from dt.utils.clock import Clock
from dt.utils.logger import get_logger

_STEADY_FOR_S = 3600.0  # after a jump
_JUMP_S = 60.0

log = get_logger(__name__)


class Steadiness:
    """Watches the wall clock against the monotonic one; `what` waits while it is not steady."""

    def __init__(self, clock: Clock, what: str) -> None:
        self._clock = clock
        self._what = what
        self._offset_s = clock.wall() - clock.monotonic()
        self._jumped_s = float("-inf")

    def is_steady(self) -> bool:
        """Return whether the wall clock has gone with the monotonic one for an hour."""
        offset_s = self._clock.wall() - self._clock.monotonic()
        if abs(offset_s - self._offset_s) > _JUMP_S:
            self._jumped_s = self._clock.monotonic()
            log.warning("the clock jumped by %.0f s: %s again in an hour", offset_s - self._offset_s, self._what)
        self._offset_s = offset_s
        return self._clock.monotonic() - self._jumped_s >= _STEADY_FOR_S
