"""Soil that seems to become wetter over hours: suspect, for that is how a probe feels warmth (ISMN D03 is akin)."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict

_DENSE_S = 1200.0  # with longer pauses rain and warmth look alike
_HOURS_S = 5400.0
_SPREADS_S = 86_400.0  # after a watering it is water


def slow_rise(sample: Sample) -> Quality | None:
    """Doubt a rise without any steep part: water arrives within minutes, warmth does not."""
    past, least = sample.past, sample.limits.slow_rise
    if least is None or past.rise.height <= least or past.cadence_s > _DENSE_S:
        return None
    if sample.timestamp - past.rise.sharp_at < _SPREADS_S:
        return None
    lasts_s = sample.timestamp - past.rise.low_at
    if lasts_s < _HOURS_S:
        return None
    why = f"rose by {past.rise.height:.3g} {sample.unit} over {lasts_s / 3600.0:.1f} h: as warmth does, not as water"
    return Quality(verdict=Verdict.SUSPECT, check="slow_rise", why=why)
