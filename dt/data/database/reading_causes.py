"""Readings by correlation id, and which derived readings came of one: what a trace asks of the SQLite store."""

from __future__ import annotations

import sqlite3
from itertools import islice

import msgspec

from dt.data.database.reading_rows import COLUMNS, CONTEXT_COLUMNS, Row, hash_of, reading_of, told_ms
from dt.data.database.storage import MOST_CHILDREN
from dt.utils.dataclasses import SensorData

_CAUSED_BY = 8  # of COLUMNS

_BY_HASH = f"SELECT {COLUMNS} FROM readings WHERE correlation_hash = ? AND correlation_hash <> 0 AND correlation_id = ?"  # noqa: S608 - a constant
_AT = (
    f"SELECT {COLUMNS} FROM series CROSS JOIN readings USING (series_id)"  # noqa: S608 - a constant
    " WHERE timestamp_ms = ? AND correlation_id = ? AND correlation_hash = 0"
)
_CONTEXT = f"SELECT {CONTEXT_COLUMNS} FROM contexts JOIN series USING (series_id) WHERE context_id = ?"  # noqa: S608 - a constant
_CHILDREN = "SELECT child FROM causes WHERE parent_hash = ? ORDER BY child"


def carrying(db: sqlite3.Connection, correlation_id: str) -> list[SensorData]:
    """Return the readings with a correlation id, oldest first."""
    rows = sorted(_rows(db, correlation_id), key=lambda row: row[0])
    contexts = {row[5]: db.execute(_CONTEXT, (row[5],)).fetchone() for row in rows}
    return [reading_of(row, contexts) for row in rows]


def children(db: sqlite3.Connection, correlation_id: str) -> list[str]:
    """Return the ids of readings that name this one as a parent, each once."""
    rows = db.execute(_CHILDREN, (hash_of(correlation_id),))
    return list(islice((child for (child,) in rows if _names(db, child, correlation_id)), MOST_CHILDREN))


def _rows(db: sqlite3.Connection, correlation_id: str) -> list[Row]:
    """Return rows by the instant that the id tells, and by its hash where a reading stands under another one."""
    told = told_ms(correlation_id)
    rows = [] if told is None else db.execute(_AT, (told, correlation_id)).fetchall()
    return rows + db.execute(_BY_HASH, (hash_of(correlation_id), correlation_id)).fetchall()


def _names(db: sqlite3.Connection, child: str, parent: str) -> bool:
    """Return whether a reading names this parent itself: another one may have the same hash."""
    return any(row[_CAUSED_BY] and parent in msgspec.json.decode(row[_CAUSED_BY]) for row in _rows(db, child))
