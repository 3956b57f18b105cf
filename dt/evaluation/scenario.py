"""Scenario files of `dt simulate`: what box, since when, what befalls it, what people do; each row with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from dt.controller.modes import Mode
from dt.simulator.replay import Replay, load_weather
from dt.simulator.scenario import Scenario, absolute
from dt.simulator.spec import OUTDOORS, WeatherSpec
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.text_file import text_of

DEFAULT_START_S = 1_811_808_000.0  # 2027-06-01
_WEATHERS: Mapping[str, WeatherSpec] = {"room": WeatherSpec(), "outdoors": OUTDOORS}
_ROWS = ("faults", "people", "grants")
_KEYS = frozenset({"name", "rig", "seed", "start", "weather", "reads_every_s", "air_every_s", *_ROWS})
_SHORTEST_S, _LONGEST_S = 1.0, 600.0
_LONGEST_AIR_S = 3600.0
# What people do, and the fields that each row needs beside `at`; those in brackets may be there.
DEEDS: Mapping[str, tuple[str, ...]] = {
    "dose": ("actuator", "ml"),
    "on": ("actuator", "seconds"),
    "off": ("actuator",),
    "level": ("actuator", "level", "[seconds]"),
    "stop": (),
    "release_stop": (),
    "refill": ("reservoir",),
    "pour": ("plant", "ml"),
    "grant": ("actuator", "[until]"),
    "withdraw": ("actuator",),
    "enable": ("plant",),
    "disable": ("plant",),
    "mode": ("actuator", "mode", "[until]"),
    "policy": ("actuator", "policy", "[parameters]"),
    "vacation": ("until",),
    "release": ("actuator",),
}
_MODES = frozenset(Mode)
_NUMBERS: Mapping[str, tuple[float, float]] = {"ml": (0.1, 5000.0), "seconds": (0.1, 86_400.0), "level": (0.0, 1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that a person does at an instant (true time)."""

    at_s: float
    does: str
    by: str = "person"
    fields: Mapping[str, Any]
    line: int = 1

    def text(self, name: str) -> str:
        """Return a field that is a name."""
        return str(self.fields[name])

    def number(self, name: str) -> float:
        """Return a field that is a number."""
        return float(self.fields[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class LockstepScenario:
    """A scenario file, checked; `rig` is relative to it, and None where the file names none."""

    path: Path
    name: str = ""
    rig: Path | None = None
    seed: int = 1
    start_s: float = DEFAULT_START_S
    weather: WeatherSpec | Replay = field(default_factory=WeatherSpec)
    reads_every_s: float = 300.0
    air_every_s: float = 300.0
    faults: Scenario = field(default_factory=Scenario)
    deeds: tuple[Deed, ...] = ()


def load_lockstep_scenario(path: Path) -> LockstepScenario:
    """Read a scenario file; raises ConfigError with the file, the line and the field."""
    return parse_lockstep_scenario(text_of(path, "--scenario"), path)


def parse_lockstep_scenario(text: str, path: Path = Path("scenario.toml")) -> LockstepScenario:
    """Read a scenario from its text, as `load_lockstep_scenario` does."""
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    return _Reader(path, text, data).read()


class _Reader:
    """Turns a file's table into a scenario, and says on which line a wrong row stands."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._data = data

    def read(self) -> LockstepScenario:
        """Return the scenario; raises ConfigError."""
        for key in self._data:
            if key not in _KEYS:
                raise self._wrong(key, f"is nothing that a scenario has; it has {', '.join(sorted(_KEYS))}")
        start_s = self._start_s()
        rows = {name: self._rows(name) for name in _ROWS}
        seed = self._data.get("seed", 1)
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise self._wrong("seed", f"must be a whole number, not {seed!r}")
        reads_every_s = self._number("reads_every_s", 300.0, _SHORTEST_S, _LONGEST_S)
        return LockstepScenario(
            path=self._path,
            name=self._text("name", ""),
            rig=self._path.parent / self._text("rig", "") if "rig" in self._data else None,
            seed=seed,
            start_s=start_s,
            weather=self._weather(),
            reads_every_s=reads_every_s,
            air_every_s=self._number("air_every_s", reads_every_s, _SHORTEST_S, _LONGEST_AIR_S),
            faults=Scenario(
                faults=tuple(row for row, _line in rows["faults"]),
                lines=tuple(line for _row, line in rows["faults"]),
                path=self._path,
            ),
            deeds=self._deeds(rows, start_s),
        )

    def _deeds(self, rows: Mapping[str, Sequence[tuple[dict[str, Any], int]]], start_s: float) -> tuple[Deed, ...]:
        grants = [({"does": "grant", **row}, line) for row, line in rows["grants"]]
        deeds = [self._deed(row, line, start_s) for row, line in (*grants, *rows["people"])]
        return tuple(sorted(deeds, key=lambda deed: deed.at_s))

    def _deed(self, row: dict[str, Any], line: int, start_s: float) -> Deed:
        try:
            return deed_of(row, start_s, line)
        except MessageError as error:
            raise ConfigError(f"{self._path}:{line}: {error}") from error

    def _weather(self) -> WeatherSpec | Replay:
        name = self._text("weather", "room")
        if name in _WEATHERS:
            return _WEATHERS[name]
        file = self._path.parent / name
        if not file.is_file():
            raise self._wrong("weather", f"must be {' or '.join(_WEATHERS)}, or a file; there is no {name!r}")
        return load_weather(file)

    def _start_s(self) -> float:
        value = self._data.get("start", None)
        if value is None:
            return DEFAULT_START_S
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, date):
            return datetime.combine(value, time(), UTC).timestamp()
        raise self._wrong("start", f"must be a date or a time such as 2027-06-01T00:00:00Z, not {value!r}")

    def _rows(self, section: str) -> list[tuple[dict[str, Any], int]]:
        rows = self._data.get(section, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._wrong(section, f"must be rows, each under [[{section}]]")
        heads = [number for number, line in enumerate(self._lines, 1) if line.strip() == f"[[{section}]]"]
        return [(row, heads[index] if index < len(heads) else 1) for index, row in enumerate(rows)]

    def _text(self, name: str, default: str) -> str:
        value = self._data.get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, f"must be a text, not {value!r}")
        return value

    def _number(self, name: str, default: float, low: float, high: float) -> float:
        value = self._data.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._wrong(name, f"must be a number from {low:g} to {high:g}, not {value!r}")
        return float(value)

    def _wrong(self, name: str, why: str) -> ConfigError:
        line = next((n for n, text in enumerate(self._lines, 1) if text.split("=")[0].strip() == name), 1)
        return ConfigError(f"{self._path}:{line}: {name}: {why}")


def deed_of(row: Mapping[str, Any], start_s: float, line: int = 1) -> Deed:
    """Return what a row says that somebody does; raises MessageError with the field and its limit."""
    does = row.get("does")
    if not isinstance(does, str) or does not in DEEDS:
        raise MessageError("does", f"must be one of {', '.join(DEEDS)}, not {does!r}")
    wanted = DEEDS[does]
    names = {name.strip("[]") for name in wanted}
    for name in row:
        if name not in {"at", "does", "by", *names}:
            raise MessageError(name, f"is nothing that {does} has; it has {', '.join(sorted(names)) or 'no fields'}")
    fields = {name: _field(name, row[name], start_s) for name in names if name in row}
    for name in wanted:
        if name.strip("[]") == name and name not in fields:
            raise MessageError(name, f"is missing; {does} needs it")
    return Deed(
        at_s=_instant("at", row.get("at", "0s"), start_s), does=does, by=str(row.get("by", "person")), fields=fields,
        line=line,
    )  # fmt: skip


def _field(name: str, value: object, start_s: float) -> object:
    if name == "until":
        return _instant(name, value, start_s)
    if name == "parameters":
        if not isinstance(value, dict):
            raise MessageError(name, f"must be a table of the policy's parameters, not {value!r}")
        return value
    if name == "mode" and value not in _MODES:
        raise MessageError(name, f"must be one of {', '.join(sorted(_MODES))}, not {value!r}")
    if name not in _NUMBERS:
        if not isinstance(value, str) or not value:
            raise MessageError(name, f"must be a name, not {value!r}")
        return value
    low, high = _NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise MessageError(name, f"must be a number from {low:g} to {high:g}, not {value!r}")
    return float(value)


def _instant(name: str, value: object, start_s: float) -> float:
    at = absolute(name, value, start_s)
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at).timestamp()
        except ValueError:
            raise MessageError(
                name, f"must be a span from the start on, such as 2h, or a time, not {value!r}"
            ) from None
    if isinstance(at, bool) or not isinstance(at, int | float) or at < start_s:
        raise MessageError(name, f"must not be before the start, and is {value!r}")
    return float(at)
