"""A lamp: dimmed by PWM, or switched; its day has so many seconds of light."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from dt.controller.guard_types import CLASSES, OutputConfig
from dt.controller.kinds.base_actuator import BaseActuator

_MOST_ON_S = CLASSES["light"].max_on_s
_A_DAY_S = CLASSES["light"].on_s_per_day


class Light(BaseActuator):
    """On for at most `max_on_s_per_day` of any 24 h (18 h): plants need a night."""

    kind: ClassVar[str] = "light"
    output_class: ClassVar[str] = "light"
    option_names: ClassVar[frozenset[str]] = BaseActuator.option_names | {
        "pwm_hz", "max_on_s_per_day", "lux", "power_w",
    }  # fmt: skip
    usual_max_on_s: ClassVar[float] = _MOST_ON_S
    usual_pause_s: ClassVar[float] = 0.0

    def make_output(self) -> OutputConfig:
        """Return the guard's row, with the seconds of light of a day; `lux` is for the simulator."""
        self.number("lux", 0.0, 0.0, 200_000.0)
        day_s = self.number("max_on_s_per_day", _A_DAY_S)
        return replace(super().make_output(), max_on_s_per_day=day_s)

    def describe(self) -> dict[str, Any]:
        """Return what a person sees of it, with its day's limit and its PWM's frequency."""
        seen = super().describe()
        seen["limits"] |= {"max_on_s_per_day": self.output.on_s_per_day}
        return seen | {"pwm_hz": self.output.pwm_hz}
