"""S8: a heater goes on only by a fresh, good temperature below its cut-off."""

from __future__ import annotations

from dt.controller.situation import Situation, at_most
from dt.utils.dataclasses import Refusal

OLDEST_S = 5 * 60.0  # a small heater warms a box by some 5 K meanwhile


def check(situation: Situation) -> Refusal | None:
    """Refuse heat, a person's too, while nobody can say how warm it is, or it is warm enough."""
    heat = situation.heat
    if heat is None:
        return None
    if heat.temperature is None or heat.is_faulty:
        why = "the last temperature is not good" if heat.is_faulty else "there is no good temperature"
        return Refusal(invariant="S8", value=0.0, limit=1.0, margin=-1.0, why=f"{why}, so nobody would see it overheat")
    return at_most("S8", heat.age_s, OLDEST_S, "the newest good temperature is too old (s)") or at_most(
        "S8", heat.temperature, heat.cut_off_degc, "the air is above the heater's cut-off (degC)"
    )
