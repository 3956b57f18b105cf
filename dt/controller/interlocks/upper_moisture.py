"""S5: no watering above the upper moisture limit."""

from __future__ import annotations

from dt.controller.live_readings import OLDEST_S
from dt.controller.situation import Situation, at_most
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse water, a person's too, for soil that is known to be above the plant's upper limit."""
    median = situation.moisture.median
    if not situation.waters or situation.moisture_high is None or median is None or situation.moisture.age_s > OLDEST_S:
        return None
    return at_most("S5", median, situation.moisture_high, "the soil is above the plant's upper limit (m3/m3)")
