"""A clock that stands before the reading that was taken earlier: suspect, until it has stayed there."""

from __future__ import annotations

from dt.data.processing.arrival import Arrival
from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict


def clock_back(sample: Sample) -> Quality | None:
    """Doubt the time of a reading that was taken later than the last one and says earlier."""
    if sample.arrival is not Arrival.BACK:
        return None
    behind_s = sample.past.time - sample.timestamp
    why = f"the clock stands {behind_s:.0f} s before the reading that was taken earlier"
    return Quality(verdict=Verdict.SUSPECT, check="clock_back", why=why)
