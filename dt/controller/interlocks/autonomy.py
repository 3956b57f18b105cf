"""S14: until a person grants autonomy for an actuator, policies only recommend."""

from __future__ import annotations

from dt.controller.situation import Situation
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse a policy's command without a grant."""
    if not situation.is_automatic or situation.is_granted:
        return None
    why = f"nobody has granted autonomy for {situation.command.actuator_id}"
    return Refusal(invariant="S14", value=0.0, limit=1.0, margin=-1.0, why=why)
