"""What a rig says beside its plants and parts: supplies, what excludes what, the emergency-stop button."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dt.utils.codec import Message
from dt.utils.exceptions import MessageError
from dt.utils.pins import PinUse, pin_number

_MOST_W = 10_000.0
_LEAST_ABOVE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply(Message):
    """A power supply, and what all on it may draw together, in watt."""

    name: str
    limit_w: float

    def ensure_consistent(self) -> None:
        """Refuse limits that no supply of a plant box has."""
        if not 0.0 < self.limit_w <= _MOST_W:
            raise MessageError("limit_w", f"must be more than 0 and at most {_MOST_W:g} W, not {self.limit_w:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion(Message):
    """A heater and a fan of which one is off while the other works: the fan at a level of `above` or more."""

    heater: str
    fan: str
    above: float = 1.0

    def ensure_consistent(self) -> None:
        """Refuse a level that is none."""
        if not _LEAST_ABOVE <= self.above <= 1.0:
            raise MessageError("above", f"must be from {_LEAST_ABOVE:g} to 1, not {self.above:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyStop(Message):
    """A button from a pin to ground; a normally closed one opens when it is pressed, and when its wire breaks."""

    pin: str
    normally_closed: bool = True

    def ensure_consistent(self) -> None:
        """Refuse pins that no Raspberry Pi has."""
        pin_number(self.pin)

    def pins(self) -> list[PinUse]:
        """Return the pin that it takes."""
        return [PinUse(pin_number(self.pin), "pin", "the emergency stop")]


def supply_of(name: str, entry: dict[str, Any]) -> Supply:
    """Return the supply of a `[supplies.name]` table."""
    _require_known(entry, {"limit_w"})
    return Supply.from_dict({**entry, "name": name})


def exclusion_of(entry: dict[str, Any], actuators: Mapping[str, str]) -> Exclusion:
    """Return the exclusion of an `[[exclusions]]` row; `actuators` has the kind of each by its id."""
    _require_known(entry, {"heater", "fan", "above"})
    exclusion = Exclusion.from_dict(entry)
    for field in ("heater", "fan"):
        name = getattr(exclusion, field)
        if name not in actuators:
            there = ", ".join(sorted(actuators)) or "none"
            raise MessageError(field, f"there is no actuator {name!r}; there are: {there}")
        if actuators[name] in {"heater", "fan"} - {field}:
            raise MessageError(field, f"{name} is a {actuators[name]}, not a {field}")
    return exclusion


def emergency_stop_of(entry: dict[str, Any]) -> EmergencyStop:
    """Return the button of the `[emergency_stop]` table."""
    _require_known(entry, {"pin", "normally_closed"})
    if not isinstance(entry.get("normally_closed", True), bool):
        raise MessageError("normally_closed", f"must be true or false, not {entry['normally_closed']!r}")
    if not isinstance(entry.get("pin", ""), str):
        raise MessageError("pin", f'must be a name such as "GPIO5", not {entry["pin"]!r}')
    return EmergencyStop.from_dict(entry)


def require_supply(options: Mapping[str, Any], supplies: Collection[str]) -> None:
    """Refuse an actuator's supply that is not declared; raises MessageError."""
    name = options.get("supply")
    if name is not None and name not in supplies:
        there = ", ".join(sorted(supplies)) or "none"
        raise MessageError("supply", f"{name!r} is not declared; there are: {there}")


def _require_known(entry: Mapping[str, Any], known: set[str]) -> None:
    for name in entry:
        if name not in known:
            raise MessageError(name, f"is unknown here; there are: {', '.join(sorted(known))}")
