"""Readings in SQLite."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TypeVar

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
from dt.data.database.reading_series import read_series
from dt.data.database.rollups import Touched
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import Place, Run, Series, SeriesQuery, ZoneOf
from dt.utils.dataclasses import MAX_QUERY_ROWS, DBIdQuery, DBTimestampQuery, SensorData
from dt.utils.exceptions import StorageFullError

_T = TypeVar("_T")
_PIECE = 200
_SENSOR_ID, _PLANT_ID, _VERDICT = 1, 5, 8

_FIND_CONTEXTS = f"SELECT series_id, {CONTEXT_COLUMNS} FROM contexts JOIN series USING (series_id) WHERE "  # noqa: S608 - a constant
_RANGE = (
    f"SELECT {COLUMNS} FROM readings"  # noqa: S608 - a constant
    " WHERE series_id = ? AND timestamp_ms >= ? AND timestamp_ms < ? ORDER BY timestamp_ms"
)
_LAST_BELIEVED = f"""
SELECT {COLUMNS} FROM readings CROSS JOIN contexts USING (context_id)
WHERE readings.series_id = :series AND timestamp_ms >= 1000 * :minute AND timestamp_ms < 1000 * (:minute + 60)
    AND verdict IS NOT 'bad'
ORDER BY timestamp_ms DESC LIMIT 1
"""  # noqa: S608 - a constant
_LAST_MINUTE = """
SELECT max((SELECT max(begin_s) FROM rollups WHERE rollups.line_id = lines.line_id AND width_s = 60))
FROM lines WHERE series_id = ?
"""
_NEWEST = f"SELECT {COLUMNS} FROM readings WHERE series_id = ? ORDER BY timestamp_ms DESC"  # noqa: S608 - a constant


class SQLStorage:
    """`Storage` in one SQLite file: one writer, any number of readers."""

    def __init__(
        self,
        file: SQLiteFile,
        zone_of: ZoneOf = lambda _plant_id: None,
        told_full: Callable[[bool], None] = lambda _is_full: None,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        self._file = file
        self._give_way = give_way
        self._zone_of = zone_of
        self._told_full = told_full
        self._contexts = Contexts()

    def insert(self, batch: Sequence[SensorData]) -> None:
        """Keep a batch durably; of the same reading twice the highest revision stays, of equal ones the last."""
        if not batch:
            return
        try:
            with self._file.write() as db:
                rows: list[Row] = []
                for piece in self._pieces(batch):
                    rows += [self._contexts.row_of(db, reading) for reading in piece]
                touched = Touched(db, rows)
                for some in self._pieces(rows):
                    db.executemany(UPSERT, some)
                derived = (reading for reading in batch if reading.caused_by)
                causes = (cause_rows(reading.caused_by, reading.correlation_id) for reading in derived)
                db.executemany(ADD_CAUSES, chain.from_iterable(causes))
                touched.bring_up_to_date(db, self._contexts.counted_as, self._give_way)
                self._file.changing(touched.changed_ms)
            self._contexts.make_room()
        except BaseException as error:  # Ctrl-C too undoes the rows whose numbers are remembered
            self._contexts.forget()
            if isinstance(error, StorageFullError):
                self._told_full(True)
            raise
        self._told_full(False)

    def insert_all(self, pieces: Iterable[Sequence[SensorData]]) -> None:
        """Keep the pieces of a batch in one transaction."""
        self.insert(list(chain.from_iterable(pieces)))

    def _pieces(self, items: Sequence[_T]) -> Iterator[Sequence[_T]]:
        """Yield a batch in pieces of a millisecond's work, between which requests may be answered."""
        for first in range(0, len(items), _PIECE):
            self._give_way()
            yield items[first : first + _PIECE]

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
        zone_id = None if query.plant_id is None else self._zone_of(query.plant_id)
        with self._file.charts.reading() as look, self._file.read() as db:
            return read_series(db, query, zone_id, look)

    def has_sensor(self, sensor_id: str) -> bool:
        """Return whether any reading of a sensor is kept."""
        with self._file.read() as db:
            return db.execute("SELECT 1 FROM series WHERE sensor_id = ?", (sensor_id,)).fetchone() is not None

    def runs(self, sensor_id: str, since: float, until: float, cuts: Sequence[int] = ()) -> list[Run]:
        """Return a sensor's readings as runs, with the last before the range and the first after it."""
        with self._file.read() as db:
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
            contexts = {context_id: context for context_id, (_series, context) in found.items()}
            for series_id in sorted({series_id for series_id, _context in found.values()}):
                row = _last_believed(db, series_id)
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


def _last_believed(db: sqlite3.Connection, series_id: int) -> Row | None:
    """Return the newest reading that is not bad; bad ones may have come for months, and roll-ups know of none."""
    [minute] = db.execute(_LAST_MINUTE, (series_id,)).fetchone()
    row: Row | None = db.execute(_LAST_BELIEVED, {"series": series_id, "minute": minute}).fetchone()
    return row


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
