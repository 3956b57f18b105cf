"""What every actuator has: its place in the rig, its limits, and how a command becomes seconds of being on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dt.controller.guard_types import DEFAULT_MAX_ON_S, DEFAULT_PAUSE_S, WATER, GuardConfigError, OutputConfig
from dt.utils.dataclasses import ActionCommand, Command
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.rig import ActuatorDescriptor, pin_number


class BaseActuator:
    """One output of the rig; its safe state is off.

    A kind that names no `output_class` is held to the limits of water, the narrowest. One with the option `pwm_hz`
    takes levels where the rig gives it a frequency, and is switched where that is 0.
    """

    kind: ClassVar[str]
    commands: ClassVar[frozenset[Command]] = frozenset({Command.ON, Command.OFF})
    option_names: ClassVar[frozenset[str]] = frozenset({"max_on_s", "pause_s", "load_w", "supply"})
    waters: ClassVar[bool] = False
    output_class: ClassVar[str] = WATER
    usual_max_on_s: ClassVar[float] = DEFAULT_MAX_ON_S
    usual_pause_s: ClassVar[float] = DEFAULT_PAUSE_S
    usual_pwm_hz: ClassVar[float] = 0.0

    def __init__(self, descriptor: ActuatorDescriptor) -> None:
        self.descriptor = descriptor
        unknown = set(descriptor.options) - self.option_names
        if unknown:
            known = ", ".join(sorted(self.option_names))
            raise self._wrong(min(unknown), f"no option of a {self.kind}; there are {known}")
        try:
            self.output = self.make_output()
        except GuardConfigError as error:
            raise ConfigError(f"actuator {descriptor.actuator_id}: {error}") from error

    @property
    def actuator_id(self) -> str:
        """Return the name that commands use."""
        return self.descriptor.actuator_id

    def make_output(self) -> OutputConfig:
        """Return the guard's row of this actuator."""
        return OutputConfig(
            actuator_id=self.descriptor.actuator_id,
            pin=pin_number(self.descriptor.pin),
            active_high=self.descriptor.active_high,
            plant_id=self.descriptor.plant_id,
            max_on_s=self.number("max_on_s", self.usual_max_on_s),
            pause_s=self.number("pause_s", self.usual_pause_s),
            output_class=self.output_class,
            pwm_hz=self.number("pwm_hz", self.usual_pwm_hz),
            supply=self._supply(),
            load_w=self.number("load_w", self.usual_load_w()),
        )

    def usual_load_w(self) -> float:
        """Return what it draws at full level when the rig says no `load_w`: what its `power_w` says, if it has one."""
        return self.number("power_w", 0.0)

    @property
    def takes(self) -> frozenset[Command]:
        """Return the commands that it takes; levels only where the rig gives it a `pwm_hz`."""
        return self.commands | {Command.LEVEL} if self.output.pwm_hz > 0 else self.commands

    def on_seconds(self, command: ActionCommand) -> float:
        """Return how long a command wants the output on; raises MessageError that names the field.

        A level without a duration lasts as long as the output may be on.
        """
        if command.command not in self.takes:
            can = ", ".join(sorted(self.takes))
            raise MessageError("command", f"a {self.kind} cannot {command.command}; {self.actuator_id} takes {can}")
        if command.command is Command.LEVEL and command.duration_s is None:
            return self.output.max_on_s
        return command.duration_s or 0.0

    def level_of(self, command: ActionCommand) -> float:
        """Return the level that a command wants, 0 to 1; all but `level` want it full."""
        return command.level if command.command is Command.LEVEL and command.level is not None else 1.0

    def delivered_ml(self, on_s: float) -> float | None:
        """Return the water that so many seconds bring, or None for what brings none."""
        del on_s
        return None

    def charged_ml(self, on_s: float) -> float | None:
        """Return what so many seconds cost of a plant's day, or None for what brings no water."""
        return self.delivered_ml(on_s)

    def see(self, state: Mapping[str, Any]) -> None:
        """Take from the guard's state of it (`outputs` of its status) what changes at run time; for most, nothing."""

    def describe(self) -> dict[str, Any]:
        """Return what a person sees of it."""
        return {
            "actuator_id": self.actuator_id,
            "kind": self.kind,
            "name": self.descriptor.name,
            "zone_id": self.descriptor.zone_id,
            "plant_id": self.descriptor.plant_id,
            "pin": self.descriptor.pin,
            "commands": sorted(self.takes),
            "limits": {"max_on_s": self.output.max_on_s, "pause_s": self.output.pause_s},
            "supply": self.output.supply,
            "load_w": self.output.load_w,
        }

    def number(self, name: str, default: float, low: float | None = None, high: float | None = None) -> float:
        """Return a number of the rig entry; raises ConfigError for anything else, or beyond its limits."""
        value = self.options.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, f"must be a number, not {value!r}")
        if low is not None and high is not None and not low <= value <= high:
            raise self._wrong(name, f"must be from {low:g} to {high:g}, not {value:g}")
        return float(value)

    @property
    def options(self) -> Mapping[str, Any]:
        """Return what the rig says of this kind."""
        return self.descriptor.options

    def _supply(self) -> str | None:
        name = self.options.get("supply")
        if name is not None and not isinstance(name, str):
            raise self._wrong("supply", f"must be the name of a [supplies.…] table, not {name!r}")
        return name

    def _wrong(self, name: str, why: str) -> ConfigError:
        return ConfigError(f"actuator {self.descriptor.actuator_id}: {name}: {why}")
