"""Outputs that are on although nobody wants them to be: what the pin itself says against what the guard holds it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dt.controller.kinds.base_actuator import BaseActuator
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, Severity
from dt.utils.ids import derived_id

LASTS_S = 2.0  # the guard reads its pins twice a second: a switch just made is no contradiction
_AGAIN_AFTER_S = 60.0  # what lasts is said again, should a word have been lost


@dataclass(slots=True)
class _Seen:
    """Of one output: since when it contradicts (monotonic), and what was said of it last, and when."""

    since_s: float | None = None
    told: bool | None = None
    told_s: float = 0.0


class OutputWatch:
    """Compares reported with desired states, by the monotonic clock; the first word ends what an earlier run said."""

    def __init__(self, actuators: Mapping[str, BaseActuator], clock: Clock) -> None:
        self._actuators = actuators
        self._clock = clock
        self._seen = {name: _Seen() for name in actuators}

    def look(self, status: Mapping[str, Any] | None) -> list[AlertCondition]:
        """Return what is to be said now; while the guard is away (None) nothing is known, and nothing said."""
        if status is None:
            return []
        now_s = self._clock.monotonic()
        due = {}
        for name in self._actuators.keys() & status["outputs"].keys() & status["reported"].keys():
            is_wrong = bool(status["reported"][name]) and not status["outputs"][name]["desired"]
            told = self._judge(self._seen[name], now_s, is_wrong=is_wrong)
            if told is not None:
                due[name] = told
        return [self._condition(name, is_on) for name, is_on in sorted(due.items())]

    def _judge(self, seen: _Seen, now_s: float, *, is_wrong: bool) -> bool | None:
        """Return what is to be said, or None."""
        if not is_wrong:
            seen.since_s = None
            is_on = False
        else:
            seen.since_s = now_s if seen.since_s is None else seen.since_s
            if now_s - seen.since_s < LASTS_S:
                return None
            is_on = True
        if seen.told is is_on and not (is_on and now_s - seen.told_s >= _AGAIN_AFTER_S):
            return None
        seen.told, seen.told_s = is_on, now_s
        return is_on

    def _condition(self, name: str, is_on: bool) -> AlertCondition:  # noqa: FBT001 - the condition's `active`
        descriptor = self._actuators[name].descriptor
        key, now = f"output_on:{name}", self._clock.wall()
        return AlertCondition(
            key=key,
            plant_id=descriptor.plant_id,
            zone_id=descriptor.zone_id,
            severity=Severity.CRITICAL,
            description=f"{name} is on, and should be off." if is_on else f"{name} is off, as it should be.",
            advice=f"Take {name} off its supply; then look for another program on its pin, or a short circuit."
            if is_on
            else "",
            active=is_on,
            timestamp=now,
            correlation_id=derived_id(key, now, at=now),
        )
