"""What a rig's sensors must be, beyond what every rig must: kinds that can read them, at places that they can have."""

from __future__ import annotations

from collections.abc import Collection

from dt.collector.camera_spec import camera_spec
from dt.collector.kinds import KINDS, check_options, check_place, find_kind
from dt.plant.calibration import require_calibration
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.pins import pin_number, sensor_pins
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig, actuator_pins


def check_kinds(rig: Rig) -> None:
    """Raise `ConfigError`, with file and line, for a sensor that no kind can read, or that another row reads."""
    readers: dict[tuple[str, Quantity], str] = {}
    for descriptor in rig.sensors:
        try:
            _check(descriptor)
            _refuse_second_reader(readers, descriptor)
        except ConfigError as error:
            msg = f"{rig.place_of(descriptor.sensor_id)}: {error}"
            raise ConfigError(msg) from error


def guarded_pins(rig: Rig) -> frozenset[int]:
    """Return the pins of a rig's actuators: the guard alone drives them."""
    return frozenset(use.pin for actuator in rig.actuators for use in actuator_pins(actuator))


def refuse_guarded_pins(rig: Rig, guarded: Collection[int]) -> None:
    """Raise `ConfigError` for a sensor on a pin that was an actuator's: a running guard drives it until it restarts."""
    for sensor in rig.sensors:
        for use in sensor_pins(sensor):
            if use.pin in guarded:
                msg = (
                    f"{rig.place_of(sensor.sensor_id)}: {use.field}: GPIO{use.pin} was an actuator's when this "
                    "collector started; restart controller and collector to give it to a sensor"
                )
                raise ConfigError(msg)


def _check(descriptor: SensorDescriptor) -> None:
    find_kind(descriptor)
    check_place(descriptor)
    check_options(descriptor)
    try:
        require_calibration(descriptor)
    except MessageError as error:
        raise ConfigError(f"sensor {descriptor.sensor_id}: {error}") from error


def _refuse_second_reader(readers: dict[tuple[str, Quantity], str], descriptor: SensorDescriptor) -> None:
    """Refuse a second row for one quantity of one chip; a kind of another package knows alone what its chips share."""
    chip = _chip(descriptor)
    if chip is None:
        return
    first = readers.setdefault((chip, descriptor.data_type), descriptor.sensor_id)
    if first != descriptor.sensor_id:
        field = "pin" if descriptor.address is None else "address"
        msg = f"sensor {descriptor.sensor_id}: {field}: {first} reads the {descriptor.data_type} of {chip} already"
        raise ConfigError(msg)


def _chip(descriptor: SensorDescriptor) -> str | None:
    """Return the name of the chip that a row of our own kinds reads; None where it has no place on this machine."""
    if (descriptor.kind, descriptor.data_type) not in KINDS:
        return None
    if descriptor.address is not None:
        return f"{descriptor.address:#04x}"
    if descriptor.pin is None:
        return None
    if descriptor.data_type is Quantity.CAMERA_IMAGE:
        spec = camera_spec(descriptor.pin, descriptor.options)
        return spec.device or f"camera{spec.number}"
    return f"GPIO{pin_number(descriptor.pin)}"
