"""Values at the end of what an instrument can say: suspect."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict
from dt.utils.quantities import Unit

# BH1750: 65535 counts at 2.4 and 1.2 a lux, and at its coarsest measurement time (31/69); others: bare 16 bits.
_ENDS = (27_306.25, 54_612.5, 65_535.0, 121_556.85)
_SAME = 1e-5  # less than half a count: no other reading comes so near by chance


def saturation(sample: Sample) -> Quality | None:
    """Doubt the last number of a scale: what is beyond it reads the same. A probe's ends stand in its calibration."""
    value = sample.value
    if value < 27_000.0 or sample.unit is not Unit.LUX or all(abs(value - end) > _SAME * end for end in _ENDS):
        return None
    why = f"{value:g} {sample.unit} is the end of the instrument's scale"
    return Quality(verdict=Verdict.SUSPECT, check="saturation", why=why)
