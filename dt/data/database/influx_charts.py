"""Lines of charts from InfluxDB: the coarsest roll-up that serves, raw readings at the ends and where roll-ups wait."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from dt.data.database.buckets import bucket_width_ms
from dt.data.database.chart_cache import ChartCache, Columns, Stretch, completed
from dt.data.database.influx_lines import LATEST_MS
from dt.data.database.influx_rollups import HOUR_MS, LEVELS, Level, Rollups
from dt.data.database.influx_server import InfluxServer
from dt.data.database.reading_series import day_stretches, local_days
from dt.data.database.storage import Series, SeriesQuery, ZoneOf
from dt.utils.quantities import QUANTITIES, Quantity, Unit

_MOST_PARTS = 24
_DAY_MS = 86_400_000
_RAW = "min(value), max(value), sum(value), count(value)"
_ROLLED = "min(min), max(max), sum(total), sum(n)"

Tags = Mapping[str, str]
Part = tuple[Level | None, int, int]  # of a range in milliseconds; None reads raw readings
Bucket = tuple[float, float, float, int]  # min, max, sum, number


@dataclass(frozen=True, slots=True)
class _Line:
    """What a chart counts: one unit, and conditions on the other tags."""

    unit: str
    conditions: Mapping[str, str]
    key: Hashable
    series: frozenset[tuple[str, str]]  # quantity and sensor


class Charts:
    """Answers `series`."""

    def __init__(self, server: InfluxServer, rollups: Rollups, zone_of: ZoneOf) -> None:
        self._server = server
        self._rollups = rollups
        self._zone_of = zone_of
        self._buckets = ChartCache()
        self._series: dict[Quantity, list[Tags]] = {}
        self._generation = 0  # of what series there are

    @property
    def are_any_known(self) -> bool:
        """Return whether anything is known that a reading could change."""
        return not self._buckets.is_empty

    def changed(self, changed_ms: Mapping[tuple[str, str], int] | None) -> None:
        """Forget what was written: by quantity and sensor from which instant on, in ms; None for who knows what."""
        self._buckets.forget(changed_ms)

    def appeared(self) -> None:
        """Hear that a series may be new."""
        self._generation += 1
        self._series = {}

    def series(self, query: SeriesQuery) -> Series:
        """Return at most `points` buckets, or one for each local day."""
        since_ms, until_ms = round(query.since * 1000), round(query.until * 1000)
        days = [] if query.resolution is None else local_days(since_ms, until_ms, query)
        width_ms = _DAY_MS if days else self._width_ms(since_ms, until_ms, query.points)
        found: Columns = ([], [], [], [], [])
        with self._buckets.reading() as look:
            line = self._line(query)
            if line is not None and days:
                found = self._answer(query, line, list(day_stretches(days, since_ms, until_ms)))
            elif line is not None:
                whole = Stretch(0, width_ms, 0, since_ms, min(until_ms, LATEST_MS))
                found = completed(
                    whole, line.key, line.series, look, lambda stretches: self._answer(query, line, stretches)
                )
        buckets, lowest, means, highest, numbers = found
        return Series(
            resolution_s=width_ms / 1000,
            unit=None if line is None else Unit(line.unit),
            t=[days[bucket] / 1000 for bucket in buckets] if days else [bucket * width_ms / 1000 for bucket in buckets],
            min=lowest,
            mean=means,
            max=highest,
            n=numbers,
        )

    def _width_ms(self, since_ms: int, until_ms: int, points: int) -> int:
        """Return the width of the buckets; where raw readings are gone at least a minute."""
        width_ms = bucket_width_ms(since_ms, until_ms, points)
        finest_ms = LEVELS[-1].width_ms
        return finest_ms if width_ms < finest_ms and since_ms < self._rollups.removed_until_ms() else width_ms

    def _line(self, query: SeriesQuery) -> _Line | None:
        """Return what is to be counted: the quantity's own unit where there is any of it."""
        given = {"sensor_id": query.sensor_id, "zone_id": query.zone_id}
        conditions = {name: value for name, value in given.items() if value is not None}
        known = [
            tags for tags in self._known(query) if all(tags.get(name, "") == conditions[name] for name in conditions)
        ]
        if query.plant_id is not None:
            own = [tags for tags in known if tags.get("plant_id") == query.plant_id]
            zone_id = None if own else self._zone_of(query.plant_id) or self._zone_by_readings(query.plant_id)
            if not own and zone_id is None:
                return None
            conditions |= {"plant_id": query.plant_id} if zone_id is None else {"plant_id": "", "zone_id": zone_id}
            known = own or [tags for tags in known if "plant_id" not in tags and tags["zone_id"] == zone_id]
        units = {tags["unit"] for tags in known}
        if not units:
            return None
        wanted = QUANTITIES[query.data_type].unit
        unit = wanted if wanted in units else min(units)
        drawn = [tuple(sorted(tags.items())) for tags in known if tags["unit"] == unit]
        series = {(query.data_type.value, tags["sensor_id"]) for tags in known}
        return _Line(unit, conditions, (query.data_type, *sorted(drawn)), frozenset(series))

    def _known(self, query: SeriesQuery) -> list[Tags]:
        """Return the tags of every series of the quantity that has readings or roll-ups."""
        known = self._series.get(query.data_type)
        if known is None:
            generation, series = self._generation, self._series
            known = self._asked(query)
            if generation == self._generation:
                series[query.data_type] = known
        return known

    def _asked(self, query: SeriesQuery) -> list[Tags]:
        keys = set()
        for bucket in (self._server.bucket, self._rollups.bucket(LEVELS[0])):
            tables = self._server.select(f'SHOW SERIES FROM "{query.data_type}"', bucket=bucket)
            keys |= {values[0] for table in tables for values in table.values}
        return [tags_of(key) for key in sorted(keys)]

    def _zone_by_readings(self, plant_id: str) -> str | None:
        tables = self._server.select("SHOW SERIES WHERE plant_id = $plant LIMIT 1", {"plant": plant_id})
        return next((tags_of(values[0])["zone_id"] for table in tables for values in table.values), None)

    def _answer(self, query: SeriesQuery, line: _Line, stretches: Sequence[Stretch]) -> Columns:
        """Return the buckets of stretches, asked for in one request."""
        parts = [(stretch, part) for stretch in stretches for part in self._parts(stretch)]
        found: dict[int, Bucket] = {}
        for at_ms, low, high, total, number in self._rows(query, line, parts) if parts else ():
            if number:
                stretch = next(one for one in stretches if one.begin_ms <= at_ms < one.until_ms)
                bucket = stretch.first + int(at_ms - stretch.origin_ms) // stretch.width_ms
                before = found.get(bucket, (low, high, 0.0, 0))
                summed = (before[2] + total, before[3] + int(number))
                found[bucket] = (min(before[0], low), max(before[1], high), *summed)
        places = sorted(found)
        rows = [found[place] for place in places]
        means = [max(low, min(high, total / number)) for low, high, total, number in rows]
        return places, [row[0] for row in rows], means, [row[1] for row in rows], [row[3] for row in rows]

    def _rows(self, query: SeriesQuery, line: _Line, parts: Sequence[tuple[Stretch, Part]]) -> list[list[float]]:
        """Return time, minimum, maximum, sum and number of the buckets of all parts; several may be of one bucket."""
        tags = {"unit": line.unit, **line.conditions}
        conditions = " AND ".join(f"{name} = ${name}" for name in tags)
        params: dict[str, object] = dict(tags)
        statements = []
        for place, (stretch, (level, since_ms, until_ms)) in enumerate(parts):
            bucket = self._server.bucket if level is None else self._rollups.bucket(level)
            every = f"time({stretch.width_ms:d}ms, {stretch.origin_ms % stretch.width_ms:d}ms)"
            params |= {f"since{place}": since_ms * 1_000_000, f"until{place}": until_ms * 1_000_000}
            statements.append(
                f'SELECT {_RAW if level is None else _ROLLED} FROM "{bucket}".."{query.data_type}"'  # noqa: S608 - names of our own
                f" WHERE time >= $since{place} AND time < $until{place} AND {conditions} GROUP BY {every} fill(none)"
            )
        return [values for table in self._server.select("; ".join(statements), params) for values in table.values]

    def _parts(self, stretch: Stretch) -> list[Part]:
        since_ms, until_ms = stretch.since_ms, min(stretch.until_ms, LATEST_MS)
        levels = [
            level
            for level in LEVELS
            if stretch.width_ms % level.width_ms == 0 and stretch.origin_ms % level.width_ms == 0
        ]
        due = self._rollups.due() if levels else set()
        waiting = sorted(hour for hour in due if since_ms < (hour + 1) * HOUR_MS and hour * HOUR_MS < until_ms)
        return parts_of(since_ms, until_ms, levels, self._rollups.settled_ms(), waiting)


def parts_of(
    since_ms: int, until_ms: int, levels: Sequence[Level], settled_ms: int, waiting: Sequence[int]
) -> list[Part]:
    """Return which part of a range is read where: roll-ups between raw ends, raw where hours wait."""
    if not levels:
        return [(None, since_ms, until_ms)]
    found: list[Part] = []
    begin_ms = since_ms
    holes = [(hour * HOUR_MS, (hour + 1) * HOUR_MS) for hour in waiting]
    if len(holes) > _MOST_PARTS:
        holes = [(holes[0][0], holes[-1][1])]
    for hole_ms, hole_end_ms in [*holes, (until_ms, until_ms)]:
        if begin_ms < hole_ms:
            found += _covered(begin_ms, min(hole_ms, until_ms), levels, settled_ms)
        begin_ms = max(begin_ms, hole_ms)
        if begin_ms < min(hole_end_ms, until_ms):
            found.append((None, begin_ms, min(hole_end_ms, until_ms)))
            begin_ms = hole_end_ms
    return found


def tags_of(key: str) -> Tags:
    r"""Return the tags of a series by its key.

    >>> tags_of(r"vpd,sensor_id=basil/vpd,zone_id=top\ shelf\,\ left")
    {'sensor_id': 'basil/vpd', 'zone_id': 'top shelf, left'}
    """
    pairs = (re.split(r"(?<!\\)=", part, maxsplit=1) for part in re.split(r"(?<!\\),", key)[1:])
    return {name: re.sub(r"\\([,= ])", r"\1", value) for name, value in pairs}


def _covered(since_ms: int, until_ms: int, levels: Sequence[Level], settled_ms: int) -> list[Part]:
    """Return whole buckets of the widest level, and its ends by narrower ones."""
    if since_ms >= until_ms:
        return []
    if not levels:
        return [(None, since_ms, until_ms)]
    width_ms = levels[0].width_ms
    begin_ms = -(-since_ms // width_ms) * width_ms
    end_ms = min(until_ms, settled_ms) // width_ms * width_ms
    if begin_ms >= end_ms:
        return _covered(since_ms, until_ms, levels[1:], settled_ms)
    return [
        *_covered(since_ms, begin_ms, levels[1:], settled_ms),
        (levels[0], begin_ms, end_ms),
        *_covered(end_ms, until_ms, levels[1:], settled_ms),
    ]
