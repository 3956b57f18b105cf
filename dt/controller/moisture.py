"""What the last processed readings say of each pot's water; late and replayed ones say nothing here (S4)."""

from __future__ import annotations

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
            book = self._seen.setdefault(reading.plant_id, deque(maxlen=LAST_READINGS))
            if all(seen.timestamp > before.timestamp for before in book):
                book.append(seen)

    def estimate(self, plant_id: str) -> MoistureEstimate:
        """Return the median of the good ones among the last readings, half their range, and the newest one's age."""
        with self._lock:
            good = [seen for seen in self._seen.get(plant_id, ()) if seen.is_good]
        if not good:
            return MoistureEstimate(median=None, spread=1.0, age_s=float("inf"), good=0)
        values = [seen.value for seen in good]
        return MoistureEstimate(
            median=statistics.median(values),
            spread=(max(values) - min(values)) / 2,
            age_s=max(0.0, self._age_s(good[-1])),
            good=len(good),
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
