"""Windows of event time: rolling means, and the light of a day. Each is of fixed size."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from dt.plant.light import light_integral_mol_m2

DayOf = Callable[[float], tuple[float, float]]
"""Gives the local day of an instant: its midnight and the next one."""

SLOT_S = 600.0
SLOTS = 6  # of a rolling hour
_KEPT = 42  # slots: seven hours, in which a late reading still corrects
_SPARSE = 0.5
_DAY_COVERED = 0.9
_LAST_MS = 0.001
_GAP_PAUSES = 3.0
_GAP_AT_LEAST_S = 120.0
_EVERY_S = 600.0
_MOST_GAP_S = 7200.0  # what a reading an hour may leave out


class Hour(NamedTuple):
    """A rolling hour: where it ends, its mean and how many of the expected readings it has."""

    end: float
    mean: float
    readings: int
    expected: int
    revision: int

    @property
    def is_sparse(self) -> bool:
        """Return whether less than half of the readings are there."""
        return self.readings < _SPARSE * self.expected


class Slot(msgspec.Struct, array_like=True):
    """Ten minutes: number since 1970, sum and count of readings, and how often the hour that they end was told."""

    number: int
    total: float = 0.0
    count: int = 0
    told: int = 0


class Mean(msgspec.Struct, array_like=True):
    """Rolling hours in steps of ten minutes: told when the next step begins, again when a late reading corrects one."""

    slots: list[Slot] = []
    cadence_s: float = 0.0

    def add(self, timestamp: float, value: float, cadence_s: float = 0.0) -> list[Hour]:
        """Take a good reading; return the hours that are complete now or have changed."""
        number = int(timestamp // SLOT_S)
        slots = self.slots
        if slots and number == slots[-1].number:
            slots[-1].total += value
            slots[-1].count += 1
            self.cadence_s = cadence_s
            return []
        if not slots or number > slots[-1].number:
            hours = [self._told(len(slots) - 1)] if slots else []
            slots.append(Slot(number, value, 1))
            del slots[:-_KEPT]
            self.cadence_s = cadence_s
            return hours
        return self._corrected(number, value, 1)

    def is_ahead_of(self, timestamp: float) -> bool:
        """Return whether later readings were taken already."""
        return bool(self.slots) and self.slots[-1].number > int(timestamp // SLOT_S)

    def remove(self, timestamp: float, value: float) -> list[Hour]:
        """Take a reading back that turned out to be none."""
        number = int(timestamp // SLOT_S)
        if self.slots and number == self.slots[-1].number:
            self.slots[-1].total -= value
            self.slots[-1].count -= 1
            return []
        return self._corrected(number, -value, -1)

    def _corrected(self, number: int, value: float, count: int) -> list[Hour]:
        place = next((i for i, slot in enumerate(self.slots) if slot.number == number), None)
        if place is None:
            if count < 0 or not self.slots or number < self.slots[0].number:
                return []  # older than anything that is remembered
            place = next(i for i, slot in enumerate(self.slots) if slot.number > number)
            self.slots.insert(place, Slot(number))
            del self.slots[:-_KEPT]
            place = next(i for i, slot in enumerate(self.slots) if slot.number == number)
        slot = self.slots[place]
        slot.total += value
        slot.count += count
        later = (i for i in range(place, len(self.slots) - 1) if self.slots[i].number < number + SLOTS)
        return [self._told(i) for i in later if self._count(i)]

    def _window(self, place: int) -> list[Slot]:
        last = self.slots[place].number
        return [slot for slot in self.slots[max(0, place + 1 - SLOTS) : place + 1] if slot.number > last - SLOTS]

    def _count(self, place: int) -> int:
        return sum(slot.count for slot in self._window(place))

    def _told(self, place: int) -> Hour:
        window, slot = self._window(place), self.slots[place]
        count = sum(one.count for one in window)
        slot.told += 1
        expected = round(SLOTS * SLOT_S / self.cadence_s) if self.cadence_s > 0.0 else 1
        mean = sum(one.total for one in window) / max(1, count)
        return Hour((slot.number + 1) * SLOT_S, mean, count, max(1, expected), slot.told - 1)


class LightSum(NamedTuple):
    """The light of a day so far, in mol m-2, and the part of that time which readings cover."""

    timestamp: float
    total: float
    coverage: float

    @property
    def is_sparse(self) -> bool:
        """Return whether more than a tenth of the time is missing."""
        return self.coverage < _DAY_COVERED


class LightDay(msgspec.Struct, array_like=True):
    """The running sum of one light sensor since its zone's midnight."""

    sensor_id: str = ""
    begins: float = -1.0
    ends: float = -1.0
    at: float = -1.0
    ppfd: float = 0.0
    total: float = 0.0
    covered_s: float = 0.0
    told: int = -1

    def add(self, timestamp: float, ppfd: float, cadence_s: float, day_of: DayOf) -> list[LightSum]:
        """Take a reading newer than the last; return sums that are due: every ten minutes, and at a day's end."""
        sums = []
        gap_s = timestamp - self.at
        is_gap = self.at < 0.0 or gap_s > min(_MOST_GAP_S, max(_GAP_AT_LEAST_S, _GAP_PAUSES * cadence_s))
        if timestamp >= self.ends:
            if self.begins >= 0.0:
                if not is_gap:
                    self._cover(self.at, self.ends, ppfd)
                sums.append(LightSum(self.ends - _LAST_MS, self.total, self._coverage(self.ends)))
            self.begins, self.ends = day_of(timestamp)
            self.total = self.covered_s = 0.0
            self.told = -1
        if not is_gap:
            self._cover(max(self.at, self.begins), timestamp, ppfd)
        self.at, self.ppfd = timestamp, ppfd
        slot = int((timestamp - self.begins) // _EVERY_S)
        if slot > self.told:
            self.told = slot
            sums.append(LightSum(timestamp, self.total, self._coverage(timestamp)))
        return sums

    def _cover(self, since: float, until: float, ppfd: float) -> None:
        self.total += light_integral_mol_m2(self.ppfd, ppfd, until - since)
        self.covered_s += until - since

    def _coverage(self, timestamp: float) -> float:
        lasts_s = timestamp - self.begins
        return 1.0 if lasts_s <= 0.0 else min(1.0, self.covered_s / lasts_s)
