"""Water for what the pot lacks: part of the deficit, wait until it has sunk in, look again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dt.controller.policies.base_policy import BasePolicy, PolicyView, Wish
from dt.controller.policies.parameters import number, require_below_high
from dt.utils.dataclasses import PlantLimits
from dt.utils.exceptions import MessageError

_ML_PER_L = 1000.0
_LEAST_BAND = 0.01  # m3/m3 between start and target
_DONE_WITHIN = 0.005  # m3/m3 of the target: about what a good capacitive probe resolves


@dataclass(frozen=True, slots=True, kw_only=True)
class SoilWaterDeficitParameters:
    """Thresholds in m3/m3; without a value they follow the plant's limits."""

    start: float | None = number(None, 0.01, 0.95, "m3/m3", "Begins below it; the plant's lower limit unless set.")
    target: float | None = number(None, 0.02, 0.95, "m3/m3", "Ends there; the plant's target unless set.")
    part: float = number(0.5, 0.05, 0.5, "", "How much of the deficit one dose is: the probe sees the top layer first.")
    largest_ml: float = number(500.0, 1.0, 5000.0, "ml", "The largest dose.")
    smallest_ml: float = number(5.0, 0.5, 200.0, "ml", "Less than this is not given.")


def dose_for(deficit: float, pot_volume_l: float, part: float) -> float:
    """Return the part of a deficit (m3/m3) of a pot in ml.

    >>> dose_for(0.10, 2.0, 0.5)
    100.0
    """
    return max(0.0, deficit) * pot_volume_l * _ML_PER_L * part


class SoilWaterDeficit(BasePolicy):
    """Doses by (target - estimate) x pot volume, at most half of it at a time."""

    name: ClassVar[str] = "soil_water_deficit"
    words: ClassVar[str] = "Waters by what the soil lacks: half of it, then waits until it has sunk in."
    kinds: ClassVar[frozenset[str]] = frozenset({"pump"})
    parameters_type = SoilWaterDeficitParameters

    def __init__(self, parameters: SoilWaterDeficitParameters) -> None:
        self._is = parameters

    def check(self) -> None:
        """Refuse a target that is not above the start."""
        if self._is.start is not None and self._is.target is not None and self._is.target < self._is.start + 0.01:
            raise MessageError("parameters.target", f"must be at least 0.01 m3/m3 above start ({self._is.start:g})")

    def check_use(self, kind: str, limits: PlantLimits | None) -> None:  # noqa: ARG002 - of all policies
        """Refuse a target above the plant's upper limit, and a start that is not below the target in force."""
        if limits is None or (self._is.start is None and self._is.target is None):
            return
        if self._is.target is not None:
            require_below_high("parameters.target", self._is.target, limits)
        start, target = self._band(limits, None)
        if target < start + _LEAST_BAND - 1e-9:
            name = "start" if self._is.start is not None else "target"
            other = f"below target ({target:g})" if name == "start" else f"above start ({start:g})"
            said = start if name == "start" else target
            raise MessageError(f"parameters.{name}", f"must be at least {_LEAST_BAND:g} m3/m3 {other}, not {said:g}")

    def decide(self, view: PolicyView) -> Wish | None:
        """Return a dose while the soil is below the target and a watering has begun."""
        value = None if view.moisture is None else view.moisture.median
        if value is None or view.limits is None:
            return None
        start, target = self._band(view.limits, view.floor)
        is_begun = value < (target - _DONE_WITHIN if view.memory.get("on") else start)
        dose_ml = self._dose_ml(target - value, view) if is_begun and not view.is_settling else 0.0
        reason = f"soil moisture is {value:.3f}, the target {target:.3f} m3/m3: {dose_ml:.0f} ml"
        is_enough = is_begun and not view.is_settling and dose_ml < self._is.smallest_ml
        memory = {"on": float(is_begun and not is_enough)}
        return Wish(dose_ml=dose_ml if dose_ml >= self._is.smallest_ml else None, reason=reason, memory=memory)

    def _band(self, limits: PlantLimits, floor: float | None) -> tuple[float, float]:
        """Return start and target; on a vacation the target comes down to the floor."""
        start = limits.soil_moisture_low if self._is.start is None else self._is.start
        target = limits.soil_moisture_target if self._is.target is None else self._is.target
        target = min(target, limits.soil_moisture_high)  # S5: no policy aims above the upper limit
        return (start, target) if floor is None else (min(start, floor), min(target, max(floor, start + 0.01)))

    def _dose_ml(self, deficit: float, view: PolicyView) -> float:
        return min(dose_for(deficit, view.pot_volume_l, self._is.part), self._is.largest_ml, view.largest_dose_ml)
