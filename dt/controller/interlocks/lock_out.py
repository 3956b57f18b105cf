"""S7, S8: an output that is locked out stays off until a person has looked and released it."""

from __future__ import annotations

from dt.controller.situation import Situation
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse with what was measured when it was locked out; people are refused too."""
    lock = situation.lock
    if lock is None:
        return None
    margin = None if lock.value is None or lock.limit is None else round(-abs(lock.value - lock.limit), 4)
    why = f"{lock.why}; {lock.actuator_id} is locked out until a person releases it"
    return Refusal(invariant=lock.invariant, value=lock.value, limit=lock.limit, margin=margin, why=why)
