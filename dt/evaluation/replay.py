"""`dt replay`: sends a file of measurements through the raw topics, as an archived plant."""

from __future__ import annotations

import itertools
import re
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dt.communication.announcement import wait_until_announced
from dt.communication.messaging import MessagingService, Outgoing, outgoing
from dt.communication.topics import Topics
from dt.evaluation.mapping import ColumnMapping
from dt.evaluation.measurements import Cell, MeasurementFile, Tally, TimeColumn, cells_of
from dt.utils.clock import Clock
from dt.utils.dataclasses import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S, Origin, Plant, SensorData, SensorDescriptor
from dt.utils.exceptions import MessageError
from dt.utils.ids import derived_id

_BATCH = 500
_FLUSHED_WITHIN_S = 120.0
_DEFAULT_INTERVAL_S = 600.0

Progress = Callable[[float, float], None]


class Registry(Protocol):
    """What replay asks of the database service: `DatabaseApiClient`."""

    def put_plant(self, plant: Plant) -> Any:
        """Record a plant, anew or as it is."""
        ...

    def bind_sensor(self, descriptor: SensorDescriptor) -> Any:
        """Register a sensor; the same again changes nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """A file, how to read it, the archived plant's name, and how many times faster than life (0: unbraked)."""

    file: MeasurementFile
    time: TimeColumn
    mappings: tuple[ColumnMapping, ...]
    plant_id: str
    speed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What was sent: rows of the file, readings, empty and refused cells, and the span of event time."""

    plant_id: str
    rows: int
    sent: int
    empty: int
    refused: int
    first: float | None
    last: float | None
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values."""
        return {
            "plant_id": self.plant_id,
            "rows": self.rows,
            "sent": self.sent,
            "empty": self.empty,
            "refused": self.refused,
            "first": self.first,
            "last": self.last,
            "problems": list(self.problems),
        }


def plant_id_of(name: str) -> str:
    """Return the name of the archived plant that a file makes.

    >>> plant_id_of("Log 2020 (pot).csv")
    'log-2020-pot'
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.rpartition(".")[0].lower() or name.lower()).strip("-")
    return slug or "archive"


def replay(
    request: ReplayRequest,
    messaging: MessagingService,
    registry: Registry,
    clock: Clock,
    progress: Progress = lambda _done, _total: None,
) -> ReplayReport:
    """Register plant and sensors, send every reading once, and return when all is durable.

    Correlation ids come from the file's content, so that a second run replaces the first.
    """
    tally = Tally()
    cells = list(cells_of(request.file, request.time, request.mappings, tally))
    _register(request, cells, registry)
    wait_until_announced(messaging, (sensor_id_of(request.plant_id, m) for m in request.mappings), clock)
    sender = _Sender(messaging, clock, request.speed)
    for number, reading in enumerate(readings_of(request, cells), 1):
        sender.send(reading)
        progress(number, len(cells))
    sender.finish()
    times = [cell.timestamp for cell in cells]
    return ReplayReport(
        plant_id=request.plant_id,
        rows=tally.rows,
        sent=sender.sent,
        empty=tally.empty,
        refused=tally.refused,
        first=min(times, default=None),
        last=max(times, default=None),
        problems=tuple(tally.problems),
    )


def sensor_id_of(plant_id: str, mapping: ColumnMapping) -> str:
    """Return the sensor that stands for a column.

    >>> from dt.evaluation.mapping import parse_mapping
    >>> sensor_id_of("pot", parse_mapping("T (degC)=temperature"))
    'pot-t-degc'
    """
    return f"{plant_id}-{plant_id_of(mapping.column + '.') if mapping.column else mapping.quantity}"


def descriptors_of(request: ReplayRequest, cells: Sequence[Cell]) -> list[SensorDescriptor]:
    """Return the sensors of the archive; air and light are the plant's own too, for nobody shares its zone."""
    return [_descriptor(request, mapping, cells) for mapping in request.mappings]


def _register(request: ReplayRequest, cells: Sequence[Cell], registry: Registry) -> None:
    descriptors = descriptors_of(request, cells)
    names = [descriptor.sensor_id for descriptor in descriptors]
    if len(set(names)) < len(names):
        raise MessageError("map", f"columns that differ in signs only make one sensor: {', '.join(sorted(names))}")
    registry.put_plant(
        Plant(
            plant_id=request.plant_id,
            zone_id=request.plant_id,
            name=f"Archive: {request.file.path.name}",
            archived=True,
            origin=Origin.REPLAY,
        )
    )
    for descriptor in descriptors:
        registry.bind_sensor(descriptor)


def _descriptor(request: ReplayRequest, mapping: ColumnMapping, cells: Sequence[Cell]) -> SensorDescriptor:
    return SensorDescriptor(
        sensor_id=sensor_id_of(request.plant_id, mapping),
        zone_id=request.plant_id,
        plant_id=request.plant_id,
        name=f"{mapping.column} in {request.file.path.name}",
        data_type=mapping.quantity,
        kind="archive",
        read_interval=_interval_s([cell.timestamp for cell in cells if cell.mapping is mapping]),
        origin=Origin.REPLAY,
    )


def _interval_s(times: Sequence[float]) -> float:
    gaps = [later - earlier for earlier, later in itertools.pairwise(times) if later > earlier]
    usual = statistics.median(gaps) if gaps else _DEFAULT_INTERVAL_S
    return round(min(max(usual, SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S), 3)


def readings_of(request: ReplayRequest, cells: Sequence[Cell]) -> Iterator[SensorData]:
    """Yield the readings that a file's cells stand for, in file order."""
    sequences = dict.fromkeys((mapping.column for mapping in request.mappings), 0)
    for cell in cells:
        mapping = cell.mapping
        sequences[mapping.column] += 1
        sensor_id = sensor_id_of(request.plant_id, mapping)
        yield SensorData(
            sensor_id=sensor_id,
            data_type=mapping.quantity,
            value=mapping.value_of(cell.measured),
            unit=mapping.unit,
            timestamp=cell.timestamp,
            correlation_id=derived_id("replay", request.file.sha256, sensor_id, cell.line, at=cell.timestamp),
            zone_id=request.plant_id,
            plant_id=request.plant_id,
            boot_id=request.file.sha256[:32],
            sequence=sequences[mapping.column],
            raw_value=cell.measured,
            origin=Origin.REPLAY,
        )


@dataclass(slots=True)
class _Sender:
    """Publishes in batches; with a speed, each reading no earlier than its time."""

    messaging: MessagingService
    clock: Clock
    speed: float
    sent: int = 0
    _batch: list[Outgoing] = field(default_factory=list)
    _first: tuple[float, float] | None = None  # event time and monotonic time of the first reading

    def send(self, reading: SensorData) -> None:
        if self.speed > 0.0:
            self._wait_for(reading.timestamp)
        self._batch.append(outgoing(Topics.of(reading.data_type).raw, reading, reading.zone_id))
        if len(self._batch) >= _BATCH:
            self._publish()

    def finish(self) -> None:
        self._publish()
        self.messaging.flush(_FLUSHED_WITHIN_S)

    def _wait_for(self, timestamp: float) -> None:
        now = self.clock.monotonic()
        if self._first is None:
            self._first = (timestamp, now)
        due = self._first[1] + (timestamp - self._first[0]) / self.speed
        if due > now:
            self._publish()
            self.clock.wait(threading.Event(), due - now)

    def _publish(self) -> None:
        if self._batch:
            self.messaging.publish_batch(self._batch)
            self.sent += len(self._batch)
            self._batch.clear()
