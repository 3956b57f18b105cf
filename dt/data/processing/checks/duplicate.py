"""A second reading of one instant: as good as the first where it says the same, else suspect."""

from __future__ import annotations

from dt.data.processing.arrival import Arrival
from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict


def duplicate(sample: Sample) -> Quality | None:
    """Doubt what contradicts the sensor's own reading of the same instant."""
    past = sample.past
    if sample.arrival is not Arrival.SAME or past.quality is None:
        return None
    if sample.value == past.last:
        return past.quality
    why = f"the sensor said {past.last:.6g} {sample.unit} of the same instant"
    return Quality(verdict=Verdict.SUSPECT, check="duplicate", why=why)
