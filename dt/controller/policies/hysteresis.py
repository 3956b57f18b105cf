"""Two thresholds with a deadband between them: water by moisture, heat and air by temperature, humidity or VPD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dt.controller.policies.base_policy import BasePolicy, PolicyView, Wish
from dt.controller.policies.parameters import choice, number, require_below_high
from dt.utils.dataclasses import PlantLimits
from dt.utils.exceptions import MessageError
from dt.utils.quantities import QUANTITIES, Quantity

# The narrowest bands that the probes' own noise does not cross: half a percent of water, half a degree, 2 %RH, 0.1 kPa.
DEADBANDS = {
    Quantity.SOIL_MOISTURE: 0.01,
    Quantity.TEMPERATURE: 0.5,
    Quantity.HUMIDITY: 2.0,
    Quantity.VPD: 0.1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HysteresisParameters:
    """On at one value, off at the other."""

    quantity: str = choice("soil_moisture", tuple(str(one) for one in DEADBANDS), "What is watched.")
    on_at: float = number(0.25, -40.0, 100.0, "", "Where it begins: below this when it is the lower one, else above.")
    off_at: float = number(0.35, -40.0, 100.0, "", "Where it ends.")
    level: float = number(1.0, 0.05, 1.0, "", "How strongly, of fans, lamps and heaters.")
    dose_ml: float = number(50.0, 1.0, 2000.0, "ml", "How much a pump gives at once.")


class Hysteresis(BasePolicy):
    """Begins beyond `on_at`, goes on until `off_at`."""

    name: ClassVar[str] = "hysteresis"
    words: ClassVar[str] = "Switches on at one value and off at another."
    kinds: ClassVar[frozenset[str]] = frozenset({"pump", "heater", "fan", "light", "relay"})
    parameters_type = HysteresisParameters

    def __init__(self, parameters: HysteresisParameters) -> None:
        self._is = parameters
        self._quantity = Quantity(parameters.quantity)

    def check(self) -> None:
        """Refuse a band narrower than noise."""
        least, unit = DEADBANDS[self._quantity], QUANTITIES[self._quantity].unit
        if abs(self._is.on_at - self._is.off_at) < least - 1e-9:
            raise MessageError(
                "parameters.off_at", f"must be at least {least:g} {unit} from on_at ({self._is.on_at:g})"
            )
        low, high = QUANTITIES[self._quantity].low, QUANTITIES[self._quantity].high
        for name in ("on_at", "off_at"):
            value = getattr(self._is, name)
            if not low <= value <= high:
                raise MessageError(f"parameters.{name}", f"must be from {low:g} to {high:g} {unit}, not {value:g}")

    def check_use(self, kind: str, limits: PlantLimits | None) -> None:
        """Refuse a pump that waters what is wet already; by warmth or VPD it may begin above, as misting does."""
        if kind != "pump" or self._quantity not in (Quantity.SOIL_MOISTURE, Quantity.HUMIDITY):
            return
        if self._is.on_at >= self._is.off_at:
            raise MessageError(
                "parameters.on_at",
                f"must be below off_at ({self._is.off_at:g}) for a pump, which makes wetter, not {self._is.on_at:g}",
            )
        if self._quantity is Quantity.SOIL_MOISTURE and limits is not None:
            require_below_high("parameters.off_at", self._is.off_at, limits)

    def decide(self, view: PolicyView) -> Wish | None:
        """Return level or dose while it is on."""
        value = view.fresh(self._quantity)
        if value is None:
            return None
        is_on = self._is_on(value, was_on=bool(view.memory.get("on")))
        memory = {"on": float(is_on)}
        reason = f"{self._quantity} is {value:.4g}; on at {self._is.on_at:g}, off at {self._is.off_at:g}"
        if view.kind != "pump":
            return Wish(level=self._is.level if is_on else 0.0, reason=reason, memory=memory)
        dose_ml = self._is.dose_ml if is_on and not view.is_settling else None
        return Wish(dose_ml=dose_ml, reason=reason, memory=memory)

    def _is_on(self, value: float, *, was_on: bool) -> bool:
        sign = 1.0 if self._is.on_at < self._is.off_at else -1.0
        edge = self._is.off_at if was_on else self._is.on_at
        return sign * value < sign * edge
