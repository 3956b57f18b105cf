"""Readings of a sensor as runs of unbroken sequence numbers: what gaps are found by, without reading every row out."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from dt.data.database.rollups import HOUR_S
from dt.data.database.storage import Run
from dt.utils.dataclasses import Origin
from dt.utils.exceptions import MessageError

MOST_RUNS = 200_000  # of an answer: 60 MB; a sensor that misses every tenth reading has 52,000 in 30 d at 5 s
NEIGHBOURS = 100  # readings before the range: they show the cadence and where its slots began

Row = tuple[int, str, int, str]  # timestamp in ms, boot, sequence, origin

_READINGS = """
SELECT timestamp_ms AS t, boot_id AS boot, sequence AS number, origin
FROM readings CROSS JOIN contexts USING (context_id) -- in this order: the key's own, and nothing needs sorting
WHERE readings.series_id {series} AND timestamp_ms >= :begin AND timestamp_ms < :end
"""
# A row that begins a run, with the row before it, which ended one.
_BREAKS = """
SELECT t, boot, number, origin, t0, boot0, number0, origin0 FROM (
    SELECT t, boot, number, origin, lag(t) OVER w AS t0, lag(boot) OVER w AS boot0, lag(number) OVER w AS number0,
        lag(origin) OVER w AS origin0 FROM ({rows}) WINDOW w AS (ORDER BY t)
) WHERE boot0 IS NOT boot OR number <> number0 + 1 OR (t0 < :since AND t >= :since) OR (t0 < :until AND t >= :until)
    {cut}
ORDER BY t
"""
_LATEST = "SELECT t, boot, number, origin FROM ({rows}) ORDER BY t DESC LIMIT 1"
_BEFORE = "SELECT min(t) FROM (SELECT t FROM ({rows}) ORDER BY t DESC LIMIT {count})"
_AFTER = "SELECT min(t) FROM ({rows})"
_COUNT = """
SELECT count(*) FROM readings WHERE series_id IN (SELECT series_id FROM series WHERE sensor_id = ?)
    AND timestamp_ms >= ? AND timestamp_ms < ? AND context_id IN (SELECT value FROM json_each(?))
"""
_LAST_SEALED = """
SELECT max(begin_s) FROM sealed_hours WHERE series_id IN (SELECT series_id FROM series WHERE sensor_id = ?)
"""
_END_OF_TIME_MS = 2**53


def find_runs(
    db: sqlite3.Connection, sensor_id: str, since_ms: int, until_ms: int, cuts: Sequence[int] = ()
) -> list[Run]:
    """Return the runs of a range, cut at its ends and before the numbers `cuts`.

    With them come the last ones before it and the first reading after it. Raises MessageError for too many of them,
    and for a range whose readings were removed: what is gone by intention must not be taken for lost.
    """
    _require_kept(db, sensor_id, since_ms)
    rows = _rows_of(db, sensor_id)
    if rows is None:
        return []
    before = {"begin": 0, "end": since_ms}
    [begin] = db.execute(_BEFORE.format(rows=rows, count=NEIGHBOURS), before).fetchone()
    after = {"begin": until_ms, "end": _END_OF_TIME_MS}
    [end] = db.execute(_AFTER.format(rows=rows), after).fetchone()
    places = {
        "begin": since_ms if begin is None else begin,
        "end": until_ms if end is None else end + 1,
        "since": since_ms,
        "until": until_ms,
        "cuts": msgspec.json.encode(cuts).decode(),
    }
    found: list[Run] = []
    first: Row | None = None
    is_in_order = True
    cut = " OR number IN (SELECT value FROM json_each(:cuts))" if cuts else ""
    for row in db.execute(_BREAKS.format(rows=rows, cut=cut), places):
        if first is not None:
            found.append(run_of(first, row[4:]))
            is_in_order = is_in_order and not (row[1] == row[5] and row[2] <= row[6])
        first = row[:4]
        if len(found) >= MOST_RUNS:
            raise MessageError("since", f"has more than {MOST_RUNS} runs of readings after it; ask for a shorter range")
    if first is not None:
        found.append(run_of(first, db.execute(_LATEST.format(rows=rows), places).fetchone()))
    return found if is_in_order else runs_in_order(found, (since_ms / 1000, until_ms / 1000), set(cuts))


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


def _require_kept(db: sqlite3.Connection, sensor_id: str, since_ms: int) -> None:
    [sealed_s] = db.execute(_LAST_SEALED, (sensor_id,)).fetchone()
    if sealed_s is not None and since_ms < (sealed_s + HOUR_S) * 1000:
        kept = datetime.fromtimestamp(sealed_s + HOUR_S, UTC)
        raise MessageError("since", f"must not be before {kept:%Y-%m-%dT%H:%M:%SZ}: older raw readings were removed")


def _rows_of(db: sqlite3.Connection, sensor_id: str) -> str | None:
    """Return the query of a sensor's rows; one series, as nearly all sensors have, is read in its key's order."""
    series = [row[0] for row in db.execute("SELECT series_id FROM series WHERE sensor_id = ?", (sensor_id,))]
    if not series:
        return None
    wanted = f"= {series[0]:d}" if len(series) == 1 else f"IN ({', '.join(f'{number:d}' for number in series)})"
    return _READINGS.format(series=wanted)


def runs_in_order(runs: Sequence[Run], places: Sequence[float], cuts: Collection[int]) -> list[Run]:
    """Return runs by boot and number where a clock was set back, or a reading stands under two times; each once."""
    begins: dict[str, float] = {}
    for run in runs:
        begins[run.boot_id] = min(begins.get(run.boot_id, run.first_at), run.first_at)
    found: list[Run] = []
    for run in sorted(runs, key=lambda run: (begins[run.boot_id], run.boot_id, run.first_sequence, -run.count)):
        before = found[-1] if found and found[-1].boot_id == run.boot_id else None
        rest = run if before is None else _from(run, before.last_sequence + 1)
        if rest is None:
            continue
        if before is not None and rest.first_sequence not in cuts and _goes_on(before, rest, places):
            found[-1] = replace(before, last_sequence=rest.last_sequence, last_at=rest.last_at)
        else:
            found.append(rest)
    return found


def _from(run: Run, first: int) -> Run | None:
    """Return what is left of a run from a number on."""
    if first <= run.first_sequence:
        return run
    if first > run.last_sequence:
        return None
    share = (first - run.first_sequence) / (run.count - 1)
    return replace(run, first_sequence=first, first_at=run.first_at + share * (run.last_at - run.first_at))


def _goes_on(run: Run, following: Run, places: Sequence[float]) -> bool:
    """Return whether numbers go on, with no end of the range between."""
    ends = (run.first_at, run.last_at, following.first_at, following.last_at)
    parts = {sum(at >= place for place in places) for at in ends}
    return following.first_sequence == run.last_sequence + 1 and len(parts) == 1


def run_of(first: Row, last: Row) -> Run:
    """Return the run that two rows begin and end."""
    return Run(
        boot_id=first[1],
        first_sequence=first[2],
        last_sequence=last[2],
        first_at=first[0] / 1000,
        last_at=last[0] / 1000,
        is_live=first[3] not in (Origin.BACKFILL, Origin.REPLAY),
    )
