"""What the judge knows of one output: the limits that the rig gives it, and when its pin was on."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from dt.utils.rig import ActuatorDescriptor, Rig

_DAY_S = 86_400.0
# Limits of the safety case: longest time on and shortest pause by kind, s; the day of a light; a pot's daily water.
_LIMITS: Mapping[str, tuple[float, float]] = {
    "pump": (30.0, 600.0),
    "heater": (1800.0, 60.0),
    "light": (64_800.0, 0.0),
    "fan": (86_400.0, 0.0),
    "relay": (3600.0, 10.0),
}
_LIGHT_OF_A_DAY_S = 64_800.0
_DOSE_ML_PER_LITRE = 200.0


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
    day_s: float = float("inf")  # how long it may be on in 24 h
    given_before_ml: float = 0.0  # by the box's truth, when it went on
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
        """Return how long it was on in the 24 h before; a run that began before them counts by what lies in them."""
        since_s = now_s - _DAY_S
        while self.runs and self.runs[0][0] <= since_s:
            self.runs.popleft()
        return sum(min(on_s, end_s - since_s) for end_s, on_s in self.runs)


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
        usual_ml = _DOSE_ML_PER_LITRE * plant.pot_volume_l
        own_ml = _number(actuator.options, "max_ml_per_day", usual_ml)
        budgets[plant.plant_id] = min(own_ml, budgets.get(plant.plant_id, own_ml))
    return budgets


def _output(actuator: ActuatorDescriptor) -> Output:
    options = actuator.options
    longest_s, pause_s = _LIMITS.get(actuator.kind, _LIMITS["relay"])
    has_can = bool({"reservoir", "reservoir_ml"} & set(options))
    return Output(
        actuator_id=actuator.actuator_id,
        kind=actuator.kind,
        plant_id=actuator.plant_id,
        zone_id=actuator.zone_id,
        max_on_s=_number(options, "max_on_s", longest_s),
        pause_s=_number(options, "pause_s", pause_s),
        flow_ml_s=_number(options, "flow_ml_s", 0.0) if actuator.kind == "pump" else 0.0,
        reservoir=str(options.get("reservoir", actuator.actuator_id)) if has_can else None,
        supply=str(options.get("supply", "")),
        day_s=_number(options, "max_on_s_per_day", _LIGHT_OF_A_DAY_S) if actuator.kind == "light" else float("inf"),
    )


def _number(options: Mapping[str, object], name: str, default: float) -> float:
    value = options.get(name, default)
    return float(value) if isinstance(value, int | float) else default
