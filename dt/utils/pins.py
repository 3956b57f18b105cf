"""Pins of the header: how they are written, who uses which, and that none has two uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import MessageError

BUS_PINS = (2, 3)  # SDA and SCL of the header's I2C bus
_LAST_PIN = 27
# What pin libraries take for a pin beside our own names; a pin that is spelled so would escape the comparison.
_LOOKS_LIKE_A_PIN = re.compile(r"\s*(?:GPIO|D|BCM|BOARD|WPI|J8:)?\s*\d+\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PinUse:
    """Who uses a pin, by which field of its row; sensors of one chip are one user, and their uses are equal."""

    pin: int
    field: str
    user: str


def pin_number(pin: str) -> int:
    """Return the BCM number of `GPIO17` or `D17`; raises MessageError (field `pin`).

    >>> pin_number("GPIO17")
    17
    """
    match = re.fullmatch(r"(?:GPIO|D)([0-9]{1,2})", pin)
    if match is None or not 0 <= int(match[1]) <= _LAST_PIN:
        raise MessageError("pin", f"must be GPIO0 to GPIO{_LAST_PIN}, not {pin!r}")
    return int(match[1])


def sensor_pins(sensor: SensorDescriptor) -> list[PinUse]:
    """Return the pins that a sensor's row takes: its own, and those of its options."""
    own = [] if sensor.pin is None else _named("pin", sensor.pin, sensor.kind)
    return own + option_pins(sensor.options, f"{sensor.kind} on {sensor.pin}")


def bus_pins(sensors: Iterable[SensorDescriptor]) -> list[PinUse]:
    """Return the pins of the I2C bus when a sensor has an address on it."""
    is_used = any(sensor.address is not None for sensor in sensors)
    return [PinUse(pin, "address", "the I2C bus") for pin in BUS_PINS] if is_used else []


def option_pins(options: Mapping[str, Any], user: str) -> list[PinUse]:
    """Return the pins that options name: those whose key ends with `_pin`."""
    named = {name: value for name, value in options.items() if name.endswith("_pin")}
    return [use for name, value in named.items() for use in _named(name, value, f"{name} of {user}")]


def refuse_second_use(known: dict[int, PinUse], uses: Iterable[PinUse]) -> None:
    """Add uses to the known ones; raises MessageError for a pin that another user has.

    >>> refuse_second_use({17: PinUse(17, "pin", "actuator pump")}, [PinUse(17, "power_pin", "dht22 on GPIO4")])
    Traceback (most recent call last):
    dt.utils.exceptions.MessageError: power_pin: GPIO17 is wanted by dht22 on GPIO4, and belongs to actuator pump
    """
    for use in uses:
        owner = known.setdefault(use.pin, use)
        if owner != use:
            raise MessageError(use.field, f"GPIO{use.pin} is wanted by {use.user}, and belongs to {owner.user}")


def _named(field: str, value: object, user: str) -> list[PinUse]:
    """Return the use of a pin by its name or number; nothing for what is no pin of the header, such as a camera."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"GPIO{value}"
    if not isinstance(value, str) or not _LOOKS_LIKE_A_PIN.fullmatch(value):
        return []
    try:
        return [PinUse(pin_number(value), field, user)]
    except MessageError as error:
        raise MessageError(field, error.why) from error
