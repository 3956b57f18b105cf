"""One reading that stands alone: suspect, once the next one shows it (ISMN D04, D05); before any averaging."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict

_COMES_BACK_TO = 0.3  # of its height
_PAUSES = 3.0


def spike(sample: Sample) -> Quality | None:
    """Doubt the reading before this one, when this one is back where the series was before both."""
    past = sample.past
    if past.doubted is None or sample.elapsed_s > _PAUSES * past.cadence_s:
        return None
    height = past.step
    if height * sample.step >= 0.0 or abs(height + sample.step) > _COMES_BACK_TO * abs(height):
        return None
    if sample.limits.dark is not None and sample.value > sample.limits.dark:
        return None  # by day clouds do the same
    why = f"stood {abs(height):.3g} {sample.unit} {'above' if height > 0.0 else 'below'} both its neighbours"
    return Quality(verdict=Verdict.SUSPECT, check="spike", why=why)
