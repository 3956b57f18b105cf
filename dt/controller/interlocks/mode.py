"""S14: an actuator that a person switched off stays off, for people too, until its mode is changed."""

from __future__ import annotations

from dt.controller.modes import Mode
from dt.controller.situation import Situation
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse everything while the mode is off."""
    if situation.mode.mode is not Mode.OFF:
        return None
    name, by = situation.command.actuator_id, situation.mode.by or "a person"
    why = f"{by} has set the mode of {name} to off; choose another mode first"
    return Refusal(invariant="S14", value=0.0, limit=1.0, margin=-1.0, why=why)
