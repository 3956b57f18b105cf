"""The chain of causes and effects around one correlation id."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dt.data.database.records import Records
from dt.data.database.storage import Storage
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, Message, Prediction, SensorData

MOST_IDS = 500
MOST_EVENTS = 1000

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
    """Reads chains over both homes: readings from the store, all else from the records."""

    def __init__(self, storage: Storage, records: Records) -> None:
        self._storage = storage
        self._records = records

    def trace(self, correlation_id: str) -> list[Event]:
        """Return what led to this id, what it led to, and what else led to that; causes before effects."""
        chain = _Chain(self._storage, self._records)
        above = chain.closure([correlation_id], chain.parents)
        below = chain.closure([correlation_id], chain.children)
        ids = chain.closure([*above, *below], chain.parents)
        events = [event for found in ids for event in chain.events(found)]
        return _in_causal_order(events)[:MOST_EVENTS]


class _Chain:
    """Walks from id to id, and asks for each once."""

    def __init__(self, storage: Storage, records: Records) -> None:
        self._storage = storage
        self._records = records
        self._events: dict[str, list[Event]] = {}

    def events(self, correlation_id: str) -> list[Event]:
        found = self._events.get(correlation_id)
        if found is None:
            readings, records = self._storage.carrying(correlation_id), self._records.carrying(correlation_id)
            found = [_of_reading(reading) for reading in readings] + _of_records(records, correlation_id)
            self._events[correlation_id] = found
        return found

    def parents(self, correlation_id: str) -> list[str]:
        return [parent for event in self.events(correlation_id) for parent in event.caused_by]

    def children(self, correlation_id: str) -> list[str]:
        found = self._storage.children(correlation_id) + self._records.children(correlation_id)
        # One whose record is gone, or names other parents since it was corrected, leads nowhere.
        return [child for child in dict.fromkeys(found) if correlation_id in self.parents(child)]

    def closure(self, start: Iterable[str], step: Callable[[str], list[str]]) -> list[str]:
        found = dict.fromkeys(start)
        waiting = list(found)
        while waiting and len(found) < MOST_IDS:
            for neighbour in step(waiting.pop()):
                if neighbour not in found:
                    found[neighbour] = None
                    waiting.append(neighbour)
        return list(found)


def _of_reading(reading: SensorData) -> Event:
    kind = "derived" if reading.caused_by else "reading"
    return _event(kind, reading.timestamp, reading.sensor_id, reading.correlation_id, tuple(reading.caused_by), reading)


def _of_records(records: Iterable[Message], correlation_id: str) -> list[Event]:
    """Return the events of an id's records; a command stands once, before its results."""
    found: list[Event] = []
    commands: set[str] = set()
    for record in records:
        if isinstance(record, ActionResult):
            command = record.command
            if command is not None and command.action_id not in commands:
                commands.add(command.action_id)
                causes = tuple(command.caused_by)
                found.append(_event("command", command.timestamp, command.action_id, correlation_id, causes, command))
        found.append(_of_record(record, correlation_id))
    return found


def _of_record(record: Message, correlation_id: str) -> Event:
    match record:
        case CameraFrame():
            name = record.sha256 or record.sensor_id
            return _event("frame", record.timestamp, name, correlation_id, (), record)
        case Prediction():
            name = record.prediction_id
            return _event("prediction", record.made_at, name, correlation_id, tuple(record.caused_by), record)
        case AlertEvent():
            name = record.alert_id
            return _event("alert", record.timestamp, name, correlation_id, tuple(record.caused_by), record)
        case ActionResult():
            command = record.command
            asked = () if command is None or command.correlation_id == correlation_id else (command.correlation_id,)
            causes = tuple(dict.fromkeys((*record.caused_by, *asked)))
            return _event("result", record.timestamp, record.action_id, correlation_id, causes, record)
        case _:
            raise TypeError(f"{type(record).__name__} has no place in a trace")


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
