"""Temperature and humidity of one air, paired by event time, however their topics interleave."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
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

_time = attrgetter("timestamp")


class Half(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One reading that waits for its counterpart; `rank` says how much less it is worth than a good one.

    `revision` counts the readings of its topic and instant that it took the place of: from one order of that topic
    comes one number.
    """

    timestamp: float
    correlation_id: str
    value: float
    verdict: str = "good"
    check: str | None = None
    why: str | None = None
    late: bool = False
    sensor_id: str = ""
    rank: int = 0
    revision: int = 0

    def instead_of(self, held: Half) -> Half | None:
        """Return this one in the place of another of its instant, by (rank, sensor_id); None where it is no better."""
        if (self.rank, self.sensor_id) >= (held.rank, held.sensor_id):
            return None
        return msgspec.structs.replace(self, revision=held.revision + 1)


Pair = tuple[Half, Half]  # temperature, humidity


class Side(msgspec.Struct):
    """The readings of one quantity, the best of each instant: up to `taken_until` they are dealt with.

    `behind` came after later ones of the same topic.
    """

    taken_until: float = -1.0
    waiting: list[Half] = []
    behind: list[Half] = []

    @property
    def newest(self) -> float:
        """Return when the last of its readings was."""
        return self.waiting[-1].timestamp if self.waiting else self.taken_until

    def add(self, half: Half, *, is_live: bool) -> None:
        """Keep a reading that is newer than all before."""
        waiting = self.waiting
        waiting.append(half)
        is_lonely = is_live and len(waiting) > KEPT_LIVE and half.timestamp - waiting[0].timestamp > _LIVE_FOR_S
        if is_lonely or len(waiting) > KEPT:
            self.take()

    def take(self) -> Half:
        """Return the earliest that waits, and be done with everything up to it."""
        half = self.waiting.pop(0)
        self.taken_until = half.timestamp
        while self.waiting and self.waiting[0].timestamp <= half.timestamp:
            self.waiting.pop(0)
        return half

    def keep_behind(self, half: Half) -> bool:
        """Keep a reading that is older than others, after those of its instant; False for one that is here already."""
        behind = self.behind
        first = bisect_left(behind, half.timestamp, key=_time)
        last = bisect_right(behind, half.timestamp, key=_time)
        if any(held.correlation_id == half.correlation_id for held in behind[first:last]):
            return False
        behind.insert(last, half)
        del behind[:-_KEPT_BEHIND]
        return True

    def take_behind(self, timestamp: float) -> Half | None:
        """Return what came first of those behind at an instant, and be done with it."""
        index = bisect_left(self.behind, timestamp, key=_time)
        if index < len(self.behind) and self.behind[index].timestamp == timestamp:
            return self.behind.pop(index)
        return None


class AirPairs(msgspec.Struct):
    """Pairs each instant of a quantity at most once with the nearest of the other within 30 s.

    What becomes of it depends on the order of each topic alone, not on how the two interleave: where a reading stands
    is judged by its own topic; a pair that is not exact waits until the next instant shows that none is nearer; where a
    better reading of the same instant comes after its pair, the pair is made again with a higher revision. What comes
    far behind (an older file, a backlog after live readings) is paired by equal time alone, the first of one topic with
    the first of the other.
    """

    temperature: Side = msgspec.field(default_factory=Side)
    humidity: Side = msgspec.field(default_factory=Side)
    made: list[Pair] = []  # of an instant that is the newest of its side: a better reading of it may come

    @property
    def newest(self) -> float:
        """Return when the last reading of either was."""
        return max(self.temperature.newest, self.humidity.newest)

    def accept(self, quantity: Quantity, half: Half, *, is_live: bool = True) -> list[Pair] | None:
        """Return the pairs that this reading completes or makes better; None when it changed nothing."""
        place = 0 if quantity is Quantity.TEMPERATURE else 1
        own, other = (self.humidity, self.temperature) if place else (self.temperature, self.humidity)
        newest = own.newest
        if half.timestamp > newest:
            own.add(half, is_live=is_live)
            return self._settle()
        if half.timestamp == newest:
            return self._improve(own, place, half)
        if half.timestamp > newest - WINDOW_S:
            return None  # seen before, or the slower of two sensors
        twin = other.take_behind(half.timestamp)
        if twin is not None:
            return [(twin, half) if place else (half, twin)]
        return [] if own.keep_behind(half) else None

    def _improve(self, own: Side, place: int, half: Half) -> list[Pair] | None:
        """Put a better reading of the newest instant in the place of the one that is there."""
        if own.waiting:
            better = half.instead_of(own.waiting[-1])
            if better is not None:
                own.waiting[-1] = better
            return None if better is None else []
        for index, pair in enumerate(self.made):
            if pair[place].timestamp == half.timestamp:
                better = half.instead_of(pair[place])
                if better is None:
                    return None
                self.made[index] = again = (pair[0], better) if place else (better, pair[1])
                return [again]
        return None

    def _settle(self) -> list[Pair]:
        pairs: list[Pair] = []
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
        if pairs or self.made:
            ends = first.newest, second.newest
            self.made = [pair for pair in (*self.made, *pairs) if _is_open(pair, ends)]
        return pairs


def _is_open(pair: Pair, ends: tuple[float, float]) -> bool:
    return pair[0].timestamp == ends[0] or pair[1].timestamp == ends[1]
