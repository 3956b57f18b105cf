"""S14: until a person grants autonomy for an actuator, policies only recommend."""

from __future__ import annotations

from dt.controller.issuers import is_own_policy
from dt.controller.situation import Situation
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse a machine's command without a grant, and one from outside under the name of our own policies always."""
    issuer = situation.command.issuer
    if situation.is_from_outside and is_own_policy(issuer):
        why = f"only the controller's own policies are called {issuer[:80]!r}; a command from outside says who asks"
        return Refusal(invariant="S14", value=0.0, limit=1.0, margin=-1.0, why=why)
    if not situation.is_automatic or situation.is_granted:
        return None
    why = f"nobody has granted autonomy for {situation.command.actuator_id}"
    return Refusal(invariant="S14", value=0.0, limit=1.0, margin=-1.0, why=why)
