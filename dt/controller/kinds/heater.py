"""A heater: switched, or its power set by a slow PWM; off above its cut-off, whoever wants it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from dt.controller.guard_types import CLASSES, OutputConfig
from dt.controller.kinds.base_actuator import BaseActuator

USUAL_CUT_OFF_DEGC = 35.0
CUT_OFF_CEILING_DEGC = 45.0
_LEAST_CUT_OFF_DEGC = 5.0
_PAUSE_S = 60.0  # of a switched one: relays and bimetals wear with every switch


class Heater(BaseActuator):
    """Warms a zone for at most half an hour at a time, and never above `cut_off_degc` (S8)."""

    kind: ClassVar[str] = "heater"
    output_class: ClassVar[str] = "heater"
    option_names: ClassVar[frozenset[str]] = BaseActuator.option_names | {"pwm_hz", "cut_off_degc", "power_w"}
    usual_max_on_s: ClassVar[float] = CLASSES["heater"].max_on_s
    usual_pause_s: ClassVar[float] = 0.0

    def make_output(self) -> OutputConfig:
        """Return the guard's row, once the cut-off is known to be one."""
        self.cut_off_degc = self.number("cut_off_degc", USUAL_CUT_OFF_DEGC, _LEAST_CUT_OFF_DEGC, CUT_OFF_CEILING_DEGC)
        output = super().make_output()
        return replace(output, pause_s=self.number("pause_s", _PAUSE_S if output.pwm_hz == 0 else 0.0))

    def describe(self) -> dict[str, Any]:
        """Return what a person sees of it, with its cut-off and its PWM's frequency."""
        seen = super().describe()
        seen["limits"] |= {"cut_off_degc": self.cut_off_degc}
        return seen | {"pwm_hz": self.output.pwm_hz}
