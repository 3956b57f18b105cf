"""Readings in SQLite."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

import msgspec

from dt.data.database.buckets import bucket_width_ms
from dt.data.database.reading_causes import carrying, children
from dt.data.database.reading_rows import (
    ADD_CAUSES,
    COLUMNS,
    CONTEXT_COLUMNS,
    UPSERT,
    Contexts,
    Row,
    cause_rows,
    reading_of,
)
from dt.data.database.reading_runs import count_late, find_runs
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import Place, Run, Series, SeriesQuery
from dt.utils.dataclasses import MAX_QUERY_ROWS, DBIdQuery, DBTimestampQuery, SensorData, Verdict
from dt.utils.quantities import QUANTITIES, Unit

_CONTEXT_ID, _SENSOR_ID, _UNIT, _ZONE_ID, _PLANT_ID, _VERDICT = 0, 1, 3, 4, 5, 8

_FIND_CONTEXTS = f"SELECT series_id, {CONTEXT_COLUMNS} FROM contexts JOIN series USING (series_id) WHERE "  # noqa: S608 - a constant
_RANGE = (
    f"SELECT {COLUMNS} FROM readings"  # noqa: S608 - a constant
    " WHERE series_id = ? AND timestamp_ms >= ? AND timestamp_ms < ? ORDER BY timestamp_ms"
)
_NEWEST = f"SELECT {COLUMNS} FROM readings WHERE series_id = ? ORDER BY timestamp_ms DESC"  # noqa: S608 - a constant
_CUTS = "SELECT DISTINCT first_sequence FROM cadence_changes WHERE sensor_id = ?"
_BUCKETS = """
SELECT timestamp_ms / :width, min(value), avg(value), max(value), count(*) FROM readings
WHERE series_id IN (SELECT value FROM json_each(:series)) AND timestamp_ms >= :since AND timestamp_ms < :until
    AND context_id IN (SELECT value FROM json_each(:contexts))
GROUP BY 1 ORDER BY 1
"""


class SQLStorage:
    """`Storage` in one SQLite file: one writer, any number of readers."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file
        self._contexts = Contexts()

    def insert(self, batch: Sequence[SensorData]) -> None:
        """Keep a batch durably; of the same reading twice the highest revision stays, of equal ones the last."""
        if not batch:
            return
        try:
            with self._file.write() as db:
                db.executemany(UPSERT, [self._contexts.row_of(db, reading) for reading in batch])
                derived = (reading for reading in batch if reading.caused_by)
                causes = (cause_rows(reading.caused_by, reading.correlation_id) for reading in derived)
                db.executemany(ADD_CAUSES, chain.from_iterable(causes))
        except BaseException:  # Ctrl-C too undoes the rows whose numbers are remembered
            self._contexts.forget()
            raise

    def between(
        self, query: DBTimestampQuery, *, after: Place | None = None, limit: int = MAX_QUERY_ROWS
    ) -> list[SensorData]:
        """Return readings with since <= timestamp < until, oldest first, those after a place only."""
        with self._file.read() as db:
            found = _contexts(db, data_type=query.data_type, sensor_id=query.sensor_id)
            wanted = {
                context_id: context
                for context_id, (_series_id, context) in found.items()
                if query.plant_id in (None, context[_PLANT_ID])
                and (query.verdicts is None or context[_VERDICT] in query.verdicts)
            }
            lines = [
                _line(db, series_id, sensor_id, query, after, wanted)
                for series_id, sensor_id in sorted({(found[c][0], wanted[c][_SENSOR_ID]) for c in wanted})
            ]
            merged = heapq.merge(*lines, key=lambda line: (line[0], line[1]))
            return [reading_of(row, wanted) for _timestamp_ms, _sensor_id, row in islice(merged, limit)]

    def latest(self, query: DBIdQuery) -> list[SensorData]:
        """Return a sensor's newest readings, newest first."""
        with self._file.read() as db:
            found = _contexts(db, data_type=query.data_type, sensor_id=query.sensor_id)
            contexts = {context_id: context for context_id, (_series_id, context) in found.items()}
            lines = [db.execute(_NEWEST, (series_id,)) for series_id in sorted({s for s, _context in found.values()})]
            merged = heapq.merge(*lines, key=lambda row: -row[0])
            return [reading_of(row, contexts) for row in islice(merged, query.limit)]

    def series(self, query: SeriesQuery) -> Series:
        """Return at most `points` buckets; a plant without own readings of a quantity has those of its zone."""
        since_ms, until_ms = round(query.since * 1000), round(query.until * 1000)
        width_ms = bucket_width_ms(since_ms, until_ms, query.points)
        with self._file.read() as db:
            unit, chosen = _chosen(db, query)
            rows = db.execute(
                _BUCKETS,
                {
                    "width": width_ms,
                    "since": since_ms,
                    "until": until_ms,
                    "series": _json({series_id for series_id, _context in chosen.values()}),
                    "contexts": _json(set(chosen)),
                },
            ).fetchall()
        return Series(
            resolution_s=width_ms / 1000,
            unit=unit,
            t=[row[0] * width_ms / 1000 for row in rows],
            min=[row[1] for row in rows],
            mean=[row[2] for row in rows],
            max=[row[3] for row in rows],
            n=[row[4] for row in rows],
        )

    def has_sensor(self, sensor_id: str) -> bool:
        """Return whether any reading of a sensor is kept."""
        with self._file.read() as db:
            return db.execute("SELECT 1 FROM series WHERE sensor_id = ?", (sensor_id,)).fetchone() is not None

    def runs(self, sensor_id: str, since: float, until: float) -> list[Run]:
        """Return a sensor's readings as runs, with the last before the range and the first after it."""
        with self._file.read() as db:
            cuts = [first for (first,) in db.execute(_CUTS, (sensor_id,))]
            return find_runs(db, sensor_id, round(since * 1000), round(until * 1000), cuts)

    def late(self, sensor_id: str, since: float, until: float) -> int:
        """Return how many of a sensor's readings of a range came late."""
        with self._file.read() as db:
            return count_late(db, sensor_id, round(since * 1000), round(until * 1000))

    def last_seen(self) -> dict[str, SensorData]:
        """Return the newest believable reading of each sensor."""
        newest: dict[str, SensorData] = {}
        with self._file.read() as db:
            found = _contexts(db)
            contexts = {c: context for c, (_series, context) in found.items() if context[_VERDICT] != Verdict.BAD}
            for series_id in sorted({series_id for series_id, _context in found.values()}):
                row = next((row for row in db.execute(_NEWEST, (series_id,)) if row[5] in contexts), None)
                if row is not None:
                    reading = reading_of(row, contexts)
                    before = newest.get(reading.sensor_id)
                    if before is None or before.timestamp < reading.timestamp:
                        newest[reading.sensor_id] = reading
        return newest

    def carrying(self, correlation_id: str) -> list[SensorData]:
        """Return the readings with a correlation id, oldest first."""
        with self._file.read() as db:
            return carrying(db, correlation_id)

    def children(self, correlation_id: str) -> list[str]:
        """Return the correlation ids of readings that name this one as a parent, each once, in their own order."""
        with self._file.read() as db:
            return children(db, correlation_id)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _contexts(
    db: sqlite3.Connection, *, data_type: str | None = None, sensor_id: str | None = None
) -> dict[int, tuple[int, Row]]:
    """Return series and context by context id."""
    given = {"data_type": data_type, "sensor_id": sensor_id}
    names = [name for name, value in given.items() if value is not None]
    condition = " AND ".join(f"{name} = :{name}" for name in names) or "true"
    rows = db.execute(_FIND_CONTEXTS + condition, {name: given[name] for name in names})
    return {row[1]: (row[0], row[1:]) for row in rows}


def _line(
    db: sqlite3.Connection,
    series_id: int,
    sensor_id: str,
    query: DBTimestampQuery,
    after: Place | None,
    wanted: Mapping[int, Row],
) -> Iterator[tuple[int, str, Row]]:
    """Yield one series' wanted rows in time order, from the place on."""
    since_ms = round(query.since * 1000)
    if after is not None:
        passed_ms = round(after[0] * 1000)
        since_ms = max(since_ms, passed_ms + 1 if sensor_id <= after[1] else passed_ms)
    for row in db.execute(_RANGE, (series_id, since_ms, round(query.until * 1000))):
        if row[5] in wanted:
            yield row[0], sensor_id, row


def _chosen(db: sqlite3.Connection, query: SeriesQuery) -> tuple[Unit | None, dict[int, tuple[int, Row]]]:
    """Return the contexts that a chart counts, all of one unit: the quantity's own where there are any."""
    found = {
        context_id: pair
        for context_id, pair in _contexts(db, data_type=query.data_type, sensor_id=query.sensor_id).items()
        if pair[1][_VERDICT] != Verdict.BAD and query.zone_id in (None, pair[1][_ZONE_ID])
    }
    if query.plant_id is not None:
        found = _of_plant(db, query.plant_id, found)
    units = {pair[1][_UNIT] for pair in found.values()}
    own = QUANTITIES[query.data_type].unit
    unit = own if own in units else min(units, default=None)
    chosen = {context_id: pair for context_id, pair in found.items() if pair[1][_UNIT] == unit}
    return (None if unit is None else Unit(unit)), chosen


def _of_plant(db: sqlite3.Connection, plant_id: str, found: dict[int, tuple[int, Row]]) -> dict[int, tuple[int, Row]]:
    own = {context_id: pair for context_id, pair in found.items() if pair[1][_PLANT_ID] == plant_id}
    if own:
        return own
    zones = {row[0] for row in db.execute("SELECT DISTINCT zone_id FROM contexts WHERE plant_id = ?", (plant_id,))}
    zones |= {row[0] for row in db.execute("SELECT body ->> 'zone_id' FROM plants WHERE plant_id = ?", (plant_id,))}
    return {c: pair for c, pair in found.items() if pair[1][_PLANT_ID] is None and pair[1][_ZONE_ID] in zones}


def _json(ids: set[int]) -> str:
    return msgspec.json.encode(sorted(ids)).decode()
