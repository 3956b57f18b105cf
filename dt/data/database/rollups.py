"""Summaries of readings over 60, 300 and 3,600 s, recomputed from raw wherever a batch touches them.

Minutes are made of raw readings, five minutes of minutes, hours of five minutes. Sums keep what rounding takes away,
so that a mean of means is as good as one over all raw values.
"""

from __future__ import annotations

import itertools
import math
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dt.data.database.reading_rows import BAD, SUSPECT, Row

WIDTHS_S = (60, 300, 3600)
HOUR_S = 3600
_FINEST_S = WIDTHS_S[0]
_SERIES_AT_ONCE = 10  # some hundred microseconds each

Part = tuple[int, float, float, float, float, int]  # count, min, max, total, residue, suspects
Place = tuple[int, int]  # line and beginning in s
Counted = Callable[[int], tuple[int, int]]  # line of a context, and how it counts
Range = tuple[int, int]  # since and until in s

_COLUMNS = "rollups.line_id, begin_s, count, min, max, total, residue, suspects"
_RAW = """
SELECT line_id, timestamp_ms / 60000 * 60, value, verdict = 'suspect'
FROM readings CROSS JOIN contexts USING (context_id)
WHERE readings.series_id = ? AND timestamp_ms >= ? AND timestamp_ms < ? AND verdict IS NOT 'bad'
"""
_PARTS = f"""
SELECT {_COLUMNS} FROM lines CROSS JOIN rollups USING (line_id)
WHERE series_id = ? AND width_s = ? AND begin_s >= ? AND begin_s < ?
"""  # noqa: S608 - a constant
_BEGINNINGS = """
SELECT line_id, begin_s FROM lines CROSS JOIN rollups USING (line_id)
WHERE series_id = ? AND width_s = ? AND begin_s >= ? AND begin_s < ?
"""
_PUT = """
INSERT OR REPLACE INTO rollups (width_s, line_id, begin_s, count, min, max, total, residue, suspects)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_REMOVE = "DELETE FROM rollups WHERE width_s = ? AND line_id = ? AND begin_s = ?"
_BEFORE = """
SELECT (SELECT max(timestamp_ms) FROM readings WHERE series_id = ?),
    (SELECT max(begin_s) FROM sealed_hours WHERE series_id = ?)
"""
_NEWEST_BUCKETS = f"""
SELECT width_s, {_COLUMNS} FROM lines
CROSS JOIN (SELECT 60 AS width, ? AS begin UNION ALL SELECT 300, ? UNION ALL SELECT 3600, ?)
CROSS JOIN rollups ON rollups.line_id = lines.line_id AND width_s = width AND begin_s = begin
WHERE series_id = ?
"""  # noqa: S608 - a constant
_SEALED = "SELECT begin_s FROM sealed_hours WHERE series_id = ? AND begin_s >= ? AND begin_s < ?"
_RAW_AT = """
SELECT line_id, timestamp_ms, value, verdict = 'suspect' FROM readings CROSS JOIN contexts USING (context_id)
WHERE readings.series_id = ? AND timestamp_ms >= ? AND timestamp_ms < ? AND verdict IS NOT 'bad'
"""
_HOURS = """
SELECT timestamp_ms / 3600000 * 3600 FROM readings WHERE series_id = :series
UNION SELECT begin_s / 3600 * 3600 FROM lines CROSS JOIN rollups USING (line_id) WHERE series_id = :series
EXCEPT SELECT begin_s FROM sealed_hours WHERE series_id = :series
ORDER BY 1
"""


class Touched:
    """The buckets that a batch touches; made before its rows are written, and brought up to date after."""

    def __init__(self, db: sqlite3.Connection, rows: Iterable[Row]) -> None:
        self._rows = _winners(rows)
        self._before = {series_id: _before(db, series_id) for series_id in self._rows}

    @property
    def changed_ms(self) -> dict[int, int]:
        """Return by series the first instant that a batch has a reading of."""
        return {series_id: min(rows) for series_id, rows in self._rows.items()}

    def bring_up_to_date(
        self, db: sqlite3.Connection, counted: Counted, give_way: Callable[[], None] = lambda: None
    ) -> None:
        """Write the roll-ups of all widths, within the transaction that wrote the rows.

        What is newer than all that its series had is added to what is there; all else is recomputed from raw.
        """
        added: dict[int, dict[Place, Part]] = {width_s: {} for width_s in WIDTHS_S}
        for place, (series_id, rows) in enumerate(self._rows.items()):
            if place % _SERIES_AT_ONCE == 0:
                give_way()
            newest_ms, sealed_s = self._before[series_id]
            first_ms = min(rows)
            if first_ms > newest_ms and first_ms >= sealed_s * 1000:
                _add(db, series_id, newest_ms, _of_rows(rows, 0, counted), added)
            else:
                _mix(db, series_id, rows, max((newest_ms // 60_000 + 1) * 60, sealed_s), counted)
        for width_s, parts in added.items():
            _put(db, width_s, parts)


def parts_of(values: Mapping[Place, Sequence[float]], suspects: Mapping[Place, int]) -> dict[Place, Part]:
    """Return the summary of each bucket's values."""
    return {place: _part(mine, suspects.get(place, 0)) for place, mine in values.items()}


def recompute(db: sqlite3.Connection, series_id: int, since_s: int, until_s: int) -> None:
    """Make the roll-ups of a range of whole hours anew from raw."""
    _refresh(db, series_id, range(since_s, until_s, _FINEST_S), {}, until_s)


def raw_parts(db: sqlite3.Connection, series_id: int, since_s: int, until_s: int) -> dict[Place, Part]:
    """Return the minutes of a range as the raw readings give them."""
    values: defaultdict[Place, list[float]] = defaultdict(list)
    suspects: defaultdict[Place, int] = defaultdict(int)
    for line_id, minute, value, is_suspect in db.execute(_RAW, (series_id, since_s * 1000, until_s * 1000)).fetchall():
        values[line_id, minute].append(value)
        if is_suspect:
            suspects[line_id, minute] += 1
    return parts_of(values, suspects)


def kept_parts(db: sqlite3.Connection, series_id: int, width_s: int, since_s: int, until_s: int) -> dict[Place, Part]:
    """Return the roll-ups of one width as they are kept."""
    rows = db.execute(_PARTS, (series_id, width_s, since_s, until_s)).fetchall()
    return {row[:2]: row[2:] for row in rows}


def joined(parts: Mapping[Place, Part], width_s: int) -> dict[Place, Part]:
    """Return wider buckets made of narrower ones.

    >>> joined({(1, 0): (1, 2.0, 2.0, 2.0, 0.0, 0), (1, 60): (2, 1.0, 5.0, 6.0, 0.0, 1)}, 300)
    {(1, 0): (3, 1.0, 5.0, 8.0, 0.0, 1)}
    """
    groups: defaultdict[Place, list[Part]] = defaultdict(list)
    for (line_id, begin_s), part in parts.items():
        groups[line_id, begin_s // width_s * width_s].append(part)
    return {place: mine[0] if len(mine) == 1 else _joined(mine) for place, mine in groups.items()}


def mean_of(part: Part) -> float:
    """Return the mean of a summary."""
    return (part[3] + part[4]) / part[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A bucket whose roll-up is not what its raw readings give; None where one of both is missing."""

    sensor_id: str
    data_type: str
    width_s: int
    begin_s: int
    kept: Part | None
    expected: Part | None


def verify_rollups(file: Path) -> list[Mismatch]:
    """Compare all roll-ups of a file with a recomputation from raw, hours without raw readings left out.

    Count, minimum, maximum and suspects must be the same, means within 1e-12 of their size.
    """
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.execute("BEGIN")
        series = db.execute("SELECT series_id, sensor_id, data_type FROM series").fetchall()
        return [mismatch for one in series for hour in _hours(db, one[0]) for mismatch in _compared(db, one, hour)]


def verify_hour(db: sqlite3.Connection, series: tuple[int, str, str], hour_s: int) -> list[Mismatch]:
    """Compare the roll-ups of one hour of a series (id, sensor, quantity), of one state of the file.

    An hour whose raw readings are gone by then has nothing to be compared with.
    """
    db.execute("BEGIN")
    try:
        is_sealed = db.execute(_SEALED, (series[0], hour_s, hour_s + 1)).fetchone() is not None
        return [] if is_sealed else list(_compared(db, series, hour_s))
    finally:
        db.execute("ROLLBACK")


def is_equal(one: Part | None, other: Part | None) -> bool:
    """Return whether two summaries are of the same readings: a mean may differ by 1e-12 of its size."""
    if one is None or other is None:
        return one is other
    same = (one[:3], one[5]) == (other[:3], other[5])
    return same and math.isclose(mean_of(one), mean_of(other), rel_tol=1e-12, abs_tol=sys.float_info.min)


def _refresh(
    db: sqlite3.Connection, series_id: int, stale: Iterable[int], fresh: dict[Place, Part], fresh_from_s: int
) -> None:
    """Write minutes and what is made of them: `stale` ones are read again, those from `fresh_from_s` on are new."""
    dirty = _ranges(stale, _FINEST_S)
    parts = dict(fresh)
    for within in dirty:
        made = raw_parts(db, series_id, *within)
        _remove_others(db, series_id, _FINEST_S, within, made)
        parts |= made
    _put(db, _FINEST_S, parts)
    for finer_s, width_s in itertools.pairwise(WIDTHS_S):
        begins = {at // width_s * width_s for within in dirty for at in range(*within, finer_s)}
        begins |= {begin for _line, at in fresh if (begin := at // width_s * width_s) < fresh_from_s}
        fresh = joined(
            {place: part for place, part in fresh.items() if place[1] // width_s * width_s not in begins}, width_s
        )
        parts = dict(fresh)
        dirty = _ranges(begins, width_s)
        for within in dirty:
            made = joined(kept_parts(db, series_id, finer_s, *within), width_s)
            _remove_others(db, series_id, width_s, within, made)
            parts |= made
        _put(db, width_s, parts)


def _remove_others(
    db: sqlite3.Connection, series_id: int, width_s: int, within: Range, made: Mapping[Place, Part]
) -> None:
    """Remove the roll-ups of a range that no reading stands behind any more."""
    kept = db.execute(_BEGINNINGS, (series_id, width_s, *within)).fetchall()
    db.executemany(_REMOVE, [(width_s, *place) for place in kept if place not in made])


def _put(db: sqlite3.Connection, width_s: int, parts: Mapping[Place, Part]) -> None:
    db.executemany(_PUT, [(width_s, *place, *part) for place, part in parts.items()])


def _winners(rows: Iterable[Row]) -> dict[int, dict[int, Row]]:
    """Return by series and instant the rows that stay of a batch: the highest revision, of equal ones the last."""
    found: dict[int, dict[int, Row]] = {}
    for row in rows:
        mine = found.get(row[0])
        if mine is None:
            mine = found[row[0]] = {}
        kept = mine.setdefault(row[1], row)
        if kept is not row and row[5] >= kept[5]:
            mine[row[1]] = row
    return found


def _before(db: sqlite3.Connection, series_id: int) -> tuple[int, int]:
    """Return the instant in ms of a series' newest reading, and in s the end of its last sealed hour."""
    newest_ms, sealed_s = db.execute(_BEFORE, (series_id, series_id)).fetchone()
    return -1 if newest_ms is None else newest_ms, 0 if sealed_s is None else sealed_s + HOUR_S


def _add(
    db: sqlite3.Connection,
    series_id: int,
    newest_ms: int,
    minutes: dict[Place, Part],
    added: Mapping[int, dict[Place, Part]],
) -> None:
    """Add what is newer than all that a series had to the buckets of its newest reading, and begin others."""
    parts = minutes
    made = {}
    for width_s in WIDTHS_S:
        parts = joined(parts, width_s)
        made[width_s] = dict(parts)
    if newest_ms >= 0:
        begins = [newest_ms // 1000 // width_s * width_s for width_s in WIDTHS_S]
        for width_s, line_id, begin_s, *kept in db.execute(_NEWEST_BUCKETS, (*begins, series_id)).fetchall():
            new = made[width_s].get((line_id, begin_s))
            if new is not None:
                made[width_s][line_id, begin_s] = _joined([tuple(kept), new])
    for width_s, mine in made.items():
        added[width_s].update(mine)


def _mix(db: sqlite3.Connection, series_id: int, rows: Mapping[int, Row], fresh_from_s: int, counted: Counted) -> None:
    """Recompute the buckets of rows among which some are not newer than what the series had."""
    minutes = _unsealed(db, series_id, {at // 60_000 * 60 for at in rows})
    stale = [minute for minute in minutes if minute < fresh_from_s]
    _refresh(db, series_id, stale, _of_rows(rows, fresh_from_s, counted), fresh_from_s)


def _unsealed(db: sqlite3.Connection, series_id: int, minutes: set[int]) -> set[int]:
    """Return the minutes whose hour still has its raw readings."""
    hours = db.execute(_SEALED, (series_id, min(minutes) // HOUR_S * HOUR_S, max(minutes) + 1)).fetchall()
    if not hours:
        return minutes
    sealed = {hour for (hour,) in hours}
    return {minute for minute in minutes if minute // HOUR_S * HOUR_S not in sealed}


def _of_rows(rows: Mapping[int, Row], from_s: int, counted: Counted) -> dict[Place, Part]:
    """Return the minutes from an instant on as these rows give them."""
    from_ms = from_s * 1000
    values: defaultdict[Place, list[float]] = defaultdict(list)
    suspects: defaultdict[Place, int] = defaultdict(int)
    for at, row in rows.items():
        if at < from_ms:
            continue
        line_id, kind = counted(row[6])
        if kind == BAD:
            continue
        place = (line_id, at // 60_000 * 60)
        values[place].append(row[2])
        if kind == SUSPECT:
            suspects[place] += 1
    return parts_of(values, suspects)


def _ranges(begins: Iterable[int], width_s: int) -> list[Range]:
    """Return buckets as ranges without a hole.

    >>> _ranges([120, 0, 60, 300], 60)
    [(0, 180), (300, 360)]
    """
    found: list[Range] = []
    for begin in sorted(begins):
        if found and found[-1][1] == begin:
            found[-1] = (found[-1][0], begin + width_s)
        else:
            found.append((begin, begin + width_s))
    return found


def _part(values: Sequence[float], suspects: int) -> Part:
    total, residue = _sum(values)
    return len(values), min(values), max(values), total, residue, suspects


def _joined(parts: Sequence[Part]) -> Part:
    counts, lowest, highest, totals, residues, suspects = zip(*parts, strict=True)
    total, residue = _sum((*totals, *residues))
    return sum(counts), min(lowest), max(highest), total, residue, sum(suspects)


def _sum(values: Sequence[float]) -> tuple[float, float]:
    """Return a sum, rounded once (Shewchuk 1997, as math.fsum has it), and what the rounding took away.

    >>> _sum([1e16, 1.0, -1e16]), _sum([1e16, 1.0])
    ((1.0, 0.0), (1e+16, 1.0))
    """
    if len(values) == 1:
        return values[0], 0.0
    try:
        total = math.fsum(values)
        return total, math.fsum((*values, -total))
    except OverflowError:
        limit = Fraction(sys.float_info.max)
        return float(max(-limit, min(limit, sum(map(Fraction, values), Fraction(0))))), 0.0


def _hours(db: sqlite3.Connection, series_id: int) -> list[int]:
    """Return the hours that have raw readings or roll-ups, those without their raw ones left out."""
    rows = db.execute(_HOURS, {"series": series_id})
    return [hour for (hour,) in rows]


def _compared(db: sqlite3.Connection, series: tuple[int, str, str], hour_s: int) -> Iterator[Mismatch]:
    raw = db.execute(_RAW_AT, (series[0], hour_s * 1000, (hour_s + HOUR_S) * 1000)).fetchall()
    for width_s in WIDTHS_S:
        values: defaultdict[Place, list[float]] = defaultdict(list)
        suspects: Counter[Place] = Counter()
        for line_id, timestamp_ms, value, is_suspect in raw:
            place = (line_id, timestamp_ms // 1000 // width_s * width_s)
            values[place].append(value)
            suspects[place] += bool(is_suspect)
        expected = parts_of(values, suspects)
        kept = kept_parts(db, series[0], width_s, hour_s, hour_s + HOUR_S)
        for place in sorted(expected.keys() | kept.keys()):
            one, other = kept.get(place), expected.get(place)
            if not is_equal(one, other):
                yield Mismatch(
                    sensor_id=series[1],
                    data_type=series[2],
                    width_s=width_s,
                    begin_s=place[1],
                    kept=one,
                    expected=other,
                )
