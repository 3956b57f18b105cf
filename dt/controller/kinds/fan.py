"""A fan: its speed is the duty of its PWM."""

from __future__ import annotations

from typing import Any, ClassVar

from dt.controller.guard_types import OutputConfig
from dt.controller.kinds.base_actuator import BaseActuator


class Fan(BaseActuator):
    """Moves air at a level from 0 to 1; with `pwm_hz = 0` it is switched."""

    kind: ClassVar[str] = "fan"
    output_class: ClassVar[str] = "fan"
    option_names: ClassVar[frozenset[str]] = BaseActuator.option_names | {"pwm_hz", "exchange_per_h"}
    usual_max_on_s: ClassVar[float] = 86_400.0
    usual_pause_s: ClassVar[float] = 0.0
    usual_pwm_hz: ClassVar[float] = 100.0  # slow enough for a MOSFET board; four-wire fans want 25 kHz, more than lgpio

    def make_output(self) -> OutputConfig:
        """Return the guard's row; `exchange_per_h`, how often it changes the zone's air, is the simulator's."""
        self.number("exchange_per_h", 0.0, 0.0, 2000.0)
        return super().make_output()

    def describe(self) -> dict[str, Any]:
        """Return what a person sees of it, with its PWM's frequency."""
        return super().describe() | {"pwm_hz": self.output.pwm_hz}
