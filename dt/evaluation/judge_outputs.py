"""What the judge knows of one output: the limits that the rig gives it, and when its pin was on."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from dt.controller.guard_types import BUDGET_WINDOW_S, DEFAULT_DOSE_ML_PER_LITRE, DEFAULT_MAX_ON_S, DEFAULT_PAUSE_S
from dt.utils.rig import ActuatorDescriptor, Rig

_DAY_S = BUDGET_WINDOW_S


@dataclass(slots=True, kw_only=True)
class Output:
    """One output; times are true ones, amounts what its seconds mean by the rig's flow."""

    actuator_id: str
    kind: str
    plant_id: str | None
    zone_id: str
    max_on_s: float
    pause_s: float
    flow_ml_s: float
    reservoir: str | None
    supply: str
    on_since_s: float | None = None
    off_since_s: float | None = None
    runs: deque[tuple[float, float]] = field(default_factory=deque)  # (end, seconds on) of the last day

    @property
    def is_pump(self) -> bool:
        """Return whether it moves water."""
        return self.flow_ml_s > 0.0

    def end(self, now_s: float) -> float:
        """Take note that it went off; return how long it was on."""
        on_s = now_s - (now_s if self.on_since_s is None else self.on_since_s)
        self.on_since_s, self.off_since_s = None, now_s
        self.runs.append((now_s, on_s))
        return on_s

    def seconds_of_a_day(self, now_s: float) -> float:
        """Return how long it was on in the 24 h before."""
        while self.runs and self.runs[0][0] <= now_s - _DAY_S:
            self.runs.popleft()
        return sum(on_s for _end, on_s in self.runs)


def outputs_of(rig: Rig) -> dict[str, Output]:
    """Return every output as the rig declares it; limits that it does not name are those of the safety case."""
    return {actuator.actuator_id: _output(actuator) for actuator in rig.actuators}


def budgets_of(rig: Rig) -> dict[str, float]:
    """Return what each plant may get in any 24 h (ml): the least that its pumps say, else 200 ml per litre of pot."""
    budgets: dict[str, float] = {}
    for actuator in rig.actuators:
        plant = rig.plants.get(actuator.plant_id or "")
        if plant is None or actuator.kind != "pump":
            continue
        usual_ml = DEFAULT_DOSE_ML_PER_LITRE * plant.pot_volume_l
        own_ml = _number(actuator.options, "max_ml_per_day", usual_ml)
        budgets[plant.plant_id] = min(own_ml, budgets.get(plant.plant_id, own_ml))
    return budgets


def _output(actuator: ActuatorDescriptor) -> Output:
    options = actuator.options
    has_can = bool({"reservoir", "reservoir_ml"} & set(options))
    return Output(
        actuator_id=actuator.actuator_id,
        kind=actuator.kind,
        plant_id=actuator.plant_id,
        zone_id=actuator.zone_id,
        max_on_s=_number(options, "max_on_s", DEFAULT_MAX_ON_S),
        pause_s=_number(options, "pause_s", DEFAULT_PAUSE_S),
        flow_ml_s=_number(options, "flow_ml_s", 0.0) if actuator.kind == "pump" else 0.0,
        reservoir=str(options.get("reservoir", actuator.actuator_id)) if has_can else None,
        supply=str(options.get("supply", "")),
    )


def _number(options: Mapping[str, object], name: str, default: float) -> float:
    value = options.get(name, default)
    return float(value) if isinstance(value, int | float) else default
