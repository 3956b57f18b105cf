"""The last live, processed readings of every place; late and replayed ones say nothing here (S4)."""

from __future__ import annotations

import math
import statistics
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from dt.utils.clock import Clock
from dt.utils.dataclasses import Origin, SensorData, Verdict
from dt.utils.quantities import QUANTITIES, Quantity

LAST_READINGS = 5
OLDEST_S = 15 * 60.0  # safety case, limits: moisture no older than 15 min; of the air likewise
_MOST_SERIES = 1000  # of more, the one that was silent longest is forgotten
_FUTURE_S = 5.0

# What policies and watches go by beside the soil's moisture.
AIR_QUANTITIES = frozenset(
    {
        Quantity.TEMPERATURE,
        Quantity.HUMIDITY,
        Quantity.SOIL_TEMPERATURE,
        Quantity.LIGHT_INTENSITY,
        Quantity.VPD,
        Quantity.DLI,
    }
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading, and when it came (monotonic)."""

    value: float
    is_good: bool
    timestamp: float
    seen_at_s: float
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The newest good reading of a series and its age in seconds."""

    value: float
    age_s: float
    correlation_id: str = ""


class ReadingBook:
    """Keeps the last five live readings of each place (a plant, or else a zone) and quantity."""

    def __init__(self, clock: Clock, quantities: Iterable[Quantity] = AIR_QUANTITIES) -> None:
        self._clock = clock
        self.quantities = frozenset(quantities)
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, Quantity], deque[Seen]] = {}

    def see(self, reading: SensorData) -> None:
        """Take a processed reading into account, if it is one that may cause an action."""
        place = self._place_of(reading)
        if place is None or not self._counts(reading):
            return
        is_good = reading.quality is not None and reading.quality.verdict is Verdict.GOOD
        now_s = self._clock.monotonic()
        seen = Seen(reading.value, is_good, reading.timestamp, now_s, reading.correlation_id)
        with self._lock:
            book = self._book_of((place, reading.data_type))
            latest = self._clock.wall() + _FUTURE_S
            for before in [one for one in book if one.timestamp > latest]:
                book.remove(before)  # made under a clock that has been set back since
            if all(seen.timestamp > before.timestamp for before in book):
                book.append(seen)

    def aged(self, place: str, quantity: Quantity) -> list[tuple[float, Seen]]:
        """Return the last readings with their age in seconds, good or not, oldest first."""
        # A wall clock set back must not make a reading young again: the larger of both ages counts.
        wall, now_s = self._clock.wall(), self._clock.monotonic()
        with self._lock:
            seen_so_far = self._seen.get((place, quantity), ())
            return [(max(wall - seen.timestamp, now_s - seen.seen_at_s), seen) for seen in seen_so_far]

    def latest(self, quantity: Quantity, *places: str | None) -> Latest | None:
        """Return the newest good reading of the first of these places that has one."""
        for place in places:
            good = [one for one in self.aged(place or "", quantity) if one[1].is_good]
            if good:
                age_s, seen = good[-1]
                return Latest(value=seen.value, age_s=max(0.0, age_s), correlation_id=seen.correlation_id)
        return None

    def median(self, quantity: Quantity, *places: str | None, within_s: float) -> float | None:
        """Return the median of the good readings of the first place that has one within so many seconds."""
        for place in places:
            values = [
                seen.value for age_s, seen in self.aged(place or "", quantity) if seen.is_good and age_s <= within_s
            ]
            if values:
                return statistics.median(values)
        return None

    def last_is_bad(self, quantity: Quantity, *places: str | None) -> bool:
        """Return whether the newest reading of the first place that has any is not good."""
        for place in places:
            aged = self.aged(place or "", quantity)
            if aged:
                return not aged[-1][1].is_good
        return False

    def _place_of(self, reading: SensorData) -> str | None:
        return reading.plant_id or reading.zone_id

    # -- helpers; the lock is held, but in `_counts` ------------------------------------------------------------

    def _book_of(self, key: tuple[str, Quantity]) -> deque[Seen]:
        book = self._seen.pop(key, None) or deque(maxlen=LAST_READINGS)
        self._seen[key] = book  # at the end of the order
        if len(self._seen) > _MOST_SERIES:
            del self._seen[next(iter(self._seen))]
        return book

    def _counts(self, reading: SensorData) -> bool:
        age_s = self._clock.wall() - reading.timestamp
        return (
            reading.data_type in self.quantities
            and reading.unit is QUANTITIES[reading.data_type].unit
            and reading.origin is Origin.LIVE
            and not reading.late
            and math.isfinite(reading.value)
            and -_FUTURE_S <= age_s <= OLDEST_S
        )
