"""Temperature and humidity of one air, paired by event time, whatever the order in which their topics arrive."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter

import msgspec

from dt.utils.quantities import Quantity

WINDOW_S = 30.0
KEPT = 5000  # unpaired readings: one topic may be read this far ahead of the other; state stays below 1 MiB
KEPT_LIVE = 100  # of a zone that has one sensor only, once the oldest is this old:
_LIVE_FOR_S = (
    3 * 3600.0
)  # after a shorter outage of processing, one topic may be read up to now before the other begins
_KEPT_BEHIND = 2000

_place = attrgetter("timestamp", "correlation_id")


class Half(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One reading that waits for its counterpart."""

    timestamp: float
    correlation_id: str
    value: float
    verdict: str = "good"
    check: str | None = None
    why: str | None = None
    late: bool = False


class Side(msgspec.Struct):
    """The readings of one quantity: all up to `taken_until` are dealt with, `behind` came after that."""

    taken_until: float = -1.0
    waiting: list[Half] = []
    behind: list[Half] = []

    @property
    def newest(self) -> float:
        """Return when the last of its readings was."""
        return self.waiting[-1].timestamp if self.waiting else self.taken_until

    def add(self, half: Half, *, is_live: bool) -> bool:
        """Keep a reading in event order; False for one that is here already."""
        waiting = self.waiting
        if not _insert(waiting, half):
            return False
        is_lonely = is_live and len(waiting) > KEPT_LIVE and half.timestamp - waiting[0].timestamp > _LIVE_FOR_S
        if is_lonely or len(waiting) > KEPT:
            self.take()
        return True

    def take(self) -> Half:
        """Return the earliest that waits, and be done with everything up to it."""
        half = self.waiting.pop(0)
        self.taken_until = half.timestamp
        while self.waiting and self.waiting[0].timestamp <= half.timestamp:
            self.waiting.pop(0)
        return half


class AirPairs(msgspec.Struct):
    """Pairs each reading at most once with the nearest of the other quantity within 30 s.

    Given that each quantity comes in event order, the pairs do not depend on how the two interleave: a pair that is not
    exact waits until the next reading shows that none is nearer. What comes far behind (an older file, a backlog after
    live readings) is paired by equal time alone, which no order can change.
    """

    temperature: Side = msgspec.field(default_factory=Side)
    humidity: Side = msgspec.field(default_factory=Side)

    @property
    def newest(self) -> float:
        """Return when the last reading of either was."""
        return max(self.temperature.newest, self.humidity.newest)

    def accept(self, quantity: Quantity, half: Half, *, is_live: bool = True) -> list[tuple[Half, Half]] | None:
        """Return the pairs (temperature, humidity) that this reading completes; None when it changed nothing."""
        is_temperature = quantity is Quantity.TEMPERATURE
        own, other = (self.temperature, self.humidity) if is_temperature else (self.humidity, self.temperature)
        if half.timestamp > own.taken_until:
            return self._settle() if own.add(half, is_live=is_live) else None
        if half.timestamp > own.taken_until - WINDOW_S:
            return None  # seen before, or the loser of two sensors
        twin = _remove(other.behind, half.timestamp)
        if twin is not None:
            return [(half, twin) if is_temperature else (twin, half)]
        is_new = _insert(own.behind, half)
        del own.behind[:-_KEPT_BEHIND]
        return [] if is_new else None

    def _settle(self) -> list[tuple[Half, Half]]:
        pairs = []
        first, second = self.temperature, self.humidity
        while first.waiting and second.waiting:
            gap_s = second.waiting[0].timestamp - first.waiting[0].timestamp
            early, late = (first, second) if gap_s >= 0 else (second, first)
            if abs(gap_s) > WINDOW_S:
                early.take()
            elif gap_s == 0.0:
                pairs.append((first.take(), second.take()))
            elif len(early.waiting) < 2:
                break  # the next one may be nearer
            elif abs(early.waiting[1].timestamp - late.waiting[0].timestamp) < abs(gap_s):
                early.take()
            else:
                pairs.append((first.take(), second.take()))
        return pairs


def _insert(halves: list[Half], half: Half) -> bool:
    if not halves or _place(halves[-1]) < _place(half):
        halves.append(half)
        return True
    index = bisect_left(halves, _place(half), key=_place)
    if index < len(halves) and _place(halves[index]) == _place(half):
        return False
    halves.insert(index, half)
    return True


def _remove(halves: list[Half], timestamp: float) -> Half | None:
    index = bisect_left(halves, timestamp, key=attrgetter("timestamp"))
    if index < len(halves) and halves[index].timestamp == timestamp:
        return halves.pop(index)
    return None
