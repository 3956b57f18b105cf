"""Everything that the interlocks look at, as plain values of one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dt.controller.guard_types import GuardConfig
from dt.controller.issuers import is_machine
from dt.controller.locks import LockOut
from dt.controller.modes import Mode, ModeNow
from dt.utils.dataclasses import ActionCommand, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class MoistureEstimate:
    """What the last readings say of a pot: median and half range in m3/m3, age of the newest good one in seconds.

    `good` counts the good ones since the actuator last ran.
    """

    median: float | None
    spread: float
    age_s: float
    good: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatSense:
    """What a heater is held by: its air in degC (None: no good reading), the age in seconds, and its cut-off."""

    temperature: float | None
    age_s: float
    is_faulty: bool
    cut_off_degc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the guard's rules of supplies look at (S6): its configuration, the level that is wished, those of all."""

    config: GuardConfig
    level: float
    levels: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A command and the world that it meets; amounts in ml, times in seconds, moisture in m3/m3.

    `is_from_outside` says that it came by bus or REST, not from a policy of ours. `share_ml` is what the plant may get
    in 24 h while a vacation lasts, `on_left_s` what is left of an output's day.
    """

    command: ActionCommand
    age_s: float
    on_s: float
    dose_ml: float | None
    max_on_s: float
    pause_s: float
    pause_left_s: float
    is_on: bool
    stopped_by: str | None
    is_granted: bool
    spent_ml: float
    budget_ml: float | None
    reservoir_left_ml: float | None
    moisture: MoistureEstimate
    moisture_high: float | None
    mode: ModeNow = field(default_factory=lambda: ModeNow(mode=Mode.RECOMMEND))
    lock: LockOut | None = None
    heat: HeatSense | None = None
    share_ml: float | None = None
    on_left_s: float | None = None
    load: Load | None = None
    is_from_outside: bool = False

    @property
    def is_automatic(self) -> bool:
        """Return whether a machine asks, not a person."""
        return is_machine(self.command.issuer)

    @property
    def waters(self) -> bool:
        """Return whether the command moves water."""
        return self.dose_ml is not None


def at_most(invariant: str, value: float, limit: float, why: str) -> Refusal | None:
    """Return None while value <= limit, else the refusal with its (negative) margin."""
    if value <= limit:
        return None
    return Refusal(invariant=invariant, value=round(value, 4), limit=limit, margin=round(limit - value, 4), why=why)


def at_least(invariant: str, value: float, limit: float, why: str) -> Refusal | None:
    """Return None while value >= limit, else the refusal with its (negative) margin."""
    if value >= limit:
        return None
    return Refusal(invariant=invariant, value=round(value, 4), limit=limit, margin=round(value - limit, 4), why=why)
