"""What every actuator has: its place in the rig, its limits, and how a command becomes seconds of being on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dt.controller.guard_types import DEFAULT_MAX_ON_S, DEFAULT_PAUSE_S, GuardConfigError, OutputConfig
from dt.utils.dataclasses import ActionCommand, Command
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.rig import ActuatorDescriptor, pin_number


class BaseActuator:
    """One output of the rig; its safe state is off."""

    kind: ClassVar[str]
    commands: ClassVar[frozenset[Command]] = frozenset({Command.ON, Command.OFF})
    option_names: ClassVar[frozenset[str]] = frozenset({"max_on_s", "pause_s"})
    waters: ClassVar[bool] = False

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
            max_on_s=self.number("max_on_s", DEFAULT_MAX_ON_S),
            pause_s=self.number("pause_s", DEFAULT_PAUSE_S),
        )

    def on_seconds(self, command: ActionCommand) -> float:
        """Return how long a command wants the output on; raises MessageError that names the field."""
        if command.command not in self.commands:
            can = ", ".join(sorted(self.commands))
            raise MessageError("command", f"a {self.kind} cannot {command.command}; it takes {can}")
        return command.duration_s or 0.0

    def delivered_ml(self, on_s: float) -> float | None:
        """Return the water of that many seconds, or None for what gives none."""
        del on_s
        return None

    def describe(self) -> dict[str, Any]:
        """Return what a person sees of it."""
        return {
            "actuator_id": self.actuator_id,
            "kind": self.kind,
            "name": self.descriptor.name,
            "zone_id": self.descriptor.zone_id,
            "plant_id": self.descriptor.plant_id,
            "pin": self.descriptor.pin,
            "commands": sorted(self.commands),
            "limits": {"max_on_s": self.output.max_on_s, "pause_s": self.output.pause_s},
        }

    def number(self, name: str, default: float) -> float:
        """Return a number of the rig entry; raises ConfigError for anything else."""
        value = self.options.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, f"must be a number, not {value!r}")
        return float(value)

    @property
    def options(self) -> Mapping[str, Any]:
        """Return what the rig says of this kind."""
        return self.descriptor.options

    def _wrong(self, name: str, why: str) -> ConfigError:
        return ConfigError(f"actuator {self.descriptor.actuator_id}: {name}: {why}")
