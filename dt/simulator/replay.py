"""Weather from a file: times, temperature, humidity and radiation of somewhere else, replayed around a box."""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median_low

from dt.simulator.air import saturation_kpa, vapour_g_m3
from dt.utils.exceptions import ConfigError

_DAY_S = 86_400.0
_LIMITS = {"temperature_degc": (-60.0, 70.0), "humidity_pct": (0.0, 100.0), "radiation_w_m2": (0.0, 1500.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Recorded weather, joined by straight lines. Outside its span it repeats itself by whole days, or is an error.

    Each row stands for a step as long as the median one: 24 hourly rows are a day, whose last hour leads to its first.
    """

    times_s: tuple[float, ...]
    temperature_degc: tuple[float, ...]
    vapour_g_m3: tuple[float, ...]
    sun_w_m2: tuple[float, ...]
    wraps: bool = True
    step_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Refuse what cannot be joined by lines."""
        if len(self.times_s) < 2 or list(self.times_s) != sorted(set(self.times_s)):
            msg = "a weather record needs at least two times, ascending, each once"
            raise ValueError(msg)
        step_s = median_low(after - before for before, after in pairwise(self.times_s))
        object.__setattr__(self, "step_s", step_s)  # once: a record may be of years
        if self.wraps and self.span_s < _DAY_S:
            msg = "a weather record shorter than a day cannot repeat itself"
            raise ValueError(msg)

    @property
    def span_s(self) -> float:
        """What the rows cover, the step of the last one included."""
        return self.times_s[-1] - self.times_s[0] + self.step_s

    def at(self, time_s: float) -> tuple[float, float, float]:
        """Return sun on a plane (W/m2), temperature (degC) and vapour (g/m3); ValueError beyond an end."""
        time_s = self._within(time_s)
        after = max(bisect_right(self.times_s, time_s), 1)
        start_s = self.times_s[after - 1]
        if after < len(self.times_s):
            end_s = self.times_s[after]
        else:  # from the last row on to the first
            after, end_s = 0, start_s + self.step_s
        part = (time_s - start_s) / (end_s - start_s)
        return (
            _between(self.sun_w_m2, after, part),
            _between(self.temperature_degc, after, part),
            _between(self.vapour_g_m3, after, part),
        )

    def _within(self, time_s: float) -> float:
        first_s, last_s = self.times_s[0], self.times_s[-1]
        if first_s <= time_s <= last_s:
            return time_s
        if not self.wraps:
            msg = f"the weather record covers {_told(first_s)} to {_told(last_s)}, not {_told(time_s)}"
            raise ValueError(msg)
        span_s = math.floor(self.span_s / _DAY_S) * _DAY_S  # whole days: noon stays noon
        return first_s + (time_s - first_s) % span_s


def load_weather(path: Path, columns: Mapping[str, str] | None = None, *, wraps: bool = True) -> Replay:
    """Read a CSV file with a header; `columns` says how it calls time, temperature_degc, humidity_pct, radiation_w_m2.

    Times are ISO 8601 (UTC unless they say otherwise) or epoch seconds. ConfigError names line and column.
    """
    names = {name: (columns or {}).get(name, name) for name in ("time", *_LIMITS)}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _rows(csv.DictReader(file), names, path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: must be a CSV file in UTF-8: {error}") from error
    try:
        return Replay(
            times_s=tuple(row[0] for row in rows),
            temperature_degc=tuple(row[1] for row in rows),
            vapour_g_m3=tuple(vapour_g_m3(saturation_kpa(row[1]) * row[2] / 100.0, row[1]) for row in rows),
            sun_w_m2=tuple(row[3] for row in rows),
            wraps=wraps,
        )
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _rows(reader: csv.DictReader[str], names: Mapping[str, str], path: Path) -> list[tuple[float, ...]]:
    missing = sorted(set(names.values()) - set(reader.fieldnames or ()))
    if missing:
        raise ConfigError(f"{path}: column {missing[0]!r} is missing; there are: {', '.join(reader.fieldnames or ())}")
    return [_row(row, names, f"{path}:{number}") for number, row in enumerate(reader, 2)]


def _row(row: Mapping[str, str | None], names: Mapping[str, str], place: str) -> tuple[float, ...]:
    values = [_epoch(row[names["time"]], f"{place}: {names['time']}")]
    for name, (least, most) in _LIMITS.items():
        value = _number(row[names[name]], f"{place}: {names[name]}")
        if not least <= value <= most:
            raise ConfigError(f"{place}: {names[name]}: must be from {least:g} to {most:g}, not {value:g}")
        values.append(value)
    return tuple(values)


def _epoch(text: str | None, place: str) -> float:
    try:
        when = datetime.fromisoformat(text or "")
    except ValueError:
        return _number(text, place)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _number(text: str | None, place: str) -> float:
    try:
        value = float(text or "")
    except ValueError as error:
        raise ConfigError(f"{place}: {text!r} is no number") from error
    if not math.isfinite(value):
        raise ConfigError(f"{place}: {text!r} is not finite")
    return value


def _between(values: tuple[float, ...], after: int, part: float) -> float:
    return values[after - 1] + (values[after] - values[after - 1]) * part


def _told(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="minutes")
