"""One pure function per file: allowed (None) or refused, with invariant, value, limit and margin (S13)."""

from __future__ import annotations

from collections.abc import Callable

from dt.controller.interlocks import (
    autonomy,
    command_age,
    daily_dose,
    emergency_stop,
    heater_sensor,
    lock_out,
    mode,
    moisture_estimate,
    on_time,
    pause,
    supply,
    upper_moisture,
    vacation_share,
)
from dt.controller.situation import Situation
from dt.utils.dataclasses import Refusal

Interlock = Callable[[Situation], Refusal | None]

INTERLOCKS: tuple[Interlock, ...] = (
    emergency_stop.check,
    command_age.check,
    lock_out.check,
    mode.check,
    autonomy.check,
    on_time.check,
    pause.check,
    daily_dose.check,
    vacation_share.check,
    moisture_estimate.check,
    upper_moisture.check,
    heater_sensor.check,
    supply.check,
)
_ONLY_AT_A_START: tuple[Interlock, ...] = (on_time.check, pause.check)


def first_refusal(situation: Situation) -> Refusal | None:
    """Return what the first interlock that objects says, or None when all allow it."""
    return next(iter(refusals(situation)), None)


def refusals(situation: Situation) -> list[Refusal]:
    """Return what every interlock that objects says."""
    return [refusal for check in INTERLOCKS if (refusal := check(situation)) is not None]


def refusal_of_level(situation: Situation) -> Refusal | None:
    """Return what objects to another level of an output that is on: all but what concerns its start."""
    checks = (check for check in INTERLOCKS if check not in _ONLY_AT_A_START)
    return next((refusal for check in checks if (refusal := check(situation)) is not None), None)
