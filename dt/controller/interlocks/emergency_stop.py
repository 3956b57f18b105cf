"""S9: while the emergency stop is latched nothing starts."""

from __future__ import annotations

from dt.controller.situation import Situation
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse until a person has released the emergency stop."""
    if situation.stopped_by is None:
        return None
    why = f"emergency stop by {situation.stopped_by}; a person has to release it"
    return Refusal(invariant="S9", value=1.0, limit=0.0, margin=-1.0, why=why)
