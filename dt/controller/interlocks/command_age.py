"""S10: a command expires 30 s after it was issued, and one that is not live starts nothing."""

from __future__ import annotations

from dt.controller.guard_types import COMMAND_LIFE_S
from dt.controller.situation import Situation, at_least, at_most
from dt.utils.dataclasses import Origin, Refusal

EARLIEST_S = -5.0  # how far the issuer's clock may run ahead of ours


def check(situation: Situation) -> Refusal | None:
    """Refuse what is old, replayed, or comes from the future."""
    if situation.command.origin is not Origin.LIVE:
        why = f"a command of origin {situation.command.origin} starts nothing"
        return Refusal(invariant="S10", value=situation.age_s, limit=COMMAND_LIFE_S, why=why)
    return at_most(
        "S10", situation.age_s, COMMAND_LIFE_S, "the command has expired (s since it was issued)"
    ) or at_least("S10", situation.age_s, EARLIEST_S, "the command was issued in the future (s since it was issued)")
