"""What the last processed readings say of each pot's water; late and replayed ones say nothing here (S4)."""

from __future__ import annotations

import math

from dt.controller.live_readings import OLDEST_S, ReadingBook
from dt.controller.situation import MoistureEstimate
from dt.utils.clock import Clock
from dt.utils.dataclasses import SensorData
from dt.utils.quantities import Quantity


class MoistureBook(ReadingBook):
    """Keeps the last five live moisture readings of each plant."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, {Quantity.SOIL_MOISTURE})

    def estimate(self, plant_id: str, since_s: float = math.inf) -> MoistureEstimate:
        """Return the median of the good ones among the last readings, half their range, and the newest one's age.

        A reading that is too old counts only when all are; as `good` count those of the last `since_s` seconds.
        """
        aged = [(age_s, seen.value) for age_s, seen in self.aged(plant_id, Quantity.SOIL_MOISTURE) if seen.is_good]
        if not aged:
            return MoistureEstimate(median=None, spread=1.0, age_s=math.inf, good=0)
        aged = [one for one in aged if one[0] <= OLDEST_S] or aged
        values = sorted([value for _, value in aged])
        half = len(values) // 2
        return MoistureEstimate(  # asked for each pot by every watch: `statistics.median` costs half of it
            median=values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2,
            spread=(values[-1] - values[0]) / 2,
            age_s=max(0.0, aged[-1][0]),
            good=len(aged) if since_s == math.inf else len([1 for age_s, _ in aged if age_s < since_s]),
        )

    def _place_of(self, reading: SensorData) -> str | None:
        return reading.plant_id
