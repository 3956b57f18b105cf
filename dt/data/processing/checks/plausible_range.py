"""Values that can be, but not where plants live: suspect (ISMN C01 to C03)."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict


def plausible_range(sample: Sample) -> Quality | None:
    """Doubt what no place with plants shows."""
    limits = sample.limits.plausible
    if limits is None or limits[0] <= sample.value <= limits[1]:
        return None
    why = f"{sample.value:.6g} {sample.unit} is outside {limits[0]:g} to {limits[1]:g} {sample.unit}, where plants live"
    return Quality(verdict=Verdict.SUSPECT, check="plausible_range", why=why)
