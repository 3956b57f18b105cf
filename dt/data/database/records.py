"""Alerts, actions, predictions, pictures, notes and dead letters: kept once each, read newest first in pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, delete, func, select, tuple_

from dt.data.database.record_keepers import KEEPERS, keep_letters, ms
from dt.data.database.records_db import RecordsDB, insert_into
from dt.data.database.storage import MOST_CHILDREN
from dt.data.database.tables import (
    ACTIONS,
    ALERT_EVENTS,
    ALERTS,
    CAUSES,
    DEAD_LETTERS,
    FRAMES,
    NOTES,
    PREDICTIONS,
)
from dt.utils.codec import Message, Timestamp
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, DeadLetter, Note, Prediction
from dt.utils.exceptions import MessageError

MOST_ITEMS = 1000

# The tables that the log fills and `page` reads, with the columns that they can be narrowed by.
FILTERS: Mapping[str, tuple[str, ...]] = {
    "alerts": ("plant_id", "zone_id", "state", "alert_id"),
    "actions": ("plant_id", "actuator_id", "outcome", "action_id"),
    "predictions": ("plant_id", "quantity"),
    "dead_letters": ("topic", "reason"),
    "frames": ("plant_id", "zone_id", "sensor_id"),
}
NOTE_FILTERS = ("plant_id", "zone_id", "note_id")

_PAGED: Mapping[str, tuple[Table, tuple[str, ...]]] = {
    **{table.name: (table, FILTERS[table.name]) for table in (ALERTS, ACTIONS, PREDICTIONS, DEAD_LETTERS, FRAMES)},
    "notes": (NOTES, NOTE_FILTERS),
}
_CARRYING: Mapping[Table, Callable[[str], Message]] = {
    FRAMES: CameraFrame.from_json,
    PREDICTIONS: Prediction.from_json,
    ALERT_EVENTS: AlertEvent.from_json,
    ACTIONS: ActionResult.from_json,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery(Message):
    """How much to return: since <= timestamp < until, at most `limit`, those after a cursor only."""

    limit: int = 100
    since: Timestamp | None = None
    until: Timestamp | None = None
    cursor: str | None = None

    def ensure_consistent(self) -> None:
        """Refuse more than a page holds, and an empty range."""
        if not 1 <= self.limit <= MOST_ITEMS:
            raise MessageError("limit", f"must be from 1 to {MOST_ITEMS}, not {self.limit}")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise MessageError("until", f"must be after since ({self.since}), and is {self.until}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of records as their own JSON; `next` is the cursor of the following one."""

    items: list[msgspec.Raw]
    next: str | None


class Records:
    """What happened, and what people noted of it."""

    def __init__(self, db: RecordsDB) -> None:
        self._db = db

    def keep(self, messages: Sequence[Message]) -> None:
        """Keep messages durably in one transaction; the same one again changes nothing."""
        if not messages:
            return
        with self._db.write() as connection:
            keep_letters(connection, [message for message in messages if isinstance(message, DeadLetter)])
            for message in messages:
                if not isinstance(message, DeadLetter):
                    KEEPERS[type(message)](connection, message)

    def put_note(self, note: Note) -> bool:
        """Keep a note, in place of an earlier one of its id; return whether it is new."""
        with self._db.write() as connection:
            gone = connection.execute(delete(NOTES).where(NOTES.c.note_id == note.note_id)).rowcount
            row = {"note_id": note.note_id, "timestamp_ms": ms(note.timestamp), "body": note.to_json().decode()}
            connection.execute(
                insert_into(connection, NOTES).values(**row, plant_id=note.plant_id, zone_id=note.zone_id)
            )
        return not gone

    def delete_note(self, note_id: str) -> bool:
        """Remove a note; False when there is none."""
        with self._db.write() as connection:
            return bool(connection.execute(delete(NOTES).where(NOTES.c.note_id == note_id)).rowcount)

    def notes(self, query: PageQuery, filters: Mapping[str, str]) -> Page:
        """Return one page of notes, newest first, narrowed by `NOTE_FILTERS`."""
        return self.page("notes", query, filters)

    def last_pictures(self) -> dict[str, float]:
        """Return when each camera's newest picture was taken."""
        newest = select(FRAMES.c.sensor_id, func.max(FRAMES.c.timestamp_ms)).group_by(FRAMES.c.sensor_id)
        with self._db.read() as connection:
            return {sensor_id: timestamp_ms / 1000 for sensor_id, timestamp_ms in connection.execute(newest)}

    def page(self, table: str, query: PageQuery, filters: Mapping[str, str]) -> Page:
        """Return one page of a table of `FILTERS`, or of `notes`, newest first."""
        kept, names = _PAGED[table]
        at, row = kept.c.timestamp_ms, kept.c.row_id
        wanted = select(at, row, kept.c.body).where(
            *(kept.c[name] == filters[name] for name in names if name in filters)
        )
        if query.since is not None:
            wanted = wanted.where(at >= ms(query.since))
        if query.until is not None:
            wanted = wanted.where(at < ms(query.until))
        if query.cursor is not None:
            wanted = wanted.where(tuple_(at, row) < _place(query.cursor))
        with self._db.read() as connection:
            rows = connection.execute(wanted.order_by(at.desc(), row.desc()).limit(query.limit + 1)).fetchall()
        items = [msgspec.Raw(body.encode()) for _timestamp_ms, _row_id, body in rows[: query.limit]]
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        return Page(items=items, next=None if last is None else f"{last[0]}-{last[1]}")

    def carrying(self, correlation_id: str) -> list[Message]:
        """Return pictures, predictions, steps of alerts and results with a correlation id, in the order of keeping."""
        with self._db.read() as connection:
            return [
                decode(body)
                for table, decode in _CARRYING.items()
                for body in _bodies(connection, table, correlation_id)
            ]

    def children(self, correlation_id: str) -> list[str]:
        """Return the correlation ids of records that name this one as a parent, each once, in their own order."""
        wanted = select(CAUSES.c.child).where(CAUSES.c.parent == correlation_id)
        with self._db.read() as connection:
            return list(connection.scalars(wanted.order_by(CAUSES.c.child).limit(MOST_CHILDREN)))


def _bodies(connection: Connection, table: Table, correlation_id: str) -> Sequence[str]:
    wanted = select(table.c.body).where(table.c.correlation_id == correlation_id).order_by(table.c.row_id)
    return connection.scalars(wanted).all()


def _place(cursor: str) -> Any:
    timestamp_ms, _, row_id = cursor.partition("-")
    try:
        place = int(timestamp_ms), int(row_id)
    except ValueError as error:
        raise MessageError("cursor", "must be the `next` of the page before") from error
    if max(map(abs, place)) >= 2**63:
        raise MessageError("cursor", "must be the `next` of the page before")
    return place
