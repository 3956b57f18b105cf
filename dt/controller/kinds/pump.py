"""A pump: doses in ml become seconds by its calibrated flow; it is primed and calibrated by commands like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from dt.controller.guard_types import FLOW_FACTOR, OutputConfig
from dt.controller.kinds.base_actuator import BaseActuator
from dt.utils.dataclasses import ActionCommand, Command
from dt.utils.exceptions import MessageError
from dt.utils.ids import new_correlation_id

PRIME_S = 5.0
CALIBRATE_S = 10.0
_LONGEST_PRIMING_S = 30.0


class Pump(BaseActuator):
    """Waters one plant; `flow_ml_s` is measured (catch what it gives in 10 s and divide by ten).

    `priming_s` is how long it runs before water comes out of an empty hose: every dose runs longer by it, and is
    charged as if all of it were water.
    """

    kind: ClassVar[str] = "pump"
    commands: ClassVar[frozenset[Command]] = frozenset({Command.DOSE, Command.ON, Command.OFF})
    option_names: ClassVar[frozenset[str]] = BaseActuator.option_names | {
        "flow_ml_s", "reservoir", "reservoir_ml", "max_ml_per_day", "priming_s",
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
        self.flow_ml_s = flow_ml_s
        self.priming_s = self.number("priming_s", 0.0, 0.0, _LONGEST_PRIMING_S)
        output = replace(super().make_output(), flow_ml_s=flow_ml_s, reservoir=self.reservoir)
        if self.priming_s >= output.max_on_s > 0:
            raise self._wrong("priming_s", f"must be less than max_on_s, {output.max_on_s:g}, not {self.priming_s:g}")
        return output

    @property
    def reservoir(self) -> str | None:
        """Return the name of the can that it draws from; None when the rig names neither can nor content."""
        if not {"reservoir", "reservoir_ml"} & set(self.options):
            return None
        return str(self.options.get("reservoir", self.descriptor.actuator_id))

    @property
    def largest_dose_ml(self) -> float:
        """Return what it may give at once."""
        return self.flow_ml_s * (self.output.max_on_s - self.priming_s)

    def on_seconds(self, command: ActionCommand) -> float:
        """Return the seconds of a dose, or of the duration that is asked for."""
        if command.command is Command.DOSE and command.dose_ml is not None:
            return command.dose_ml / self.flow_ml_s + self.priming_s
        return super().on_seconds(command)

    def delivered_ml(self, on_s: float) -> float | None:
        """Return the water of that many seconds, those of priming left out."""
        return max(0.0, on_s - self.priming_s) * self.flow_ml_s

    def charged_ml(self, on_s: float) -> float | None:
        """Return what the guard charges for that many seconds: by the larger of the rig's flow and the measured one."""
        return on_s * max(self.flow_ml_s, self.output.flow_ml_s)

    def see(self, state: Mapping[str, Any]) -> None:
        """Take the flow that a person measured from the guard's state."""
        self.flow_ml_s = float(state.get("flow_ml_s", self.flow_ml_s))

    def describe(self) -> dict[str, Any]:
        """Return what a person sees of it, with flow and largest dose."""
        seen = super().describe()
        seen["limits"] |= {"largest_dose_ml": self.largest_dose_ml, "flow_ml_s": self.flow_ml_s}
        return seen | {"reservoir": self.reservoir, "priming_s": self.priming_s}


def prime_command(pump: Pump, by: str, now: float) -> ActionCommand:
    """Return the command that fills an empty hose; its water is charged like any other."""
    return _run_command(pump, by, now, max(PRIME_S, pump.priming_s), "prime: fill the hose")


def calibrate_command(pump: Pump, by: str, now: float) -> ActionCommand:
    """Return the command whose water a person catches in a jug; `measured_flow` takes what was in it."""
    return _run_command(pump, by, now, CALIBRATE_S + pump.priming_s, "calibrate: catch the water in a jug")


def measured_flow(pump: Pump, ml: float, on_s: float) -> float:
    """Return the flow (ml/s) of a pump that gave so many ml in a run of so many seconds; raises MessageError."""
    if not on_s > pump.priming_s:
        raise MessageError("on_s", f"must be more than the {pump.priming_s:g} s of priming, not {on_s:g}")
    flow_ml_s = ml / (on_s - pump.priming_s)
    low, high = pump.output.flow_ml_s / FLOW_FACTOR, pump.output.flow_ml_s * FLOW_FACTOR
    if not low <= flow_ml_s <= high:
        why = f"{ml:g} ml in {on_s:g} s are {flow_ml_s:g} ml/s; {pump.actuator_id} gives from {low:g} to {high:g} ml/s"
        raise MessageError("ml", f"{why}: measure again, or correct its flow_ml_s in the rig")
    return flow_ml_s


def _run_command(pump: Pump, by: str, now: float, on_s: float, reason: str) -> ActionCommand:
    return ActionCommand(
        action_id=new_correlation_id(now),
        actuator_id=pump.actuator_id,
        plant_id=pump.descriptor.plant_id,
        command=Command.ON,
        duration_s=min(on_s, pump.output.max_on_s),
        issuer=by,
        reason=reason,
        timestamp=now,
        correlation_id=new_correlation_id(now),
    )
