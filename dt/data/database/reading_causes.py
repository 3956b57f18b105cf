"""Readings by correlation id, and which derived readings came of one: what a trace asks of the SQLite store."""

from __future__ import annotations

import sqlite3
from itertools import islice

from dt.data.database.reading_rows import COLUMNS, CONTEXT_COLUMNS, hash_of, reading_of
from dt.data.database.storage import MOST_CHILDREN
from dt.utils.dataclasses import SensorData

_CARRYING = (
    f"SELECT {COLUMNS} FROM readings"  # noqa: S608 - a constant
    " WHERE correlation_hash = ? AND correlation_id = ? ORDER BY timestamp_ms, series_id"
)
_CONTEXT = f"SELECT {CONTEXT_COLUMNS} FROM contexts JOIN series USING (series_id) WHERE context_id = ?"  # noqa: S608 - a constant
_CHILDREN = "SELECT child FROM causes WHERE parent_hash = ? ORDER BY child"
_NAMES_PARENT = """
SELECT 1 FROM readings, json_each(caused_by)
WHERE correlation_hash = ? AND correlation_id = ? AND json_each.value = ?
"""


def carrying(db: sqlite3.Connection, correlation_id: str) -> list[SensorData]:
    """Return the readings with a correlation id, oldest first."""
    rows = db.execute(_CARRYING, (hash_of(correlation_id), correlation_id)).fetchall()
    contexts = {row[5]: db.execute(_CONTEXT, (row[5],)).fetchone() for row in rows}
    return [reading_of(row, contexts) for row in rows]


def children(db: sqlite3.Connection, correlation_id: str) -> list[str]:
    """Return the ids of readings that name this one as a parent, each once."""
    rows = db.execute(_CHILDREN, (hash_of(correlation_id),))
    return list(islice((child for (child,) in rows if _names(db, child, correlation_id)), MOST_CHILDREN))


def _names(db: sqlite3.Connection, child: str, parent: str) -> bool:
    """Return whether a reading names this parent itself: another one may have the same hash."""
    return db.execute(_NAMES_PARENT, (hash_of(child), child, parent)).fetchone() is not None
