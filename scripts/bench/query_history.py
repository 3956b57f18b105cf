"""A long line of readings in a SQLite file, as the database service would have kept it."""

from __future__ import annotations

from query_feed import PLACE, reading
from stage import Stage, say

from dt.data.database.rollups import HOUR_S, recompute, verify_rollups
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile

_YEAR_S = 365 * 86_400
_A_YEARS = 2_000_000  # readings: one each 15.8 s
_ROWS_AT_ONCE = 200_000
_HOURS_AT_ONCE = 500

# Ids tell their readings' instants, as those of the collector do (RFC 9562, version 7).
_ROWS = """
INSERT OR IGNORE INTO readings
    (series_id, timestamp_ms, value, sequence, revision, context_id, correlation_id, correlation_hash)
WITH RECURSIVE numbers (number) AS (SELECT :first UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < :end)
SELECT series_id, at, 20 + sin(at / 1.4e7) + (number * 37 % 100) / 100.0, number, 0, context_id,
    format('%s-%s-7%03x-8%03x-%012x', substr(hex, 1, 8), substr(hex, 9, 4), number % 4096, number % 4096, number), 0
FROM (
    SELECT number, at, format('%012x', at) AS hex
    FROM (SELECT number, CAST(:begin_ms + number * :step_ms AS INTEGER) AS at FROM numbers)
), (SELECT series_id, context_id FROM contexts JOIN series USING (series_id) WHERE sensor_id = :sensor)
"""


def make_history(stage: Stage, count: int, now: float) -> None:
    """Put `count` raw readings of the line into the file, the last of them now, with their roll-ups."""
    file = SQLiteFile(stage.settings.database_file)
    storage = SQLStorage(file)
    span_s = span_of(count)
    begin = now - span_s
    storage.insert([reading(PLACE["sensor_id"], begin, 0)])
    step_ms = span_s * 1000.0 / count
    places = {"sensor": PLACE["sensor_id"], "begin_ms": round(begin * 1000), "step_ms": step_ms}
    for first in range(1, count, _ROWS_AT_ONCE):
        with file.write() as db:
            db.execute(_ROWS, {**places, "first": first, "end": min(count, first + _ROWS_AT_ONCE)})
    with file.read() as db:
        [series_id] = db.execute("SELECT series_id FROM series").fetchone()
    since_s, until_s = int(begin) // HOUR_S * HOUR_S, (int(now) // HOUR_S + 1) * HOUR_S
    for at_s in range(since_s, until_s, _HOURS_AT_ONCE * HOUR_S):
        with file.write() as db:
            recompute(db, series_id, at_s, min(until_s, at_s + _HOURS_AT_ONCE * HOUR_S))
    storage.close()
    if count <= _A_YEARS and (wrong := verify_rollups(stage.settings.database_file)):
        msg = f"{len(wrong)} roll-ups of the history are wrong"
        raise ValueError(msg)
    say(f"  {stage.settings.database_file.stat().st_size / 1e6:,.0f} MB")


def span_of(count: int) -> float:
    """Return how many seconds so many readings are spread over: a year, and longer for more than a year's."""
    return _YEAR_S * max(1.0, count / _A_YEARS)
