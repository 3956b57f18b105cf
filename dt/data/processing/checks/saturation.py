"""Values at the end of what an instrument can say: suspect."""

from __future__ import annotations

from collections.abc import Mapping

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict
from dt.utils.quantities import Unit

# BH1750: 65535 counts at 1.2 a lux, at half of it, and at its coarsest measurement time (31/69); bare 16 bits.
_LUX = (54_612.5, 27_306.25, 121_556.85, 65_535.0)
_ADC = (0.0, 1023.0, 4095.0, 65_535.0)  # 10, 12 and 16 bits
_ENDS: Mapping[Unit, tuple[float, ...]] = {Unit.LUX: _LUX, Unit.COUNT: _ADC}
_SAME = 1e-4


def saturation(sample: Sample) -> Quality | None:
    """Doubt the last number of a scale: what is beyond it reads the same."""
    ends = _ENDS.get(sample.unit)
    if ends is None or all(abs(sample.value - end) > _SAME * end for end in ends):
        return None
    why = f"{sample.value:g} {sample.unit} is the end of the instrument's scale"
    return Quality(verdict=Verdict.SUSPECT, check="saturation", why=why)
