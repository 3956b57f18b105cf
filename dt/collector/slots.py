"""The slots of a sensor's cadence, by the monotonic clock: one reading is due in each, and its number is the slot's."""

from __future__ import annotations

import math
from dataclasses import dataclass

_JUST_BEFORE = 1e-6  # of a slot: a clock that is read a hair early is in the slot that begins


@dataclass(frozen=True, slots=True)
class Slots:
    """Slot `first` begins at `origin_s` (monotonic), and one more every `interval_s`.

    >>> slots = Slots(interval_s=5.0, origin_s=100.0, first=7)
    >>> slots.at(104.9), slots.at(105.0), slots.begin_of(9)
    (7, 8, 110.0)
    """

    interval_s: float
    origin_s: float
    first: int = 0

    def at(self, now_s: float) -> int:
        """Return the number of the slot that an instant lies in."""
        return self.first + math.floor((now_s - self.origin_s) / self.interval_s + _JUST_BEFORE)

    def begin_of(self, number: int) -> float:
        """Return when a slot begins."""
        return self.origin_s + (number - self.first) * self.interval_s

    def retry_after(self, now_s: float, pause_s: float) -> float:
        """Return when to look again after a miss: within the slot, or where another one begins.

        >>> slots = Slots(interval_s=5.0, origin_s=0.0)
        >>> slots.retry_after(0.0, 0.5), slots.retry_after(3.5, 4.0), slots.retry_after(5.0, 16.0)
        (0.5, 5.0, 20.0)
        """
        wanted_s = now_s + pause_s
        number = self.at(wanted_s)
        return wanted_s if number == self.at(now_s) else self.begin_of(number)

    def after_look(self, now_s: float, rest_until_s: float) -> float:
        """Return when the next reading is due after one was taken; what was missed meanwhile is not made up for."""
        return max(self.begin_of(self.at(now_s) + 1), rest_until_s)
