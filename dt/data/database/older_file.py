"""Records of the file that once held readings and records together, copied over once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from dt.data.database.calibration_records import keep_version
from dt.data.database.record_keepers import causes_of, keep_causes, place_of
from dt.data.database.records_db import RecordsDB, insert_into
from dt.data.database.tables import (
    ACTIONS,
    ALERT_EVENTS,
    ALERTS,
    CADENCE_CHANGES,
    CADENCES,
    DEAD_LETTERS,
    FRAME_FILES_TO_REMOVE,
    FRAMES,
    GAP_NOTICES,
    IMPORTS,
    PLANTS,
    PREDICTIONS,
    SENSORS,
)
from dt.utils.codec import Message
from dt.utils.dataclasses import ActionResult, AlertEvent, Prediction, SensorDescriptor
from dt.utils.exceptions import MessageError, StorageError
from dt.utils.logger import get_logger

NAME = "records of the combined file"
_AT_ONCE = 1000

_TABLES = (
    PLANTS, SENSORS, ALERTS, ALERT_EVENTS, ACTIONS, PREDICTIONS, DEAD_LETTERS, FRAMES, FRAME_FILES_TO_REMOVE,
    GAP_NOTICES, CADENCE_CHANGES, CADENCES,
)  # fmt: skip
_WITH_CAUSES: Mapping[Table, Callable[[str], Message]] = {
    ALERT_EVENTS: AlertEvent.from_json,
    PREDICTIONS: Prediction.from_json,
    ACTIONS: ActionResult.from_json,
}

log = get_logger(__name__)


def take_over(db: RecordsDB, path: Path, now: float) -> dict[str, int]:
    """Copy the records of an older file, in one transaction, and return how many rows of which table; {} when done.

    The file stays as it is. Raises StorageError when it cannot be read.
    """
    if not path.is_file():
        return {}
    with db.write() as connection:
        if connection.scalar(select(IMPORTS.c.name).filter_by(name=NAME)) is not None:
            return {}
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as old:
                old.row_factory = sqlite3.Row
                copied = _copy_all(connection, old)
        except sqlite3.Error as error:
            raise StorageError(f"{path}: its records cannot be taken over: {error}") from error
        if copied is None:
            return {}
        connection.execute(IMPORTS.insert().values(name=NAME, at_ms=round(now * 1000)))
    log.info("%d records were taken over from %s", sum(copied.values()), path)
    return copied


def _copy_all(connection: Connection, old: sqlite3.Connection) -> dict[str, int] | None:
    """Copy every table that the file has; None when it is a file of readings alone."""
    there = {name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    tables = [table for table in _TABLES if table.name in there]
    if not tables:
        return None
    return {table.name: _copy(connection, old, table) for table in tables}


def _copy(connection: Connection, old: sqlite3.Connection, table: Table) -> int:
    count = 0
    for rows in _batches(old, table):
        connection.execute(insert_into(connection, table).on_conflict_do_nothing(), rows)
        count += len(rows)
        for row in rows:
            _keep_derived(connection, table, row)
    return count


def _batches(old: sqlite3.Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """Yield rows in the order of keeping, without the numbers that the old file gave them."""
    has_number = "row_id" in table.c
    order = "ORDER BY row_id" if has_number else ""
    found = old.execute(f"SELECT * FROM {table.name} {order}")  # noqa: S608 - a name of our own
    while rows := found.fetchmany(_AT_ONCE):
        yield [_row_of(table, dict(row)) for row in rows]


def _row_of(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    row.pop("row_id", None)
    if table is PLANTS:
        row["archived"] = bool(_member(row["body"], "archived"))
    elif table is FRAMES:
        row["flagged"] = bool(_member(row["body"], "flags"))
    elif table is GAP_NOTICES:
        row["place"] = place_of(row["first_sequence"], row["since_ms"])
    return row


def _member(body: str, name: str) -> Any:
    return msgspec.json.decode(body).get(name)


def _keep_derived(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Keep causes and calibrations, which the old file had in the bodies; what cannot be read stays as it is."""
    try:
        if table is SENSORS:
            sensor = SensorDescriptor.from_json(row["body"])
            keep_version(connection, None, sensor, row["updated_ms"] / 1000, "")
        elif table in _WITH_CAUSES:
            keep_causes(connection, causes_of(_WITH_CAUSES[table](row["body"])), row["correlation_id"])
    except MessageError as error:
        log.warning("a record of %s is taken over as it is: %s", table.name, error)
