"""S6: one pump at a time per supply, loads within its limit, exclusions: the guard's own rules, asked before it."""

from __future__ import annotations

from dt.controller.guard_load import why_not_at
from dt.controller.situation import Situation
from dt.utils.dataclasses import Refusal


def check(situation: Situation) -> Refusal | None:
    """Refuse what the supply cannot carry now, or what must not run together; the guard has the last word."""
    load = situation.load
    output = None if load is None else load.config.output(situation.command.actuator_id)
    if load is None or output is None:
        return None
    denial = why_not_at(load.config, output, load.level, load.levels)
    if denial is None:
        return None
    return Refusal(
        invariant=denial.invariant, value=denial.value, limit=denial.limit, margin=denial.margin, why=denial.why
    )
