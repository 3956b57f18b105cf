"""Scenario files: a seed and the faults of a run, with times from its start on (`"2h"`) or absolute."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dt.simulator.faults.order import Targets, read_order
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.text_file import text_of

_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)")
_LIKE_SPAN = re.compile(r"[-+]\s*\d.*|\d+(?:\.\d+)?\s*[a-zA-Z]+")
_TIMES = ("since", "until")
_KEYS = frozenset({"seed", "name", "faults"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens in a run; `lines` says where each fault stands in the file."""

    name: str = ""
    seed: int | None = None
    faults: tuple[Mapping[str, Any], ...] = ()
    lines: tuple[int, ...] = ()
    path: Path = Path("scenario.toml")

    def orders(self, start_s: float, targets: Targets) -> list[dict[str, Any]]:
        """Return the faults with absolute times; raises ConfigError with file, line and field."""
        orders = []
        for fault, line in zip(self.faults, self.lines, strict=True):
            try:
                order = {**fault, **{name: absolute(name, fault[name], start_s) for name in _TIMES if name in fault}}
                order.setdefault("since", start_s)
                read_order(order, "check", targets, start_s)
            except MessageError as error:
                raise ConfigError(f"{self.path}:{line}: {error}") from error
            orders.append(order)
        return orders


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file; raises ConfigError with the file, the line and the field."""
    return parse_scenario(text_of(path, "SIM_SCENARIO"), path)


def parse_scenario(text: str, path: Path = Path("scenario.toml")) -> Scenario:
    """Read a scenario from its text, as `load_scenario` does."""
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # wrong TOML, or a number of more digits than Python reads
        raise ConfigError(f"{path}: {error}") from error
    for key in data:
        if key not in _KEYS:
            raise ConfigError(f"{path}: {key}: a scenario has {', '.join(sorted(_KEYS))}")
    seed, faults, name = data.get("seed"), data.get("faults", []), data.get("name", "")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise ConfigError(f"{path}: seed: must be a whole number, not {seed!r}")
    if not isinstance(name, str):
        raise ConfigError(f"{path}: name: must be a text, not {name!r}")
    if not isinstance(faults, list) or not all(isinstance(fault, dict) for fault in faults):
        raise ConfigError(f"{path}: faults must be rows, each under [[faults]]")
    heads = [number for number, line in enumerate(text.splitlines(), 1) if line.strip() == "[[faults]]"]
    lines = [heads[index] if index < len(heads) else 1 for index in range(len(faults))]
    return Scenario(name=name, seed=seed, faults=tuple(faults), lines=tuple(lines), path=path)


def absolute(name: str, value: object, start_s: float) -> object:
    """Return a time as the desk takes it; a span such as `90 s`, `5min`, `2h` or `1.5d` counts from the start.

    >>> absolute("since", "1.5h", 1000.0)
    6400.0

    Raises MessageError when it begins like a span and is none.
    """
    if not isinstance(value, str):
        return value.timestamp() if isinstance(value, datetime) else value
    match = _SPAN.fullmatch(value.strip())
    if match is not None:
        return start_s + float(match[1]) * _UNITS_S[match[2]]
    if _LIKE_SPAN.fullmatch(value.strip()):
        wanted = "a span from the start on, such as 90s, 5min, 2h or 1.5d, or a time"
        raise MessageError(name, f"must be {wanted}, not {value!r}")
    return value
