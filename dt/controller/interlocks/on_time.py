"""S1: no output is asked to stay on longer than its maximum, at a time and in 24 h."""

from __future__ import annotations

from dt.controller.situation import Situation, at_most
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse durations, and doses that would take longer, above the actuator's maximum."""
    refusal = at_most("S1", situation.on_s, situation.max_on_s, "longer than the actuator may be on (s)")
    if refusal is not None or situation.on_left_s is None:
        return refusal
    return at_most("S1", situation.on_s, situation.on_left_s, "longer than the actuator may still be on in 24 h (s)")
