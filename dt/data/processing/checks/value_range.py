"""Values that cannot be: bad."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict
from dt.utils.quantities import QUANTITIES, Quantity, Unit, limits_of

_LIMITS: dict[tuple[Quantity, Unit], tuple[float, float]] = {
    (quantity, unit): limits_of(quantity, unit) for quantity in QUANTITIES for unit in Unit
}


def value_range(sample: Sample) -> Quality | None:
    """Refuse what no quantity of this kind can be."""
    low, high = _LIMITS[sample.quantity, sample.unit]
    if low <= sample.value <= high:
        return None
    why = f"{sample.value:.6g} {sample.unit} is outside {low:g} to {high:g} {sample.unit}"
    return Quality(verdict=Verdict.BAD, check="value_range", why=why)
