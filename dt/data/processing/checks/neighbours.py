"""Two sensors of one air that drift apart: both suspect, for neither knows which of them is right."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict


def neighbours(sample: Sample) -> Quality | None:
    """Doubt a reading that is further from its neighbour's than the two usually are."""
    if sample.apart is None or sample.limits.pair is None:
        return None
    why = f"{abs(sample.apart):.3g} {sample.unit} further than usual from the other sensor beside it"
    return Quality(verdict=Verdict.SUSPECT, check="neighbours", why=why)
