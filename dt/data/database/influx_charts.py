"""Lines of charts from InfluxDB: the coarsest roll-up that serves, raw readings at the ends and where roll-ups wait."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dt.data.database.buckets import bucket_width_ms
from dt.data.database.influx_rollups import HOUR_MS, LEVELS, Level, Rollups
from dt.data.database.influx_server import InfluxServer
from dt.data.database.storage import Series, SeriesQuery, ZoneOf
from dt.utils.quantities import QUANTITIES, Unit

_MOST_PARTS = 24
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
        """Return at most `points` buckets."""
        since_ms, until_ms = round(query.since * 1000), round(query.until * 1000)
        width_ms = bucket_width_ms(since_ms, until_ms, query.points)
        line = self._line(query)
        found = {} if line is None else self._buckets(query, line, width_ms)
        times = sorted(found)
        return Series(
            resolution_s=width_ms / 1000,
            unit=None if line is None else Unit(line.unit),
            t=[at_ms / 1000 for at_ms in times],
            min=[found[at_ms][0] for at_ms in times],
            mean=[found[at_ms][2] / found[at_ms][3] for at_ms in times],
            max=[found[at_ms][1] for at_ms in times],
            n=[found[at_ms][3] for at_ms in times],
        )

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

    def _buckets(self, query: SeriesQuery, line: _Line, width_ms: int) -> dict[int, Bucket]:
        found: dict[int, Bucket] = {}
        for level, since_ms, until_ms in self._parts(query, width_ms):
            for at_ms, low, high, total, number in self._rows(query, line, width_ms, (level, since_ms, until_ms)):
                if not number:
                    continue
                key = int(at_ms - at_ms % width_ms)
                before = found.get(key, (low, high, 0.0, 0))
                found[key] = (min(before[0], low), max(before[1], high), before[2] + total, before[3] + int(number))
        return found

    def _rows(self, query: SeriesQuery, line: _Line, width_ms: int, part: Part) -> list[list[float]]:
        level, since_ms, until_ms = part
        tags = {"unit": line.unit, **line.conditions}
        params: dict[str, object] = {"since": since_ms * 1_000_000, "until": until_ms * 1_000_000, **tags}
        conditions = " AND ".join(f"{name} = ${name}" for name in tags)
        text = (
            f'SELECT {_RAW if level is None else _ROLLED} FROM "{query.data_type}"'  # noqa: S608 - names of our own
            f" WHERE time >= $since AND time < $until AND {conditions} GROUP BY time({width_ms:d}ms) fill(none)"
        )
        bucket = None if level is None else self._rollups.bucket(level)
        return [values for table in self._server.select(text, params, bucket=bucket) for values in table.values]

    def _parts(self, query: SeriesQuery, width_ms: int) -> list[Part]:
        since_ms, until_ms = round(query.since * 1000), round(query.until * 1000)
        levels = [level for level in LEVELS if width_ms % level.width_ms == 0]
        settled_ms = self._rollups.settled_ms()
        waiting = sorted(
            hour for hour in self._rollups.due() if since_ms < (hour + 1) * HOUR_MS and hour * HOUR_MS < until_ms
        )
        return parts_of(since_ms, until_ms, levels, settled_ms, waiting)


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
