"""A pump: doses in ml become seconds by its calibrated flow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from dt.controller.guard_types import OutputConfig
from dt.controller.kinds.base_actuator import BaseActuator
from dt.utils.dataclasses import ActionCommand, Command


class Pump(BaseActuator):
    """Waters one plant; `flow_ml_s` is measured (catch what it gives in 10 s and divide by ten)."""

    kind: ClassVar[str] = "pump"
    commands: ClassVar[frozenset[Command]] = frozenset({Command.DOSE, Command.ON, Command.OFF})
    option_names: ClassVar[frozenset[str]] = BaseActuator.option_names | {
        "flow_ml_s", "reservoir", "reservoir_ml", "max_ml_per_day",
    }  # fmt: skip
    waters: ClassVar[bool] = True

    def make_output(self) -> OutputConfig:
        """Return the guard's row, with plant, flow and reservoir."""
        if self.descriptor.plant_id is None:
            raise self._wrong("plant", "a pump needs the plant that it waters")
        if "flow_ml_s" not in self.options:
            raise self._wrong("flow_ml_s", "is missing; catch what the pump gives in 10 s and divide by ten")
        flow_ml_s = self.number("flow_ml_s", 0.0)
        if flow_ml_s <= 0:
            raise self._wrong("flow_ml_s", f"must be more than 0, not {flow_ml_s:g}")
        return replace(super().make_output(), flow_ml_s=flow_ml_s, reservoir=self.reservoir)

    @property
    def reservoir(self) -> str | None:
        """Return the name of the can that it draws from; None when the rig names neither can nor content."""
        if not {"reservoir", "reservoir_ml"} & set(self.options):
            return None
        return str(self.options.get("reservoir", self.descriptor.actuator_id))

    @property
    def largest_dose_ml(self) -> float:
        """Return what it may give at once."""
        return self.output.flow_ml_s * self.output.max_on_s

    def on_seconds(self, command: ActionCommand) -> float:
        """Return the seconds of a dose, or of the duration that is asked for."""
        if command.command is Command.DOSE and command.dose_ml is not None:
            return command.dose_ml / self.output.flow_ml_s
        return super().on_seconds(command)

    def delivered_ml(self, on_s: float) -> float | None:
        """Return the water of that many seconds."""
        return on_s * self.output.flow_ml_s

    def describe(self) -> dict[str, Any]:
        """Return what a person sees of it, with flow and largest dose."""
        seen = super().describe()
        seen["limits"] |= {"largest_dose_ml": self.largest_dose_ml, "flow_ml_s": self.output.flow_ml_s}
        return seen | {"reservoir": self.reservoir}
