"""S2: between two actuations of one actuator lies its minimum pause."""

from __future__ import annotations

from dt.controller.situation import Situation, at_least
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse while the actuator is on and until its pause is over."""
    if situation.is_on:
        limit_s = situation.pause_s
        return Refusal(invariant="S2", value=0.0, limit=limit_s, margin=-limit_s, why="the actuator is on")
    rested_s = situation.pause_s - situation.pause_left_s
    return at_least("S2", rested_s, situation.pause_s, "the pause is not over (s since the actuator was on)")
