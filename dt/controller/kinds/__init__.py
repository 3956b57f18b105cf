"""One file per kind of actuator; kinds of other packages are found by the entry points `dt.actuators`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from dt.controller.kinds.base_actuator import BaseActuator
from dt.utils.exceptions import ConfigError
from dt.utils.rig import ActuatorDescriptor, Rig

KINDS: Mapping[str, str] = {
    "pump": "dt.controller.kinds.pump:Pump",
    "relay": "dt.controller.kinds.relay:Relay",
    "fan": "dt.controller.kinds.fan:Fan",
    "light": "dt.controller.kinds.light:Light",
    "heater": "dt.controller.kinds.heater:Heater",
}
ENTRY_POINTS = "dt.actuators"


def make_actuator(descriptor: ActuatorDescriptor) -> BaseActuator:
    """Return the actuator that a rig entry declares; raises ConfigError that names the entry and the field."""
    return _kind(descriptor)(descriptor)


def make_actuators(rig: Rig) -> dict[str, BaseActuator]:
    """Return every actuator of a rig by its id."""
    return {descriptor.actuator_id: make_actuator(descriptor) for descriptor in rig.actuators}


def _kind(descriptor: ActuatorDescriptor) -> type[BaseActuator]:
    place = KINDS.get(descriptor.kind)
    if place is not None:
        module, _, name = place.partition(":")
        made: type[BaseActuator] = getattr(import_module(module), name)
        return made
    others = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if descriptor.kind not in others:
        known = ", ".join(sorted({*KINDS, *others}))
        raise ConfigError(f"actuator {descriptor.actuator_id}: kind: {descriptor.kind!r} is none of {known}")
    loaded: type[BaseActuator] = others[descriptor.kind].load()
    return loaded
