"""Readings of a sensor as runs of unbroken sequence numbers: what gaps are found by, without reading every row out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from dt.data.database.storage import Run
from dt.utils.dataclasses import Origin

_NEIGHBOURS = 100  # readings before the range: they show the cadence and where its slots began

Row = tuple[int, str, int, str]  # timestamp in ms, boot, sequence, origin

_READINGS = """
SELECT timestamp_ms AS t, boot_id AS boot, sequence AS number, origin
FROM readings CROSS JOIN contexts USING (context_id) -- in this order: the key's own, and nothing needs sorting
WHERE readings.series_id {series} AND timestamp_ms >= :begin AND timestamp_ms < :end
"""
_FRAMES = """
SELECT timestamp_ms AS t, body ->> '$.boot_id' AS boot, body ->> '$.sequence' AS number, body ->> '$.origin' AS origin
FROM frames WHERE sensor_id = :sensor AND timestamp_ms >= :begin AND timestamp_ms < :end
"""
# A row that begins a run, with the row before it, which ended one.
_BREAKS = """
SELECT t, boot, number, origin, t0, boot0, number0, origin0 FROM (
    SELECT t, boot, number, origin, lag(t) OVER w AS t0, lag(boot) OVER w AS boot0, lag(number) OVER w AS number0,
        lag(origin) OVER w AS origin0 FROM ({rows}) WINDOW w AS (ORDER BY t)
) WHERE boot0 IS NOT boot OR number <> number0 + 1 OR (t0 < :since AND t >= :since) OR (t0 < :until AND t >= :until)
ORDER BY t
"""
_LATEST = "SELECT t, boot, number, origin FROM ({rows}) ORDER BY t DESC LIMIT 1"
_BEFORE = "SELECT min(t) FROM (SELECT t FROM ({rows}) ORDER BY t DESC LIMIT {count})"
_AFTER = "SELECT min(t) FROM ({rows})"
_COUNT = """
SELECT count(*) FROM readings WHERE series_id IN (SELECT series_id FROM series WHERE sensor_id = ?)
    AND timestamp_ms >= ? AND timestamp_ms < ? AND context_id IN (SELECT value FROM json_each(?))
"""
_END_OF_TIME_MS = 2**53


def find_runs(db: sqlite3.Connection, sensor_id: str, since_ms: int, until_ms: int) -> list[Run]:
    """Return the runs of a range, cut at its ends, with the last ones before it and the first reading after it."""
    rows = _rows_of(db, sensor_id)
    before = {"sensor": sensor_id, "begin": 0, "end": since_ms}
    [begin] = db.execute(_BEFORE.format(rows=rows, count=_NEIGHBOURS), before).fetchone()
    after = {"sensor": sensor_id, "begin": until_ms, "end": _END_OF_TIME_MS}
    [end] = db.execute(_AFTER.format(rows=rows), after).fetchone()
    places = {
        "sensor": sensor_id,
        "begin": since_ms if begin is None else begin,
        "end": until_ms if end is None else end + 1,
        "since": since_ms,
        "until": until_ms,
    }
    breaks = db.execute(_BREAKS.format(rows=rows), places).fetchall()
    if not breaks:
        return []
    if any(row[1] == row[5] and row[2] <= row[6] for row in breaks):
        return _runs_out_of_order(db.execute(rows, places).fetchall(), since_ms, until_ms)
    last = db.execute(_LATEST.format(rows=rows), places).fetchone()
    ends = [row[4:] for row in breaks[1:]] + [last]
    return [_run(first[:4], end) for first, end in zip(breaks, ends, strict=True)]


def count_late(db: sqlite3.Connection, sensor_id: str, since_ms: int, until_ms: int) -> int:
    """Return how many readings of a range came late."""
    contexts = db.execute(
        "SELECT context_id FROM contexts JOIN series USING (series_id) WHERE sensor_id = ? AND late", (sensor_id,)
    ).fetchall()
    if not contexts:
        return 0
    late = msgspec.json.encode([context_id for (context_id,) in contexts]).decode()
    [count] = db.execute(_COUNT, (sensor_id, since_ms, until_ms, late)).fetchone()
    return int(count)


def _rows_of(db: sqlite3.Connection, sensor_id: str) -> str:
    """Return the query of a sensor's rows; one series, as nearly all sensors have, is read in its key's order."""
    series = [row[0] for row in db.execute("SELECT series_id FROM series WHERE sensor_id = ?", (sensor_id,))]
    if not series:
        return _FRAMES
    wanted = f"= {series[0]:d}" if len(series) == 1 else f"IN ({', '.join(f'{number:d}' for number in series)})"
    return _READINGS.format(series=wanted)


def _runs_out_of_order(rows: Sequence[Row], since_ms: int, until_ms: int) -> list[Run]:
    """Return runs where a clock was set back, or a reading stands under two times: by boot and sequence."""
    begins: dict[str, int] = {}
    for t, boot, _number, _origin in rows:
        begins[boot] = min(begins.get(boot, t), t)
    once = {(boot, number): (t, boot, number, origin) for t, boot, number, origin in rows}
    ordered = sorted(once.values(), key=lambda row: (begins[row[1]], row[1], row[2]))
    return list(_joined(ordered, since_ms, until_ms))


def _joined(ordered: Sequence[Row], since_ms: int, until_ms: int) -> Iterable[Run]:
    first = ordered[0]
    for row, following in pairwise([*ordered, None]):
        assert row is not None
        goes_on = (
            following is not None
            and following[1] == row[1]
            and following[2] == row[2] + 1
            and _part(following[0], since_ms, until_ms) == _part(row[0], since_ms, until_ms)
        )
        if not goes_on:
            yield _run(first, row)
            first = following if following is not None else first


def _part(t: int, since_ms: int, until_ms: int) -> int:
    return (t >= since_ms) + (t >= until_ms)


def _run(first: Row, last: Row) -> Run:
    return Run(
        boot_id=first[1],
        first_sequence=first[2],
        last_sequence=last[2],
        first_at=first[0] / 1000,
        last_at=last[0] / 1000,
        is_live=first[3] not in (Origin.BACKFILL, Origin.REPLAY),
    )
