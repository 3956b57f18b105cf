"""`rig.toml`: the zones, plants, sensors and actuators that are there, each entry checked with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dt.utils.codec import Message
from dt.utils.dataclasses import Plant, SensorDescriptor, require_interval
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.ids import require_name
from dt.utils.pins import PinUse, bus_pins, option_pins, pin_number, refuse_second_use, sensor_pins
from dt.utils.rig_safety import (
    EmergencyStop,
    Exclusion,
    Supply,
    emergency_stop_of,
    exclusion_of,
    require_supply,
    supply_of,
)
from dt.utils.text_file import text_of

__all__ = ["ActuatorDescriptor", "Rig", "Zone", "actuator_pins", "load_rig", "parse_rig", "pin_number"]

_Entry = TypeVar("_Entry")
# What every sensor has; further keys of its row are options that its kind defines.
_SHORTEST_EVERY_S = 0.1  # a look at a slow bus takes some of it
_SENSOR_KEYS = frozenset(
    {"id", "kind", "quantity", "zone", "plant", "pin", "address", "every_s", "name", "calibration"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone(Message):
    """A box, shelf or room whose air and light its plants share; latitude and longitude in degrees."""

    zone_id: str
    name: str = ""
    timezone: str = "UTC"
    latitude: float = 52.0
    longitude: float = 0.0

    def ensure_consistent(self) -> None:
        """Refuse places off the globe and time zones that nobody knows."""
        for name, most in (("latitude", 90.0), ("longitude", 180.0)):
            if abs(getattr(self, name)) > most:
                raise MessageError(name, f"must be from {-most:g} to {most:g}, not {getattr(self, name):g}")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder such as Europe
            raise MessageError(
                "timezone", f"must be an IANA zone such as Europe/Rome, not {self.timezone!r}"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ActuatorDescriptor(Message):
    """An actuator as the rig declares it; `options` holds what its kind defines (flow_ml_s, max_on_s, ...)."""

    actuator_id: str
    kind: str
    zone_id: str
    pin: str
    plant_id: str | None = None
    name: str = ""
    active_high: bool = True
    options: dict[str, Any] = field(default_factory=dict)

    def ensure_consistent(self) -> None:
        """Refuse pins that no Raspberry Pi has."""
        pin_number(self.pin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Everything that one rig file declares."""

    path: Path
    zones: Mapping[str, Zone]
    plants: Mapping[str, Plant]
    sensors: tuple[SensorDescriptor, ...]
    actuators: tuple[ActuatorDescriptor, ...]
    sensor_lines: Mapping[str, int] = field(default_factory=dict)
    supplies: Mapping[str, Supply] = field(default_factory=dict)
    exclusions: tuple[Exclusion, ...] = ()
    emergency_stop: EmergencyStop | None = None

    def place_of(self, sensor_id: str) -> str:
        """Return file and line of a sensor's entry, for messages."""
        line = self.sensor_lines.get(sensor_id)
        return str(self.path) if line is None else f"{self.path}:{line}"


def actuator_pins(actuator: ActuatorDescriptor) -> list[PinUse]:
    """Return the pins that an actuator's row takes."""
    user = f"actuator {actuator.actuator_id}"
    return [PinUse(pin_number(actuator.pin), "pin", user), *option_pins(actuator.options, user)]


def load_rig(path: Path) -> Rig:
    """Read a rig file; raises ConfigError with the file, the line and the field."""
    return parse_rig(text_of(path, "RIG_FILE"), path)


def parse_rig(text: str, path: Path = Path("rig.toml")) -> Rig:
    """Read a rig from its text, as `load_rig` does."""
    try:
        data = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{path}: values stand too deep within each other") from error
    except ValueError as error:  # TOMLDecodeError is one, and so is a number of more than 4,300 digits
        raise ConfigError(f"{path}: {error}") from error
    reader = _Reader(path, text)
    zones = {
        zone.zone_id: zone
        for zone in reader.tables(data, "zones", lambda name, entry: Zone.from_dict({**entry, "zone_id": name}))
    }
    plants = {
        plant.plant_id: plant
        for plant in reader.tables(data, "plants", lambda name, entry: Plant.from_dict(_plant(name, entry, zones)))
    }
    sensors = reader.rows(data, "sensors", lambda entry: SensorDescriptor.from_dict(_sensor(entry, zones, plants)))
    supplies = {supply.name: supply for supply in reader.tables(data, "supplies", supply_of)}
    actuators = reader.rows(
        data, "actuators", lambda entry: ActuatorDescriptor.from_dict(_actuator(entry, zones, plants, supplies))
    )
    kinds = {actuator.actuator_id: actuator.kind for actuator in actuators}
    exclusions = reader.rows(data, "exclusions", lambda entry: exclusion_of(entry, kinds), is_named=False)
    button = reader.table(data, "emergency_stop", emergency_stop_of)
    reader.refuse_doubles("sensors", [sensor.sensor_id for sensor in sensors])
    reader.refuse_doubles("actuators", [actuator.actuator_id for actuator in actuators])
    known = {use.pin: use for use in bus_pins(sensors)}
    reader.refuse_shared_pins("actuators", known, actuators, actuator_pins)
    reader.refuse_shared_pins("sensors", known, sensors, sensor_pins)
    reader.refuse_shared_pin("emergency_stop", known, [] if button is None else button.pins())
    return Rig(
        path=path,
        zones=zones,
        plants=plants,
        sensors=tuple(sensors),
        actuators=tuple(actuators),
        sensor_lines=reader.lines_of("sensors", [sensor.sensor_id for sensor in sensors]),
        supplies=supplies,
        exclusions=tuple(exclusions),
        emergency_stop=button,
    )


class _Reader:
    """Makes entries, and says on which line a bad one begins."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def tables(
        self, data: Mapping[str, Any], section: str, make: Callable[[str, dict[str, Any]], _Entry]
    ) -> list[_Entry]:
        """Return the entries of `[section.name]` tables."""
        entries = data.get(section, {})
        if not isinstance(entries, dict):
            raise ConfigError(f"{self._path}: {section} must be tables such as [{section}.name]")
        return [
            self._made(lambda n=name, e=entry: make(n, _named(n, e)), self._table_line(section, name))  # type: ignore[misc]
            for name, entry in entries.items()
        ]

    def table(self, data: Mapping[str, Any], section: str, make: Callable[[dict[str, Any]], _Entry]) -> _Entry | None:
        """Return what the one table `[section]` makes, or None where the rig has none."""
        if section not in data:
            return None
        line = self._first(lambda text: text == f"[{section}]")
        return self._made(lambda: make(_unnamed(data[section])), line)

    def rows(
        self,
        data: Mapping[str, Any],
        section: str,
        make: Callable[[dict[str, Any]], _Entry],
        *,
        is_named: bool = True,
    ) -> list[_Entry]:
        """Return the entries of `[[section]]` rows, each with an id unless `is_named` is False."""
        entries = data.get(section, [])
        if not isinstance(entries, list):
            raise ConfigError(f"{self._path}: {section} must be rows, each under [[{section}]]")
        checked = _table if is_named else _unnamed
        return [
            self._made(lambda entry=entry: make(checked(entry)), self._row_line(section, index))  # type: ignore[misc]
            for index, entry in enumerate(entries)
        ]

    def refuse_doubles(self, section: str, names: list[str]) -> None:
        """Refuse the second entry of a name."""
        for index, name in enumerate(names):
            if name in names[:index]:
                line = self._row_line(section, index)
                raise ConfigError(f"{self._path}:{line}: id: {name!r} stands there twice")

    def refuse_shared_pins(
        self,
        section: str,
        known: dict[int, PinUse],
        rows: Iterable[_Entry],
        pins_of: Callable[[_Entry], list[PinUse]],
    ) -> None:
        """Refuse a row that wants a pin of another one: an output that two drive has no longest time (S1)."""
        for index, row in enumerate(rows):
            self._made(
                lambda row=row: refuse_second_use(known, pins_of(row)),  # type: ignore[misc]
                self._row_line(section, index),
            )

    def refuse_shared_pin(self, section: str, known: dict[int, PinUse], uses: list[PinUse]) -> None:
        """Refuse the pins of a table `[section]` that others have."""
        line = self._first(lambda text: text == f"[{section}]")
        self._made(lambda: refuse_second_use(known, uses), line)

    def lines_of(self, section: str, names: list[str]) -> dict[str, int]:
        """Return on which line each named row begins."""
        return {name: self._row_line(section, index) for index, name in enumerate(names)}

    def _made(self, make: Callable[[], _Entry], line: int) -> _Entry:
        try:
            return make()
        except MessageError as error:
            raise ConfigError(f"{self._path}:{line}: {error}") from error

    def _table_line(self, section: str, name: str) -> int:
        heads = (f"[{section}.{name}]", f'[{section}."{name}"]')
        return self._first(lambda line: line in heads)

    def _row_line(self, section: str, index: int) -> int:
        heads = [number for number, line in enumerate(self._lines, 1) if line.strip() == f"[[{section}]]"]
        return heads[index] if index < len(heads) else 1

    def _first(self, fits: Callable[[str], bool]) -> int:
        return next((number for number, line in enumerate(self._lines, 1) if fits(line.strip())), 1)


def _table(entry: object) -> dict[str, Any]:
    table = _unnamed(entry)
    require_name(table.get("id"))
    return table


def _unnamed(entry: object) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise MessageError("$", "must be a table")
    return entry


def _named(name: str, entry: object) -> dict[str, Any]:
    require_name(name, "name")
    return _table(entry)


def _plant(name: str, entry: dict[str, Any], zones: Mapping[str, Zone]) -> dict[str, Any]:
    return {**_renamed(entry, zone="zone_id"), "plant_id": name, "zone_id": _known("zone", entry.get("zone"), zones)}


def _sensor(entry: dict[str, Any], zones: Mapping[str, Zone], plants: Mapping[str, Plant]) -> dict[str, Any]:
    made = _renamed(
        {k: v for k, v in entry.items() if k in _SENSOR_KEYS},
        id="sensor_id", zone="zone_id", plant="plant_id", quantity="data_type", every_s="read_interval",
    )  # fmt: skip
    every_s = entry.get("every_s")
    if isinstance(every_s, int | float):
        require_interval("every_s", every_s, _SHORTEST_EVERY_S)
    options = {k: v for k, v in entry.items() if k not in _SENSOR_KEYS}
    return {**made, **_place(entry, zones, plants), "options": options}


def _actuator(
    entry: dict[str, Any], zones: Mapping[str, Zone], plants: Mapping[str, Plant], supplies: Mapping[str, Supply]
) -> dict[str, Any]:
    require_supply(entry, supplies)
    own = {"id", "kind", "zone", "plant", "pin", "name", "active_high"}
    made = _renamed({k: v for k, v in entry.items() if k in own}, id="actuator_id", zone="zone_id", plant="plant_id")
    return {**made, **_place(entry, zones, plants), "options": {k: v for k, v in entry.items() if k not in own}}


def _place(entry: dict[str, Any], zones: Mapping[str, Zone], plants: Mapping[str, Plant]) -> dict[str, Any]:
    """Return zone and plant of an entry; one that names a plant stands in the plant's zone."""
    if "plant" in entry:
        plant_id = _known("plant", entry["plant"], plants)
        return {"plant_id": plant_id, "zone_id": plants[plant_id].zone_id}
    return {"plant_id": None, "zone_id": _known("zone", entry.get("zone"), zones)}


def _renamed(entry: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in entry.items()}


def _known(what: str, name: object, there: Mapping[str, Any]) -> str:
    if name is None:
        raise MessageError(what, "is missing")
    if not isinstance(name, str) or name not in there:
        raise MessageError(what, f"{name!r} is not declared; there are: {_listed(there) or 'none'}")
    return name


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
