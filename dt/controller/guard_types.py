"""What the guard is asked, what it answers, and its limits; standard library only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

# Ceilings that no setting passes.
LEASE_CEILING_S = 0.5
DOSE_CEILING_ML_PER_LITRE = 500.0
FLOW_FLOOR_ML_S = 0.01  # the smallest peristaltic pumps; less is a wrong unit, and would never use a budget up
FLOW_FACTOR = 3.0  # a calibrated flow lies within it of the rig's: more is a wrong jug or a wrong pump
RESERVOIR_CEILING_ML = 1_000_000.0
LOAD_CEILING_W = 10_000.0
PWM_LEAST_HZ, PWM_MOST_HZ = 0.1, 10_000.0  # tx_pwm of lgpio, on which gpiozero stands on a Pi

DEFAULT_MAX_ON_S = 30.0
DEFAULT_PAUSE_S = 600.0
DEFAULT_LEASE_S = 0.5
DEFAULT_DOSE_ML_PER_LITRE = 200.0
COMMAND_LIFE_S = 30.0
BUDGET_WINDOW_S = 86_400.0
MAX_NOTE_CHARS = 16_384
WATER = "water"


class GuardConfigError(ValueError):
    """The guard's configuration is wrong; the text names the field."""


class GuardUnreachableError(Exception):
    """No guard answers, or it stopped answering in the middle."""


class GuardClock(Protocol):
    """Where the guard gets its time from."""

    def wall(self) -> float:
        """Return UTC epoch seconds; may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only go forward, counted by the machine since it started."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """What no setting of an output's class passes: seconds on at a time, seconds of pause, seconds on in 24 h."""

    max_on_s: float
    pause_floor_s: float = 0.0
    on_s_per_day: float = BUDGET_WINDOW_S


CLASSES: Mapping[str, Ceilings] = {
    WATER: Ceilings(max_on_s=120.0, pause_floor_s=60.0),
    "heater": Ceilings(max_on_s=1800.0),
    "light": Ceilings(max_on_s=64_800.0, on_s_per_day=64_800.0),
    "fan": Ceilings(max_on_s=86_400.0),
    "relay": Ceilings(max_on_s=86_400.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A refusal: the invariant, the value, its limit and what was missing (a negative margin)."""

    invariant: str
    why: str
    value: float | None = None
    limit: float | None = None
    margin: float | None = None


def denial(invariant: str, why: str, value: float | None = None, limit: float | None = None) -> Denial:
    """Return a refusal with its margin, limit - value.

    >>> denial("S1", "too long", 31.0, 30.0).margin
    -1.0
    """
    margin = None if value is None or limit is None else limit - value
    return Denial(invariant=invariant, why=why, value=value, limit=limit, margin=margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Switch one output on for `on_s` seconds, at a level from 0 to 1 (full).

    `issued_at_s` and `start_by_s` are monotonic; `note` comes back with the end.
    """

    action_id: str
    actuator_id: str
    on_s: float
    issued_at_s: float
    start_by_s: float
    note: str = ""
    level: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of an output ended; `on_s` is measured, and None where nobody could measure it."""

    action_id: str
    actuator_id: str
    outcome: str
    why: str
    on_s: float | None
    clean: bool
    was_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of an order: accepted, denied, or known already (`entry` is then the ledger's)."""

    accepted: bool
    denial: Denial | None = None
    entry: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """One output: its pin (BCM number), limits in seconds, what feeds it, where its water comes from and goes to.

    `pwm_hz` 0 means switched; without a `supply` it shares the one that nobody named, whose limit is not known. Without
    an `output_class` it is held to the limits of water, the narrowest.
    """

    actuator_id: str
    pin: int
    active_high: bool = True
    plant_id: str | None = None
    reservoir: str | None = None
    flow_ml_s: float = 0.0
    max_on_s: float = DEFAULT_MAX_ON_S
    pause_s: float = DEFAULT_PAUSE_S
    output_class: str = WATER
    pwm_hz: float = 0.0
    supply: str | None = None
    load_w: float = 0.0
    max_on_s_per_day: float | None = None

    def __post_init__(self) -> None:
        where = f"outputs.{self.actuator_id}"
        if self.output_class not in CLASSES:
            msg = f"{where}.output_class: {self.output_class!r} is none of {', '.join(CLASSES)}"
            raise GuardConfigError(msg)
        ceilings = CLASSES[self.output_class]
        _within(f"{where}.max_on_s", self.max_on_s, 0.0, ceilings.max_on_s)
        _within(f"{where}.pause_s", self.pause_s, ceilings.pause_floor_s, BUDGET_WINDOW_S)
        _within(f"{where}.max_on_s_per_day", self.on_s_per_day, 0.0, ceilings.on_s_per_day)
        _within(f"{where}.load_w", self.load_w, 0.0, LOAD_CEILING_W)
        _within(f"{where}.pin", self.pin, 0, 53)
        if self.pwm_hz != 0:
            _within(f"{where}.pwm_hz", self.pwm_hz, PWM_LEAST_HZ, PWM_MOST_HZ)
        if self.flow_ml_s != 0:
            _within(f"{where}.flow_ml_s", self.flow_ml_s, FLOW_FLOOR_ML_S, 1000.0)
        self._check_water(where)

    def _check_water(self, where: str) -> None:
        if self.moves_water and self.pwm_hz != 0:
            msg = f"{where}.pwm_hz: what moves water is switched: a pump at half speed gives no known amount"
            raise GuardConfigError(msg)
        if self.flow_ml_s > 0 and not self.moves_water:
            msg = f"{where}.flow_ml_s: a {self.output_class} moves no water"
            raise GuardConfigError(msg)
        if self.flow_ml_s > 0 and self.plant_id is None:
            msg = f"{where}.plant_id: a pump needs the plant that it waters"
            raise GuardConfigError(msg)

    @property
    def moves_water(self) -> bool:
        """Return whether it is held to what holds for pumps."""
        return self.output_class == WATER

    @property
    def on_s_per_day(self) -> float:
        """Return the most seconds on of any rolling 24 h."""
        ceiling_s = CLASSES[self.output_class].on_s_per_day
        return ceiling_s if self.max_on_s_per_day is None else self.max_on_s_per_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A heater that must be off while a fan is at a level of `above` or more, and the other way round."""

    heater: str
    fan: str
    above: float

    def __post_init__(self) -> None:
        _within("exclusions.above", self.above, 0.01, 1.0)
        if self.heater == self.fan:
            msg = f"exclusions.fan: {self.fan} cannot exclude itself"
            raise GuardConfigError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopInput:
    """The pin (BCM number) of an emergency-stop button to ground, pulled up.

    A normally closed one opens when it is pressed, and so does a wire that breaks.
    """

    pin: int
    normally_closed: bool = True

    def __post_init__(self) -> None:
        _within("stop_input.pin", self.pin, 0, 53)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a plant may get in any rolling 24 h, in ml, and its pot in litres."""

    ml_per_day: float
    pot_volume_l: float

    def __post_init__(self) -> None:
        _within("budgets.pot_volume_l", self.pot_volume_l, 0.0, 1000.0)
        _within("budgets.ml_per_day", self.ml_per_day, 0.0, DOSE_CEILING_ML_PER_LITRE * self.pot_volume_l)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfig:
    """Everything that the guard is told at its start; checked against the ceilings."""

    outputs: tuple[OutputConfig, ...]
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    reservoirs: Mapping[str, float] = field(default_factory=dict)
    ledger_path: str = "ledger.sqlite"
    lease_s: float = DEFAULT_LEASE_S
    supplies: Mapping[str, float] = field(default_factory=dict)
    exclusions: tuple[Exclusion, ...] = ()
    stop_input: StopInput | None = None

    def __post_init__(self) -> None:
        _within("lease_s", self.lease_s, 0.0, LEASE_CEILING_S)
        _unique("outputs.actuator_id", [output.actuator_id for output in self.outputs])
        buttons = [] if self.stop_input is None else [str(self.stop_input.pin)]
        _unique("outputs.pin", [*(str(output.pin) for output in self.outputs), *buttons])
        for name, ml in self.reservoirs.items():
            _within(f"reservoirs.{name}", ml, 0.0, RESERVOIR_CEILING_ML)
        for name, watts in self.supplies.items():
            _within(f"supplies.{name}", watts, 0.0, LOAD_CEILING_W)
        for output in self.outputs:
            self._check_references(output)
            self._check_supply(output)
        for name in (one for exclusion in self.exclusions for one in (exclusion.heater, exclusion.fan)):
            if self.output(name) is None:
                msg = f"exclusions: there is no output {name}"
                raise GuardConfigError(msg)

    def _check_references(self, output: OutputConfig) -> None:
        if output.flow_ml_s > 0 and output.plant_id not in self.budgets:
            msg = f"budgets: {output.plant_id} is watered by {output.actuator_id} and has no budget"
            raise GuardConfigError(msg)
        if output.reservoir is not None and output.reservoir not in self.reservoirs:
            msg = f"reservoirs: {output.reservoir} feeds {output.actuator_id} and is not declared"
            raise GuardConfigError(msg)

    def _check_supply(self, output: OutputConfig) -> None:
        if output.supply is None:
            return
        if output.supply not in self.supplies:
            msg = f"supplies: {output.supply} powers {output.actuator_id} and is not declared"
            raise GuardConfigError(msg)
        limit_w = self.supplies[output.supply]
        _within(f"outputs.{output.actuator_id}.load_w (of supply {output.supply})", output.load_w, 0.0, limit_w)

    def output(self, actuator_id: str) -> OutputConfig | None:
        """Return one output's row, or None when there is no such output."""
        return next((output for output in self.outputs if output.actuator_id == actuator_id), None)

    def to_json(self) -> str:
        """Return the configuration as the text of its file."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> GuardConfig:
        """Read the text of a configuration file; raises GuardConfigError."""
        try:
            raw = json.loads(text)
            return cls(
                outputs=tuple(OutputConfig(**row) for row in raw["outputs"]),
                budgets={plant_id: Budget(**row) for plant_id, row in raw.get("budgets", {}).items()},
                reservoirs={name: float(ml) for name, ml in raw.get("reservoirs", {}).items()},
                ledger_path=raw["ledger_path"],
                lease_s=float(raw.get("lease_s", DEFAULT_LEASE_S)),
                supplies={name: float(watts) for name, watts in raw.get("supplies", {}).items()},
                exclusions=tuple(Exclusion(**row) for row in raw.get("exclusions", ())),
                stop_input=StopInput(**raw["stop_input"]) if raw.get("stop_input") else None,
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            msg = f"the guard's configuration cannot be read: {error!r}"
            raise GuardConfigError(msg) from error


def why_malformed(order: Order) -> str | None:
    """Return what is wrong with an order as such; JSON of a socket may hold any type, and NaN."""
    if not isinstance(order.action_id, str) or not order.action_id or not isinstance(order.actuator_id, str):
        return "an order needs an action_id and an actuator_id"
    if not isinstance(order.note, str) or len(order.note) > MAX_NOTE_CHARS:
        return "an order has a note of at most 16 KiB"
    for name in ("on_s", "issued_at_s", "start_by_s", "level"):
        value = getattr(order, name)
        if not is_number(value):
            return f"an order's {name} is a finite number, not {str(value)[:40]}"
    return None


def is_number(value: object) -> bool:
    """Return whether a value of JSON is a finite number.

    >>> is_number(1), is_number(True), is_number(float("nan")), is_number("1")
    (True, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        msg = f"{name}: must be from {low:g} to {high:g}, not {value:g}"
        raise GuardConfigError(msg)


def _unique(name: str, values: list[str]) -> None:
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        msg = f"{name}: {', '.join(sorted(twice))} stands twice"
        raise GuardConfigError(msg)
