"""The schema of the readings' file, and how a file of an earlier version becomes one of today."""

from __future__ import annotations

import shutil
import sqlite3
from importlib.resources import files
from pathlib import Path

from dt.data.database.rollups import HOUR_S, recompute
from dt.utils.exceptions import StorageError
from dt.utils.logger import get_logger

SCHEMA_VERSION = 2

_ROWS_AT_ONCE = 50_000  # of raw readings in one transaction of an upgrade
_TOLD_EVERY = 20  # pieces
_INCREMENTAL = 2  # of PRAGMA auto_vacuum

# Version 1 had no roll-ups, and an index of all correlation ids.
_FROM_1 = """
ALTER TABLE contexts ADD COLUMN line_id INTEGER NOT NULL DEFAULT 0 REFERENCES lines;
DROP INDEX IF EXISTS readings_by_correlation;
"""
_AFTER_1 = """
INSERT OR IGNORE INTO lines (series_id, unit, zone_id, plant_id)
    SELECT DISTINCT series_id, unit, zone_id, plant_id FROM contexts;
UPDATE contexts SET line_id = (
    SELECT line_id FROM lines AS l WHERE l.series_id = contexts.series_id AND l.unit = contexts.unit
        AND l.zone_id = contexts.zone_id AND l.plant_id IS contexts.plant_id
);
INSERT INTO rollups_due SELECT series_id, min(timestamp_ms) FROM readings GROUP BY series_id;
"""
_DUE = "SELECT series_id, from_ms FROM rollups_due ORDER BY series_id LIMIT 1"
_PIECE_ENDS = """
SELECT max(timestamp_ms) FROM (
    SELECT timestamp_ms FROM readings WHERE series_id = ? AND timestamp_ms >= ? ORDER BY timestamp_ms LIMIT ?
)
"""
_NEXT = "SELECT min(timestamp_ms) FROM readings WHERE series_id = ? AND timestamp_ms >= ?"

log = get_logger(__name__)


def load_schema(writer: sqlite3.Connection, path: Path) -> None:
    """Make or upgrade the tables, all at once; raises StorageError for a file of a later version."""
    [version] = writer.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StorageError(f"{path}: has schema {version}, and this program knows {SCHEMA_VERSION}")
    is_first = version == 1
    if is_first:
        log.info("%s: upgrading from schema 1 to %d", path, SCHEMA_VERSION)
    before, after = (_FROM_1, _AFTER_1) if is_first else ("", "")
    tables = files("dt.data.database").joinpath("readings.sql").read_text("utf-8")
    mark = "" if version == SCHEMA_VERSION else f"PRAGMA user_version = {SCHEMA_VERSION};"  # a full disk can be read
    try:
        writer.executescript(f"BEGIN IMMEDIATE; {before} {tables} {after} {mark} COMMIT;")
    except BaseException:  # Ctrl-C too must leave no half of it
        if writer.in_transaction:
            writer.execute("ROLLBACK")
        raise
    _build_due(writer, path)
    _give_back_space(writer, path)


def _build_due(writer: sqlite3.Connection, path: Path) -> None:
    """Make the roll-ups of an older file, piece by piece; a killed upgrade goes on where it stood."""
    pieces = 0
    while (due := writer.execute(_DUE).fetchone()) is not None:
        if pieces % _TOLD_EVERY == 0:
            [left] = writer.execute("SELECT count(*) FROM rollups_due").fetchone()
            log.info("%s: making roll-ups of older readings, %d series are left", path, left)
        pieces += 1
        writer.execute("BEGIN IMMEDIATE")
        try:
            _build_piece(writer, *due)
            writer.execute("COMMIT")
        except BaseException:  # the same
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise
    if pieces:
        log.info("%s: the roll-ups are made", path)


def _build_piece(writer: sqlite3.Connection, series_id: int, from_ms: int) -> None:
    since_s = from_ms // 1000 // HOUR_S * HOUR_S
    [last_ms] = writer.execute(_PIECE_ENDS, (series_id, from_ms, _ROWS_AT_ONCE)).fetchone()
    until_s = (last_ms // 1000 // HOUR_S + 1) * HOUR_S
    for begin_s, end_s in _inhabited(writer, series_id, since_s, until_s):
        recompute(writer, series_id, begin_s, end_s)
    [next_ms] = writer.execute(_NEXT, (series_id, until_s * 1000)).fetchone()
    if next_ms is None:
        writer.execute("DELETE FROM rollups_due WHERE series_id = ?", (series_id,))
    else:
        writer.execute("UPDATE rollups_due SET from_ms = ? WHERE series_id = ?", (next_ms, series_id))


def _inhabited(writer: sqlite3.Connection, series_id: int, since_s: int, until_s: int) -> list[tuple[int, int]]:
    """Return the days of a range that have readings: one clock in 2049 makes no list of two million minutes."""
    found: list[tuple[int, int]] = []
    at_s = since_s
    while at_s < until_s:
        [next_ms] = writer.execute(_NEXT, (series_id, at_s * 1000)).fetchone()
        if next_ms is None or next_ms >= until_s * 1000:
            break
        begin_s = next_ms // 1000 // HOUR_S * HOUR_S
        at_s = min(until_s, begin_s + 24 * HOUR_S)
        found.append((begin_s, at_s))
    return found


def _give_back_space(writer: sqlite3.Connection, path: Path) -> None:
    """Let the file shrink when retention removes readings; an older file is written anew for it, if there is room."""
    [mode] = writer.execute("PRAGMA auto_vacuum").fetchone()
    if mode == _INCREMENTAL:
        return
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < 3 * size:
        log.warning("%s: stays as large as it is when readings are removed: too little room to write it anew", path)
        return
    log.info("%s: written anew once (%.1f MB), so that it can shrink", path, size / 1e6)
    writer.execute("PRAGMA auto_vacuum = INCREMENTAL")
    writer.execute("VACUUM")
