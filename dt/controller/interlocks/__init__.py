"""One pure function per file: allowed (None) or refused, with invariant, value, limit and margin (S13)."""

from __future__ import annotations

from collections.abc import Callable

from dt.controller.interlocks import (
    autonomy,
    command_age,
    daily_dose,
    emergency_stop,
    moisture_estimate,
    on_time,
    pause,
    upper_moisture,
)
from dt.controller.situation import Situation
from dt.utils.dataclasses import Refusal

Interlock = Callable[[Situation], Refusal | None]

INTERLOCKS: tuple[Interlock, ...] = (
    emergency_stop.check,
    command_age.check,
    autonomy.check,
    on_time.check,
    pause.check,
    daily_dose.check,
    moisture_estimate.check,
    upper_moisture.check,
)


def first_refusal(situation: Situation) -> Refusal | None:
    """Return what the first interlock that objects says, or None when all allow it."""
    return next((refusal for check in INTERLOCKS if (refusal := check(situation)) is not None), None)
