"""S3: while people are away, policies give each plant no more than its daily share of the reservoir."""

from __future__ import annotations

from dt.controller.situation import Situation, at_most
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse a policy's water beyond the share; people may give more."""
    if not (situation.is_automatic and situation.waters) or situation.share_ml is None or situation.dose_ml is None:
        return None
    after_ml = situation.spent_ml + situation.dose_ml
    why = "more than the plant's daily share of the reservoir while the vacation lasts (ml)"
    return at_most("S3", after_ml, situation.share_ml, why)
