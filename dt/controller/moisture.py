"""What the last processed readings say of each pot's water; late and replayed ones say nothing here (S4)."""

from __future__ import annotations

import math
import statistics
import threading
from collections import deque
from dataclasses import dataclass

from dt.controller.interlocks.moisture_estimate import OLDEST_S
from dt.controller.situation import MoistureEstimate
from dt.utils.clock import Clock
from dt.utils.dataclasses import Origin, SensorData, Verdict
from dt.utils.quantities import QUANTITIES, Quantity

LAST_READINGS = 5
_MOST_PLANTS = 1000  # of more, the one that was silent longest is forgotten
_FUTURE_S = 5.0


@dataclass(frozen=True, slots=True)
class _Seen:
    value: float
    is_good: bool
    timestamp: float
    seen_at_s: float


class MoistureBook:
    """Keeps the last five live readings of each plant."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, deque[_Seen]] = {}

    def see(self, reading: SensorData) -> None:
        """Take a processed reading into account, if it is one that may cause an action."""
        if reading.plant_id is None or not self._counts(reading):
            return
        is_good = reading.quality is not None and reading.quality.verdict is Verdict.GOOD
        seen = _Seen(reading.value, is_good, reading.timestamp, self._clock.monotonic())
        with self._lock:
            book = self._seen.pop(reading.plant_id, None) or deque(maxlen=LAST_READINGS)
            self._seen[reading.plant_id] = book  # at the end of the order
            if len(self._seen) > _MOST_PLANTS:
                del self._seen[next(iter(self._seen))]
            latest = self._clock.wall() + _FUTURE_S
            for before in [one for one in book if one.timestamp > latest]:
                book.remove(before)  # made under a clock that has been set back since
            if all(seen.timestamp > before.timestamp for before in book):
                book.append(seen)

    def estimate(self, plant_id: str, since_s: float = math.inf) -> MoistureEstimate:
        """Return the median of the good ones among the last readings, half their range, and the newest one's age.

        A reading that is too old counts only when all are; as `good` count those of the last `since_s` seconds.
        """
        with self._lock:
            aged = [(self._age_s(seen), seen.value) for seen in self._seen.get(plant_id, ()) if seen.is_good]
        if not aged:
            return MoistureEstimate(median=None, spread=1.0, age_s=math.inf, good=0)
        aged = [one for one in aged if one[0] <= OLDEST_S] or aged
        values = [value for _, value in aged]
        return MoistureEstimate(
            median=statistics.median(values),
            spread=(max(values) - min(values)) / 2,
            age_s=max(0.0, aged[-1][0]),
            good=sum(age_s < since_s for age_s, _ in aged),
        )

    def _age_s(self, seen: _Seen) -> float:
        # A wall clock set back must not make a reading young again: the larger of both ages counts.
        return max(self._clock.wall() - seen.timestamp, self._clock.monotonic() - seen.seen_at_s)

    def _counts(self, reading: SensorData) -> bool:
        age_s = self._clock.wall() - reading.timestamp
        return (
            reading.data_type is Quantity.SOIL_MOISTURE
            and reading.unit is QUANTITIES[Quantity.SOIL_MOISTURE].unit
            and reading.origin is Origin.LIVE
            and not reading.late
            and -_FUTURE_S <= age_s <= OLDEST_S
        )
