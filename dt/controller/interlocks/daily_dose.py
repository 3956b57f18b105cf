"""S3: no plant gets more than its dose in any rolling 24 h, and no reservoir gives more than it holds."""

from __future__ import annotations

from dt.controller.situation import Situation, at_most
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse what the plant's day or the reservoir no longer has; the guard's ledger has the last word."""
    if situation.dose_ml is None:
        return None
    after_ml = situation.spent_ml + situation.dose_ml
    if situation.budget_ml is not None:
        refusal = at_most("S3", after_ml, situation.budget_ml, "more than the plant may get in 24 h (ml)")
        if refusal is not None:
            return refusal
    if situation.reservoir_left_ml is None:
        return None
    return at_most("S3", situation.dose_ml, situation.reservoir_left_ml, "more than the reservoir holds (ml)")
