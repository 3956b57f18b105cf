"""What the guard is asked, what it answers, and its limits; standard library only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

# Ceilings that no setting passes.
MAX_ON_CEILING_S = 120.0
PAUSE_FLOOR_S = 60.0
LEASE_CEILING_S = 0.5
DOSE_CEILING_ML_PER_LITRE = 500.0
FLOW_FLOOR_ML_S = 0.01  # the smallest peristaltic pumps; less is a wrong unit, and would never use a budget up
RESERVOIR_CEILING_ML = 1_000_000.0

DEFAULT_MAX_ON_S = 30.0
DEFAULT_PAUSE_S = 600.0
DEFAULT_LEASE_S = 0.5
DEFAULT_DOSE_ML_PER_LITRE = 200.0
COMMAND_LIFE_S = 30.0
BUDGET_WINDOW_S = 86_400.0
MAX_NOTE_CHARS = 16_384


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
class Denial:
    """A refusal: the invariant, the value, its limit and what was missing (a negative margin)."""

    invariant: str
    why: str
    value: float | None = None
    limit: float | None = None
    margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Switch one output on for `on_s` seconds.

    `issued_at_s` and `start_by_s` are monotonic; `note` comes back with the end.
    """

    action_id: str
    actuator_id: str
    on_s: float
    issued_at_s: float
    start_by_s: float
    note: str = ""


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
    """One output: its pin (BCM number), limits in seconds, and where its water comes from and goes to."""

    actuator_id: str
    pin: int
    active_high: bool = True
    plant_id: str | None = None
    reservoir: str | None = None
    flow_ml_s: float = 0.0
    max_on_s: float = DEFAULT_MAX_ON_S
    pause_s: float = DEFAULT_PAUSE_S

    def __post_init__(self) -> None:
        where = f"outputs.{self.actuator_id}"
        _within(f"{where}.max_on_s", self.max_on_s, 0.0, MAX_ON_CEILING_S)
        _within(f"{where}.pause_s", self.pause_s, PAUSE_FLOOR_S, BUDGET_WINDOW_S)
        if self.flow_ml_s != 0:
            _within(f"{where}.flow_ml_s", self.flow_ml_s, FLOW_FLOOR_ML_S, 1000.0)
        _within(f"{where}.pin", self.pin, 0, 53)
        if self.flow_ml_s > 0 and self.plant_id is None:
            msg = f"{where}.plant_id: a pump needs the plant that it waters"
            raise GuardConfigError(msg)


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

    def __post_init__(self) -> None:
        _within("lease_s", self.lease_s, 0.0, LEASE_CEILING_S)
        _unique("outputs.actuator_id", [output.actuator_id for output in self.outputs])
        _unique("outputs.pin", [str(output.pin) for output in self.outputs])
        for name, ml in self.reservoirs.items():
            _within(f"reservoirs.{name}", ml, 0.0, RESERVOIR_CEILING_ML)
        for output in self.outputs:
            self._check_references(output)

    def _check_references(self, output: OutputConfig) -> None:
        if output.flow_ml_s > 0 and output.plant_id not in self.budgets:
            msg = f"budgets: {output.plant_id} is watered by {output.actuator_id} and has no budget"
            raise GuardConfigError(msg)
        if output.reservoir is not None and output.reservoir not in self.reservoirs:
            msg = f"reservoirs: {output.reservoir} feeds {output.actuator_id} and is not declared"
            raise GuardConfigError(msg)

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
    for name in ("on_s", "issued_at_s", "start_by_s"):
        value = getattr(order, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"an order's {name} is a finite number, not {str(value)[:40]}"
    return None


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        msg = f"{name}: must be from {low:g} to {high:g}, not {value:g}"
        raise GuardConfigError(msg)


def _unique(name: str, values: list[str]) -> None:
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        msg = f"{name}: {', '.join(sorted(twice))} stands twice"
        raise GuardConfigError(msg)
