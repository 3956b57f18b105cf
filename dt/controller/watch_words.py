"""Conditions of the watches, in one form; and those of lock-outs, said again while they last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dt.controller.condition_desk import ConditionDesk
from dt.controller.effect_causes import UNASKED_ADVICE, Cause
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.locks import LockOut, Locks
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, Severity
from dt.utils.ids import derived_id
from dt.utils.rig import ActuatorDescriptor

_AGAIN_AFTER_S = 300.0  # what lasts is said again, should a word have been lost
_EXCESS_LASTS_S = 3600.0  # what went on since, the water watch would tell


def condition(
    descriptor: ActuatorDescriptor,
    key: str,
    now: float,
    *,
    severity: Severity,
    is_on: bool,
    description: str,
    advice: str,
    caused_by: str = "",
) -> AlertCondition:
    """Return a condition about an actuator's plant, or else its zone."""
    return AlertCondition(
        key=key,
        plant_id=descriptor.plant_id,
        zone_id=descriptor.zone_id,
        severity=severity,
        description=description,
        advice=advice if is_on else "",
        active=is_on,
        timestamp=now,
        correlation_id=derived_id(key, now, at=now),
        caused_by=(caused_by,) if caused_by else (),
    )


class LockWords:
    """Says every lock-out, again every five minutes while it lasts, and that it is over."""

    def __init__(self, actuators: Mapping[str, BaseActuator], locks: Locks, desk: ConditionDesk, clock: Clock) -> None:
        self._actuators = actuators
        self._locks = locks
        self._desk = desk
        self._clock = clock
        self._said_s: dict[str, float] = {}

    def step(self) -> None:
        """Say what is due."""
        now_s = self._clock.monotonic()
        held = {one.actuator_id: one for one in self._locks.all() if one.actuator_id in self._actuators}
        for name, lock in held.items():
            if now_s - self._said_s.get(name, float("-inf")) >= _AGAIN_AFTER_S:
                self._said_s[name] = now_s
                self._desk.say(self._words(name, lock))
        for name in self._said_s.keys() - held.keys():
            del self._said_s[name]
            self._desk.say(self._words(name, None))

    def _words(self, name: str, lock: LockOut | None) -> AlertCondition:
        return condition(
            self._actuators[name].descriptor, f"locked_out:{name}", self._clock.wall(),
            severity=Severity.CRITICAL,
            is_on=lock is not None,
            description=f"{name} is no longer locked out." if lock is None else f"{name} is locked out: {lock.why}.",
            advice="" if lock is None else lock.advice,
        )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class _Excess:
    descriptor: ActuatorDescriptor
    description: str
    ends_s: float
    next_s: float


class ExcessWords:
    """Says for an hour that a dose did more than it explains, and then that it is over."""

    def __init__(self, desk: ConditionDesk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._on: dict[str, _Excess] = {}

    def begin(self, descriptor: ActuatorDescriptor, delivered_ml: float, rise: float) -> None:
        """Begin to say it of a pump."""
        now_s, name = self._clock.monotonic(), descriptor.actuator_id
        rose = f"the soil moisture rose by {rise:.3f} m3/m3"
        words = f"{name} gave {delivered_ml:.0f} ml, and {rose}: more than that explains."
        ends_s = now_s + _EXCESS_LASTS_S
        self._on[name] = _Excess(descriptor=descriptor, description=words, ends_s=ends_s, next_s=now_s)

    def step(self) -> None:
        """Say what is due."""
        now_s = self._clock.monotonic()
        for name, one in list(self._on.items()):
            if now_s >= one.ends_s:
                del self._on[name]
                self._say(one, is_on=False)
            elif now_s >= one.next_s:
                one.next_s = now_s + _AGAIN_AFTER_S
                self._say(one, is_on=True)

    def _say(self, one: _Excess, *, is_on: bool) -> None:
        name = one.descriptor.actuator_id
        self._desk.say(
            condition(
                one.descriptor, f"dose_excess:{name}", self._clock.wall(), severity=Severity.WARNING, is_on=is_on,
                description=one.description if is_on else f"The excess after a dose of {name} is an hour ago.",
                advice=UNASKED_ADVICE,
            )
        )  # fmt: skip


class WeakWords:
    """Says that a dose did much less than usual, until one does what it should, or a person has looked."""

    def __init__(self, desk: ConditionDesk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._on: dict[str, AlertCondition] = {}
        self._next_s = float("-inf")

    def is_on(self, actuator_id: str) -> bool:
        """Return whether the last dose of a pump was weak."""
        return actuator_id in self._on

    def begin(self, descriptor: ActuatorDescriptor, why: str, causes: Sequence[Cause]) -> None:
        """Begin to say it of a pump."""
        name = descriptor.actuator_id
        words = f"A dose of {name} did less than usual: {why}: {', or '.join(cause.words for cause in causes)}."
        self._on[name] = condition(
            descriptor, f"dose_weak:{name}", self._clock.wall(), severity=Severity.WARNING, is_on=True,
            description=words, advice=" ".join(cause.advice for cause in causes),
        )  # fmt: skip
        self._next_s = float("-inf")

    def end(self, actuator_id: str) -> None:
        """Say that it is over, if it was said."""
        said = self._on.pop(actuator_id, None)
        if said is not None:
            words = f"Doses of {actuator_id} are no longer weaker than usual."
            over = replace(said, active=False, description=words, advice="", timestamp=self._clock.wall())
            self._desk.say(over)

    def step(self) -> None:
        """Say again what lasts."""
        now_s = self._clock.monotonic()
        if self._on and now_s >= self._next_s:
            self._next_s = now_s + _AGAIN_AFTER_S
            for said in self._on.values():
                self._desk.say(replace(said, timestamp=self._clock.wall()))
