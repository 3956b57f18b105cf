"""S4: automatic watering needs a moisture estimate that is fresh, of good quality and certain enough."""

from __future__ import annotations

from dt.controller.live_readings import OLDEST_S
from dt.controller.situation import Situation, at_least, at_most
from dt.utils.dataclasses import Refusal

FEWEST_GOOD = 3
WIDEST_SPREAD = 0.05  # m3/m3, half the range of the readings that the median is made of


def check(situation: Situation) -> Refusal | None:
    """Refuse a policy's water while nobody can say how wet the soil is; people may."""
    if not (situation.is_automatic and situation.waters):
        return None
    moisture = situation.moisture
    return (
        at_least("S4", moisture.good, FEWEST_GOOD, "too few good moisture readings since the pump last ran")
        or at_most("S4", moisture.age_s, OLDEST_S, "the newest good moisture reading is too old (s)")
        or at_most("S4", moisture.spread, WIDEST_SPREAD, "the moisture readings are too far apart (m3/m3)")
    )
