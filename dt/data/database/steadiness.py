"""Whether the wall clock may be trusted by what removes old things: one that says 2049 must not empty a store.

A process sees a jump only while it runs, so what is stored is looked at too: after a jump ahead, or a long time off,
nothing lies in the days before now. A clock that the kernel calls synchronised is believed after a week with
readings; one that it does not, when something was stored on every one of the last seven days.

Readings of before `EARLIEST` tell nothing of when the store was in use: clocks without a battery begin there. A clock
that is ahead is not believed for the lack of them: whatever it would make old in error was taken after that.
"""

from __future__ import annotations

from collections.abc import Callable

from dt.utils.clock import Clock
from dt.utils.kernel_clock import is_clock_synced
from dt.utils.logger import get_logger

EARLIEST = 1_420_070_400.0  # 2015-01-01: the check `clock_time` calls all live readings before it bad

NewestBefore = Callable[[float], float | None]  # when the newest thing stored before an instant was taken

_DAY_S = 86_400.0
_STEADY_FOR_S = 3600.0  # after a jump
_JUMP_S = 60.0
_WEEK_DAYS = 7
_LONGEST_AWAY_DAYS = 30  # of a synchronised clock: holidays

log = get_logger(__name__)


class Steadiness:
    """Watches the wall clock against the monotonic one and what is stored; `what` waits while it is not steady."""

    def __init__(
        self,
        clock: Clock,
        what: str,
        newest_before: NewestBefore,
        is_synced: Callable[[], bool] = is_clock_synced,
    ) -> None:
        self._clock = clock
        self._what = what
        self._newest_before = newest_before
        self._is_synced = is_synced
        self._offset_s = clock.wall() - clock.monotonic()
        self._jumped_s = float("-inf")
        self._is_told = False

    def is_steady(self) -> bool:
        """Return whether the clock went with the monotonic one for an hour, and fits to what is stored."""
        offset_s = self._clock.wall() - self._clock.monotonic()
        if abs(offset_s - self._offset_s) > _JUMP_S:
            self._jumped_s = self._clock.monotonic()
            log.warning("the clock jumped by %.0f s: %s again in an hour", offset_s - self._offset_s, self._what)
        self._offset_s = offset_s
        if self._clock.monotonic() - self._jumped_s < _STEADY_FOR_S:
            return False
        why = self._why_not()
        if why is not None and not self._is_told:
            log.warning("%s only once the clock can be believed: %s", self._what, why)
        self._is_told = why is not None
        return why is None

    def _why_not(self) -> str | None:
        now = self._clock.wall()
        if self._is_synced():
            begin = self._hole(now, _WEEK_DAYS, _LONGEST_AWAY_DAYS)
            return None if begin is None else _say(begin, now, "it may have jumped ahead")
        holes = (self._hole(now, days, 1) for days in range(1, _WEEK_DAYS + 1))
        begin = next((hole for hole in holes if hole is not None), None)
        return None if begin is None else _say(begin, now, "the kernel does not call it synchronised (timedatectl)")

    def _hole(self, now: float, before_days: int, longest_days: int) -> float | None:
        """Return when the last thing before some days ago was stored, where that was too long before."""
        end = now - before_days * _DAY_S
        newest = self._newest_before(end)
        if newest is None or newest < EARLIEST:
            return None
        return newest if newest < end - longest_days * _DAY_S else None


def _say(begin: float, now: float, why: str) -> str:
    return f"nothing is stored of some days since {(now - begin) / _DAY_S:.0f} days ago, and {why}"
