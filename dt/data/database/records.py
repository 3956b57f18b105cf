"""Alerts, actions, predictions, pictures and dead letters: kept once each, read newest first in pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dt.data.database.reading_rows import ADD_CAUSES, cause_rows
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.codec import Message, Timestamp
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, DeadLetter, GapCause, GapNotice, Prediction
from dt.utils.exceptions import MessageError

MOST_ITEMS = 1000

# The tables that `page` reads, with the columns that they can be narrowed by.
FILTERS: Mapping[str, tuple[str, ...]] = {
    "alerts": ("plant_id", "zone_id", "state", "alert_id"),
    "actions": ("plant_id", "actuator_id", "outcome", "action_id"),
    "predictions": ("plant_id", "quantity"),
    "dead_letters": ("topic", "reason"),
    "frames": ("plant_id", "zone_id", "sensor_id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery(Message):
    """How much to return: since <= timestamp < until, at most `limit`, those after a cursor only."""

    limit: int = 100
    since: Timestamp | None = None
    until: Timestamp | None = None
    cursor: str | None = None

    def ensure_consistent(self) -> None:
        """Refuse more than a page holds."""
        if not 1 <= self.limit <= MOST_ITEMS:
            raise MessageError("limit", f"must be from 1 to {MOST_ITEMS}, not {self.limit}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of records as their own JSON; `next` is the cursor of the following one."""

    items: list[msgspec.Raw]
    next: str | None


class Records:
    """The records in the SQLite file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    def keep(self, messages: Sequence[Message]) -> None:
        """Keep messages durably in one transaction; the same one again changes nothing."""
        if not messages:
            return
        with self._file.write() as db:
            for message in messages:
                _KEEPERS[type(message)](db, message)

    def last_pictures(self) -> dict[str, float]:
        """Return when each camera's newest picture was taken."""
        with self._file.read() as db:
            rows = db.execute("SELECT sensor_id, max(timestamp_ms) FROM frames GROUP BY sensor_id").fetchall()
        return {sensor_id: timestamp_ms / 1000 for sensor_id, timestamp_ms in rows}

    def page(self, table: str, query: PageQuery, filters: Mapping[str, str]) -> Page:
        """Return one page of a table of `FILTERS`, newest first."""
        conditions = [f"{name} = :{name}" for name in FILTERS[table] if name in filters]
        values: dict[str, Any] = {**filters, "limit": query.limit + 1}
        if query.since is not None:
            conditions.append("timestamp_ms >= :since")
            values["since"] = round(query.since * 1000)
        if query.until is not None:
            conditions.append("timestamp_ms < :until")
            values["until"] = round(query.until * 1000)
        if query.cursor is not None:
            conditions.append("(timestamp_ms, row_id) < (:at, :row)")
            values["at"], values["row"] = _place(query.cursor)
        where = " AND ".join(conditions) or "true"
        with self._file.read() as db:
            rows = db.execute(
                f"SELECT timestamp_ms, row_id, body FROM {table} WHERE {where}"  # noqa: S608 - names of our own table
                " ORDER BY timestamp_ms DESC, row_id DESC LIMIT :limit",
                values,
            ).fetchall()
        items = [msgspec.Raw(body.encode()) for _timestamp_ms, _row_id, body in rows[: query.limit]]
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        return Page(items=items, next=None if last is None else f"{last[0]}-{last[1]}")


def _place(cursor: str) -> tuple[int, int]:
    timestamp_ms, _, row_id = cursor.partition("-")
    try:
        return int(timestamp_ms), int(row_id)
    except ValueError as error:
        raise MessageError("cursor", "must be the `next` of the page before") from error


def _keep_alert(db: sqlite3.Connection, event: AlertEvent) -> None:
    at, body = _ms(event.timestamp), event.to_json().decode()
    db.execute(
        "INSERT INTO alert_events (alert_id, timestamp_ms, state, correlation_id, body) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (event.alert_id, at, event.state, event.correlation_id, body),
    )
    db.execute(
        "INSERT INTO alerts (alert_id, timestamp_ms, plant_id, zone_id, state, correlation_id, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (alert_id) DO UPDATE SET timestamp_ms = excluded.timestamp_ms, state = excluded.state,"
        " correlation_id = excluded.correlation_id, body = excluded.body WHERE excluded.timestamp_ms >= timestamp_ms",
        (event.alert_id, at, event.plant_id, event.zone_id, event.state, event.correlation_id, body),
    )
    _keep_causes(db, event.caused_by, event.correlation_id)


def _keep_action(db: sqlite3.Connection, result: ActionResult) -> None:
    command = result.command
    plant_id = result.plant_id or (command.plant_id if command is not None else None)
    db.execute(
        "INSERT INTO actions (action_id, outcome, timestamp_ms, actuator_id, plant_id, correlation_id, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            result.action_id,
            result.outcome,
            _ms(result.timestamp),
            result.actuator_id,
            plant_id,
            result.correlation_id,
            result.to_json().decode(),
        ),
    )
    _keep_causes(db, result.caused_by, result.correlation_id)
    if command is not None:
        _keep_causes(db, (*command.caused_by, command.correlation_id), result.correlation_id)


def _keep_prediction(db: sqlite3.Connection, prediction: Prediction) -> None:
    db.execute(
        "INSERT INTO predictions (prediction_id, timestamp_ms, plant_id, quantity, correlation_id, body)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            prediction.prediction_id,
            _ms(prediction.made_at),
            prediction.plant_id,
            prediction.quantity,
            prediction.correlation_id,
            prediction.to_json().decode(),
        ),
    )
    _keep_causes(db, prediction.caused_by, prediction.correlation_id)


def _keep_letter(db: sqlite3.Connection, letter: DeadLetter) -> None:
    place = (letter.topic, letter.partition, letter.offset, letter.sha256)
    db.execute(
        "INSERT INTO dead_letters (topic, partition, offset, sha256, timestamp_ms, reason, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (*place, _ms(letter.timestamp), letter.reason, letter.to_json().decode()),
    )


def _keep_frame(db: sqlite3.Connection, frame: CameraFrame) -> None:
    db.execute(
        "INSERT INTO frames (sensor_id, timestamp_ms, zone_id, plant_id, sha256, correlation_id, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sensor_id, timestamp_ms) DO UPDATE SET sha256 = excluded.sha256,"
        " correlation_id = excluded.correlation_id, body = excluded.body",
        (
            frame.sensor_id,
            _ms(frame.timestamp),
            frame.zone_id,
            frame.plant_id,
            frame.sha256 or "",
            frame.correlation_id,
            frame.to_json().decode(),
        ),
    )


def _keep_gap(db: sqlite3.Connection, notice: GapNotice) -> None:
    """Keep what is known of a gap; of one that grows the longest notice stays."""
    if notice.cause is GapCause.CADENCE:
        db.execute(
            "INSERT OR REPLACE INTO cadence_changes (sensor_id, boot_id, first_sequence, since_ms, step_s)"
            " VALUES (?, ?, ?, ?, ?)",
            (notice.sensor_id, notice.boot_id, notice.first_sequence, _ms(notice.since), notice.step_s),
        )
        return
    db.execute(
        "INSERT INTO gap_notices (sensor_id, boot_id, cause, first_sequence, last_sequence, since_ms, until_ms, why)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET last_sequence = excluded.last_sequence,"
        " until_ms = excluded.until_ms, why = excluded.why WHERE excluded.until_ms >= until_ms",
        (
            notice.sensor_id,
            notice.boot_id,
            notice.cause,
            notice.first_sequence,
            notice.last_sequence,
            _ms(notice.since),
            _ms(notice.until),
            notice.why,
        ),
    )


def _keep_causes(db: sqlite3.Connection, parents: Sequence[str], child: str) -> None:
    db.executemany(ADD_CAUSES, cause_rows(parents, child))


def _ms(timestamp: float) -> int:
    return round(timestamp * 1000)


_KEEPERS: Mapping[type[Message], Callable[[sqlite3.Connection, Any], None]] = {
    AlertEvent: _keep_alert,
    ActionResult: _keep_action,
    Prediction: _keep_prediction,
    DeadLetter: _keep_letter,
    CameraFrame: _keep_frame,
    GapNotice: _keep_gap,
}
