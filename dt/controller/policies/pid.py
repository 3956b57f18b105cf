"""PID for fans and heaters: anti-windup, bumpless, derivative on the measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dt.controller.policies.base_policy import BasePolicy, PolicyView, Wish
from dt.controller.policies.parameters import choice, number
from dt.utils.exceptions import MessageError
from dt.utils.quantities import QUANTITIES, Quantity

_LONGEST_STEP_S = 60.0  # after a longer silence the integral has nothing to say of the time in between
_QUANTITIES = (Quantity.TEMPERATURE, Quantity.HUMIDITY, Quantity.VPD)


@dataclass(frozen=True, slots=True, kw_only=True)
class PidParameters:
    """Gains per unit of the quantity; an output from 0 to 1."""

    quantity: str = choice("temperature", tuple(str(one) for one in _QUANTITIES), "What is held.")
    setpoint: float = number(22.0, -40.0, 100.0, "", "The value to hold.")
    effect: str = choice("auto", ("auto", "raises", "lowers"), "What the output does; auto: heaters raise, fans lower.")
    kp: float = number(0.2, 0.0, 10.0, "per unit", "Proportional gain.")
    ki: float = number(0.0002, 0.0, 1.0, "per unit and s", "Integral gain.")
    kd: float = number(0.0, 0.0, 600.0, "s per unit", "Derivative gain, on the measured value.")
    least: float = number(0.1, 0.0, 0.9, "", "Below this the output is off: fans do not turn slower.")
    most: float = number(1.0, 0.05, 1.0, "", "The highest level.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PidStep:
    """What one step gives: the output within its limits, and the integral to go on with."""

    output: float
    integral: float


def pid_step(
    *, error: float, slope: float, integral: float, seconds: float, gains: tuple[float, float, float], most: float
) -> PidStep:
    """Return one step of a PID with clamping anti-windup (Astrom & Hagglund 1995, Advanced PID control, 3.5).

    The integral grows only while the output is within its limits, or where it leads back into them.

    >>> pid_step(error=2.0, slope=0.0, integral=0.0, seconds=1.0, gains=(0.25, 0.0, 0.0), most=1.0).output
    0.5
    >>> stuck = pid_step(error=10.0, slope=0.0, integral=0.4, seconds=10.0, gains=(0.25, 0.01, 0.0), most=1.0)
    >>> stuck.output, stuck.integral
    (1.0, 0.4)
    """
    kp, ki, kd = gains
    grown = integral + ki * error * seconds
    wanted = kp * error + grown - kd * slope
    if (wanted > most and error > 0) or (wanted < 0.0 and error < 0):
        grown = integral
        wanted = kp * error + grown - kd * slope
    return PidStep(output=min(most, max(0.0, wanted)), integral=min(most, max(-most, grown)))


class Pid(BasePolicy):
    """Holds a quantity at its setpoint."""

    name: ClassVar[str] = "pid"
    words: ClassVar[str] = "Holds temperature, humidity or VPD at a value."
    kinds: ClassVar[frozenset[str]] = frozenset({"fan", "heater"})
    parameters_type = PidParameters

    def __init__(self, parameters: PidParameters) -> None:
        self._is = parameters
        self._quantity = Quantity(parameters.quantity)

    def check(self) -> None:
        """Refuse a setpoint that cannot be, and limits in the wrong order."""
        spec = QUANTITIES[self._quantity]
        if not spec.low <= self._is.setpoint <= spec.high:
            raise MessageError(
                "parameters.setpoint",
                f"must be from {spec.low:g} to {spec.high:g} {spec.unit}, not {self._is.setpoint:g}",
            )
        if self._is.least >= self._is.most:
            raise MessageError("parameters.least", f"must be below most ({self._is.most:g}), not {self._is.least:g}")

    def decide(self, view: PolicyView) -> Wish | None:
        """Return the level; None without a fresh reading, and then the output goes off."""
        value = view.fresh(self._quantity)
        if value is None:
            return None
        sign = self._sign(view.kind)
        error = sign * (self._is.setpoint - value)
        seconds, slope = _since_last(view, value)
        step = pid_step(
            error=error, slope=sign * slope, integral=self._integral(view, error), seconds=seconds,
            gains=(self._is.kp, self._is.ki, self._is.kd), most=self._is.most,
        )  # fmt: skip
        level = step.output if step.output >= self._is.least else 0.0
        reason = f"{self._quantity} is {value:.4g}, to be held at {self._is.setpoint:g}"
        memory = {"integral": step.integral, "value": value, "at_s": view.now_s}
        return Wish(level=round(level, 3), reason=reason, memory=memory)

    def _sign(self, kind: str) -> float:
        if self._is.effect == "auto":
            return 1.0 if kind == "heater" else -1.0
        return 1.0 if self._is.effect == "raises" else -1.0

    def _integral(self, view: PolicyView, error: float) -> float:
        """Return the integral so far; at the first step the one that leaves the output where it is (bumpless)."""
        if "integral" in view.memory:
            return view.memory["integral"]
        return view.level - self._is.kp * error if view.level > 0 else 0.0


def _since_last(view: PolicyView, value: float) -> tuple[float, float]:
    """Return the seconds since the last step and the slope of the measured value per second."""
    at_s = view.memory.get("at_s")
    if at_s is None:
        return 0.0, 0.0
    seconds = view.now_s - at_s
    if not 0.0 < seconds <= _LONGEST_STEP_S:
        return 0.0, 0.0
    return seconds, (value - view.memory["value"]) / seconds
