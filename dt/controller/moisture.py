"""What the last processed readings say of each pot's water; late and replayed ones say nothing here (S4)."""

from __future__ import annotations

import math
import statistics

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
        values = [value for _, value in aged]
        return MoistureEstimate(
            median=statistics.median(values),
            spread=(max(values) - min(values)) / 2,
            age_s=max(0.0, aged[-1][0]),
            good=sum(age_s < since_s for age_s, _ in aged),
        )

    def _place_of(self, reading: SensorData) -> str | None:
        return reading.plant_id
