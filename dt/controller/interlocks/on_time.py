"""S1: no output is asked to stay on longer than its maximum."""

from __future__ import annotations

from dt.controller.situation import Situation, at_most
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse durations, and doses that would take longer, above the actuator's maximum."""
    return at_most("S1", situation.on_s, situation.max_on_s, "longer than the actuator may be on (s)")
