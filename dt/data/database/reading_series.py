"""Lines for charts, from the coarsest roll-ups that serve, and from raw readings where it must be.

A range is cut into what whole hours cover, at its ends what five minutes cover, then minutes, then raw readings: every
reading of since <= timestamp < until counts, and no other. Where retention has removed the raw readings, the part of
a minute at an end is left out, and no bucket is narrower than a minute.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

import msgspec

from dt.data.database.buckets import bucket_width_ms
from dt.data.database.chart_cache import Columns, Reading, Stretch, completed
from dt.data.database.rollups import WIDTHS_S
from dt.data.database.storage import Series, SeriesQuery
from dt.utils.exceptions import MessageError
from dt.utils.quantities import QUANTITIES, Unit

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_FINEST_MS = WIDTHS_S[0] * 1000
_COARSEST_FIRST_MS = tuple(1000 * width_s for width_s in reversed(WIDTHS_S))

_LINES = """
SELECT line_id, series_id, unit, zone_id, plant_id FROM lines JOIN series USING (series_id)
WHERE data_type = :data_type AND (:sensor_id IS NULL OR sensor_id = :sensor_id)
    AND (:zone_id IS NULL OR zone_id = :zone_id)
    AND EXISTS (SELECT 1 FROM rollups WHERE rollups.line_id = lines.line_id)
"""
_ZONES = "SELECT DISTINCT zone_id FROM lines WHERE plant_id = ?"
_HAS_SEALED = """
SELECT 1 FROM sealed_hours WHERE series_id IN (SELECT value FROM json_each(?)) AND begin_s >= ? AND begin_s < ? LIMIT 1
"""
_OF_ROLLUPS = """
SELECT {bucket} AS bucket, min(min) AS low, sum(total + residue) AS total, max(max) AS high, sum(count) AS n
FROM rollups WHERE line_id {lines} AND width_s = {width_s:d} AND begin_s >= {since_s:d} AND begin_s < {until_s:d}
GROUP BY 1
"""
_OF_RAW = """
SELECT {bucket} AS bucket, min(value) AS low, sum(value) AS total, max(value) AS high, count(*) AS n
FROM readings CROSS JOIN contexts USING (context_id)
WHERE readings.series_id {series} AND timestamp_ms >= {since_ms:d} AND timestamp_ms < {until_ms:d}
    AND line_id {lines} AND verdict IS NOT 'bad'
GROUP BY 1
"""
# One row for all: a step for each would wait its turn among the threads each time. 17 digits give a double back whole.
_ANSWER = """
SELECT json_array(json_group_array(bucket), {low}, {mean}, {high}, json_group_array(n))
FROM (
    SELECT bucket, min(low) AS low, max(high) AS high, sum(n) AS n,
        max(min(sum(total) / sum(n), max(high)), min(low)) AS mean
    FROM ({parts}) GROUP BY bucket ORDER BY bucket
)
"""
_NUMBERS = "json('[' || coalesce(group_concat(format('%!.17g', {column})), '') || ']')"

_NOTHING: Columns = ([], [], [], [], [])
_read = msgspec.json.Decoder(Columns).decode

Line = tuple[int, int, str, str, str | None]  # line, series, unit, zone, plant


def read_series(db: sqlite3.Connection, query: SeriesQuery, zone_id: str | None, look: Reading) -> Series:
    """Return at most `points` buckets; a plant without own readings of a quantity has those of its zone."""
    unit, lines = _chosen(db, query, zone_id)
    since_ms, until_ms = round(query.since * 1000), round(query.until * 1000)
    if query.resolution is None:
        width_ms = _width_ms(db, lines, since_ms, until_ms, query.points)
        days: list[int] = []
        whole = Stretch(0, width_ms, 0, since_ms, until_ms)
        series = {line[1] for line in lines}
        key = tuple(sorted(line[0] for line in lines))
        found = completed(whole, key, series, look, lambda stretches: _answer(db, stretches, lines))
    else:
        width_ms = _DAY_MS
        days = local_days(since_ms, until_ms, query)
        found = _answer(db, list(day_stretches(days, since_ms, until_ms)), lines)
    buckets, lowest, means, highest, numbers = found
    return Series(
        resolution_s=width_ms / 1000,
        unit=None if unit is None else Unit(unit),
        t=[days[bucket] / 1000 for bucket in buckets] if days else [bucket * width_ms / 1000 for bucket in buckets],
        min=lowest,
        mean=means,
        max=highest,
        n=numbers,
    )


def _chosen(db: sqlite3.Connection, query: SeriesQuery, zone_id: str | None) -> tuple[str | None, list[Line]]:
    """Return the lines that a chart counts, all of one unit: the quantity's own where there are any."""
    asked = {"data_type": query.data_type, "sensor_id": query.sensor_id, "zone_id": query.zone_id}
    found: list[Line] = db.execute(_LINES, asked).fetchall()
    if query.plant_id is not None:
        own = [line for line in found if line[4] == query.plant_id]
        zones = {zone_id, *(zone for (zone,) in db.execute(_ZONES, (query.plant_id,)).fetchall())}
        found = own or [line for line in found if line[4] is None and line[3] in zones]
    units = {line[2] for line in found}
    wanted = QUANTITIES[query.data_type].unit
    unit = wanted if wanted in units else min(units, default=None)
    return unit, [line for line in found if line[2] == unit]


def _width_ms(db: sqlite3.Connection, lines: Sequence[Line], since_ms: int, until_ms: int, points: int) -> int:
    """Return the width of the buckets; where raw readings are gone at least a minute."""
    width_ms = bucket_width_ms(since_ms, until_ms, points)
    if width_ms >= _FINEST_MS:
        return width_ms
    hours = (since_ms // _HOUR_MS * 3600, until_ms // 1000 + 1)
    series = msgspec.json.encode(sorted({line[1] for line in lines})).decode()
    return width_ms if db.execute(_HAS_SEALED, (series, *hours)).fetchone() is None else _FINEST_MS


def local_days(since_ms: int, until_ms: int, query: SeriesQuery) -> list[int]:
    """Return where the local days of a range begin and the last one ends; raises MessageError for too many."""
    zone = ZoneInfo(query.timezone or "UTC")
    day = datetime.fromtimestamp(since_ms / 1000, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    found = [round(day.timestamp() * 1000)]
    while found[-1] < until_ms:
        if len(found) > query.points:
            raise MessageError("points", f"are {query.points}, and the range has more days than that")
        day += timedelta(days=1)
        found.append(round(day.timestamp() * 1000))
    return found


def day_stretches(days: Sequence[int], since_ms: int, until_ms: int) -> Iterator[Stretch]:
    """Yield days of 24 h together, and each of 23 or 25 h by itself."""
    lengths = [following - begin for begin, following in pairwise(days)]
    first = 0
    for length_ms, equal in groupby(lengths):
        count = len(list(equal))
        begin_ms = days[first]
        end_ms = begin_ms + count * length_ms
        yield Stretch(begin_ms, length_ms, first, max(begin_ms, since_ms), min(end_ms, until_ms))
        first += count


def _answer(db: sqlite3.Connection, stretches: Sequence[Stretch], lines: Sequence[Line]) -> Columns:
    if not lines:
        return _NOTHING
    among = _among([line[0] for line in lines])
    series = _among([line[1] for line in lines])
    parts = [
        _part(stretch, *segment, among, series)
        for stretch in stretches
        for segment in _segments(stretch.since_ms, stretch.until_ms, _serving(stretch))
    ]
    if not parts:
        return _NOTHING
    numbers = {column: _NUMBERS.format(column=column) for column in ("low", "mean", "high")}
    [answer] = db.execute(_ANSWER.format(parts=" UNION ALL ".join(parts), **numbers)).fetchone()
    found: Columns = _read(answer)
    return found


def _part(stretch: Stretch, width_ms: int, since_ms: int, until_ms: int, lines: str, series: str) -> str:
    """Return the query of one segment."""
    if width_ms:
        bucket = f"(begin_s * 1000 - {stretch.origin_ms:d}) / {stretch.width_ms:d} + {stretch.first:d}"
        return _OF_ROLLUPS.format(
            bucket=bucket,
            lines=lines,
            width_s=width_ms // 1000,
            since_s=since_ms // 1000,
            until_s=until_ms // 1000,
        )
    bucket = f"(timestamp_ms - {stretch.origin_ms:d}) / {stretch.width_ms:d} + {stretch.first:d}"
    return _OF_RAW.format(bucket=bucket, lines=lines, series=series, since_ms=since_ms, until_ms=until_ms)


def _serving(stretch: Stretch) -> tuple[int, ...]:
    """Return the widths of roll-ups that fit into the buckets, the coarsest first."""
    return tuple(
        width_ms
        for width_ms in _COARSEST_FIRST_MS
        if stretch.width_ms % width_ms == 0 and stretch.origin_ms % width_ms == 0
    )


def _segments(since_ms: int, until_ms: int, widths_ms: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Return a range as pieces of whole roll-ups and, at its ends, of raw readings (width 0).

    >>> _segments(59_000, 7_300_000, (3_600_000,))
    [(0, 59000, 3600000), (3600000, 3600000, 7200000), (0, 7200000, 7300000)]
    """
    if since_ms >= until_ms:
        return []
    if not widths_ms:
        return [(0, since_ms, until_ms)]
    width_ms, finer = widths_ms[0], widths_ms[1:]
    first, last = -(-since_ms // width_ms) * width_ms, until_ms // width_ms * width_ms
    if first >= last:
        return _segments(since_ms, until_ms, finer)
    return [*_segments(since_ms, first, finer), (width_ms, first, last), *_segments(last, until_ms, finer)]


def _among(numbers: Sequence[int]) -> str:
    """Return a condition: a single one is read in its key's order, without sorting.

    >>> _among([3]), _among([3, 1, 3])
    ('= 3', 'IN (1, 3)')
    """
    once = sorted(set(numbers))
    return f"= {once[0]:d}" if len(once) == 1 else f"IN ({', '.join(f'{number:d}' for number in once)})"
