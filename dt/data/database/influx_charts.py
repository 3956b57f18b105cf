"""Lines of charts from InfluxDB: the coarsest roll-up that serves, raw readings at the ends and where roll-ups wait."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dt.data.database.buckets import bucket_width_ms
from dt.data.database.influx_lines import LATEST_MS
from dt.data.database.influx_rollups import HOUR_MS, LEVELS, Level, Rollups
from dt.data.database.influx_server import InfluxServer
from dt.data.database.reading_series import Stretch, day_stretches, local_days
from dt.data.database.storage import Series, SeriesQuery, ZoneOf
from dt.utils.quantities import QUANTITIES, Unit

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


class Charts:
    """Answers `series`."""

    def __init__(self, server: InfluxServer, rollups: Rollups, zone_of: ZoneOf) -> None:
        self._server = server
        self._rollups = rollups
        self._zone_of = zone_of

    def series(self, query: SeriesQuery) -> Series:
        """Return at most `points` buckets, or one for each local day."""
        since_ms, until_ms = round(query.since * 1000), round(query.until * 1000)
        days = [] if query.resolution is None else local_days(since_ms, until_ms, query)
        width_ms = _DAY_MS if days else self._width_ms(since_ms, until_ms, query.points)
        stretches = day_stretches(days, since_ms, until_ms) if days else [Stretch(0, width_ms, 0, since_ms, until_ms)]
        line = self._line(query)
        found: dict[int, Bucket] = {}
        if line is not None:
            for stretch in stretches:
                self._add(query, line, stretch, found)
        times = sorted(found)
        return Series(
            resolution_s=width_ms / 1000,
            unit=None if line is None else Unit(line.unit),
            t=[at_ms / 1000 for at_ms in times],
            min=[found[at_ms][0] for at_ms in times],
            mean=[max(found[at_ms][0], min(found[at_ms][1], found[at_ms][2] / found[at_ms][3])) for at_ms in times],
            max=[found[at_ms][1] for at_ms in times],
            n=[found[at_ms][3] for at_ms in times],
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
        unit = QUANTITIES[query.data_type].unit
        return _Line(unit if unit in units else min(units), conditions) if units else None

    def _known(self, query: SeriesQuery) -> list[Tags]:
        """Return the tags of every series of the quantity that has readings or roll-ups."""
        keys = set()
        for bucket in (self._server.bucket, self._rollups.bucket(LEVELS[0])):
            tables = self._server.select(f'SHOW SERIES FROM "{query.data_type}"', bucket=bucket)
            keys |= {values[0] for table in tables for values in table.values}
        return [tags_of(key) for key in sorted(keys)]

    def _zone_by_readings(self, plant_id: str) -> str | None:
        tables = self._server.select("SHOW SERIES WHERE plant_id = $plant LIMIT 1", {"plant": plant_id})
        return next((tags_of(values[0])["zone_id"] for table in tables for values in table.values), None)

    def _add(self, query: SeriesQuery, line: _Line, stretch: Stretch, found: dict[int, Bucket]) -> None:
        """Add the buckets of a stretch, by their beginning."""
        for part in self._parts(stretch):
            for at_ms, low, high, total, number in self._rows(query, line, stretch, part):
                if number:
                    begin = int(at_ms - (at_ms - stretch.origin_ms) % stretch.width_ms)
                    before = found.get(begin, (low, high, 0.0, 0))
                    found[begin] = (
                        min(before[0], low),
                        max(before[1], high),
                        before[2] + total,
                        before[3] + int(number),
                    )

    def _rows(self, query: SeriesQuery, line: _Line, stretch: Stretch, part: Part) -> list[list[float]]:
        level, since_ms, until_ms = part
        tags = {"unit": line.unit, **line.conditions}
        params: dict[str, object] = {"since": since_ms * 1_000_000, "until": until_ms * 1_000_000, **tags}
        conditions = " AND ".join(f"{name} = ${name}" for name in tags)
        every = f"time({stretch.width_ms:d}ms, {stretch.origin_ms % stretch.width_ms:d}ms)"
        text = (
            f'SELECT {_RAW if level is None else _ROLLED} FROM "{query.data_type}"'  # noqa: S608 - names of our own
            f" WHERE time >= $since AND time < $until AND {conditions} GROUP BY {every} fill(none)"
        )
        bucket = None if level is None else self._rollups.bucket(level)
        return [values for table in self._server.select(text, params, bucket=bucket) for values in table.values]

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
