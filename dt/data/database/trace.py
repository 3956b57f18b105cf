"""The chain of causes and effects around one correlation id."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dt.data.database.reading_rows import COLUMNS, CONTEXT_COLUMNS, hash_of, reading_of
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, Message, Prediction

MOST_IDS = 500
MOST_EVENTS = 1000

_CHILDREN = "SELECT child FROM causes WHERE parent_hash = ? LIMIT 100"
_READINGS = f"SELECT {COLUMNS} FROM readings WHERE correlation_hash = ? AND correlation_id = ?"  # noqa: S608 - a constant
_CONTEXT = f"SELECT {CONTEXT_COLUMNS} FROM contexts JOIN series USING (series_id) WHERE context_id = ?"  # noqa: S608 - a constant

_RANK = {"reading": 0, "frame": 0, "derived": 1, "prediction": 2, "alert": 3, "command": 4, "result": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One link: `caused_by` are correlation ids, `id` is the record's own."""

    kind: str
    timestamp: float
    id: str
    correlation_id: str
    caused_by: tuple[str, ...]
    body: Message


class Traces:
    """Reads chains from the SQLite file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    def trace(self, correlation_id: str) -> list[Event]:
        """Return what led to this id, what it led to, and what else led to that; causes before effects."""
        with self._file.read() as db:
            chain = _Chain(db)
            above = chain.closure([correlation_id], chain.parents)
            below = chain.closure([correlation_id], chain.children)
            ids = chain.closure([*above, *below], chain.parents)
            events = [event for found in ids for event in chain.events(found)]
        return _in_causal_order(events)[:MOST_EVENTS]


class _Chain:
    """Walks from id to id within one view of the store."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._events: dict[str, list[Event]] = {}

    def events(self, correlation_id: str) -> list[Event]:
        found = self._events.get(correlation_id)
        if found is None:
            found = self._events[correlation_id] = _events(self._db, correlation_id)
        return found

    def parents(self, correlation_id: str) -> list[str]:
        return [parent for event in self.events(correlation_id) for parent in event.caused_by]

    def children(self, correlation_id: str) -> list[str]:
        rows = self._db.execute(_CHILDREN, (hash_of(correlation_id),)).fetchall()
        # Another parent may have the same hash: a child names its parents itself.
        return [child for (child,) in rows if correlation_id in self.parents(child)]

    def closure(self, start: Iterable[str], step: Callable[[str], list[str]]) -> list[str]:
        found = dict.fromkeys(start)
        waiting = list(found)
        while waiting and len(found) < MOST_IDS:
            for neighbour in step(waiting.pop()):
                if neighbour not in found:
                    found[neighbour] = None
                    waiting.append(neighbour)
        return list(found)


def _events(db: sqlite3.Connection, correlation_id: str) -> list[Event]:
    found = _readings(db, correlation_id)
    for (body,) in db.execute("SELECT body FROM frames WHERE correlation_id = ?", (correlation_id,)):
        frame = CameraFrame.from_json(body)
        found.append(_event("frame", frame.timestamp, frame.sha256 or frame.sensor_id, correlation_id, (), frame))
    for (body,) in db.execute("SELECT body FROM predictions WHERE correlation_id = ?", (correlation_id,)):
        made = Prediction.from_json(body)
        found.append(_event("prediction", made.made_at, made.prediction_id, correlation_id, made.caused_by, made))
    for (body,) in db.execute("SELECT body FROM alert_events WHERE correlation_id = ?", (correlation_id,)):
        alert = AlertEvent.from_json(body)
        found.append(_event("alert", alert.timestamp, alert.alert_id, correlation_id, alert.caused_by, alert))
    commands = set()
    for (body,) in db.execute("SELECT body FROM actions WHERE correlation_id = ?", (correlation_id,)):
        result = ActionResult.from_json(body)
        command = result.command
        if command is not None and command.action_id not in commands:
            commands.add(command.action_id)
            found.append(
                _event("command", command.timestamp, command.action_id, correlation_id, command.caused_by, command)
            )
        asked = () if command is None or command.correlation_id == correlation_id else (command.correlation_id,)
        causes = tuple(dict.fromkeys((*result.caused_by, *asked)))
        found.append(_event("result", result.timestamp, result.action_id, correlation_id, causes, result))
    return found


def _readings(db: sqlite3.Connection, correlation_id: str) -> list[Event]:
    found = []
    for row in db.execute(_READINGS, (hash_of(correlation_id), correlation_id)).fetchall():
        context = db.execute(_CONTEXT, (row[5],)).fetchone()
        reading = reading_of(row, {row[5]: context})
        kind = "derived" if reading.caused_by else "reading"
        found.append(_event(kind, reading.timestamp, reading.sensor_id, correlation_id, reading.caused_by, reading))
    return found


def _event(
    kind: str, timestamp: float, name: str, correlation_id: str, caused_by: tuple[str, ...], body: Message
) -> Event:
    return Event(
        kind=kind, timestamp=timestamp, id=name, correlation_id=correlation_id, caused_by=tuple(caused_by), body=body
    )


def _in_causal_order(events: Sequence[Event]) -> list[Event]:
    """Sort by time, but no effect before its cause, whatever the clocks of two machines said."""
    blocked = [0] * len(events)
    leads_to: list[list[int]] = [[] for _event in events]
    for cause, effect in _edges(events):
        leads_to[cause].append(effect)
        blocked[effect] += 1
    free = [(*_sort_key(event), index) for index, event in enumerate(events) if not blocked[index]]
    heapq.heapify(free)
    ordered: list[int] = []
    while free:
        index: int = heapq.heappop(free)[-1]
        ordered.append(index)
        for effect in leads_to[index]:
            blocked[effect] -= 1
            if not blocked[effect]:
                heapq.heappush(free, (*_sort_key(events[effect]), effect))
    rest = sorted(set(range(len(events))) - set(ordered), key=lambda index: _sort_key(events[index]))
    return [events[index] for index in (*ordered, *rest)]


def _edges(events: Sequence[Event]) -> set[tuple[int, int]]:
    """Return (cause, effect): by `caused_by`, from an id's birth to all that carries it, from command to result."""
    births: dict[str, int] = {}
    commands: dict[str, int] = {}
    for index, event in enumerate(events):
        first = births.setdefault(event.correlation_id, index)
        if _sort_rank(event) < _sort_rank(events[first]):
            births[event.correlation_id] = index
        if event.kind == "command":
            commands[event.id] = index
    edges = set()
    for index, event in enumerate(events):
        causes: list[Any] = [births.get(parent) for parent in (*event.caused_by, event.correlation_id)]
        if event.kind == "result":
            causes.append(commands.get(event.id))
        edges |= {(cause, index) for cause in causes if cause not in (None, index)}
    return edges


def _sort_rank(event: Event) -> tuple[int, float]:
    return _RANK[event.kind], event.timestamp


def _sort_key(event: Event) -> tuple[float, int]:
    return event.timestamp, _RANK[event.kind]
