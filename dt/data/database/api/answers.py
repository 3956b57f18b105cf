"""Bodies of requests and answers that are no message of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from dt.data.database.api.arguments import CHOICES, ListQuery
from dt.utils.codec import Timestamp
from dt.utils.dataclasses import (
    KeptGrant,
    ModelRecord,
    Plant,
    Policy,
    SensorCalibration,
    SensorDescriptor,
)
from dt.utils.quantities import Unit
from dt.utils.rig import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemBody:
    """An error (RFC 9457): what is wrong, with which field, and what the limit is."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    limit: str | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSensor(SensorDescriptor):
    """A sensor to register; with `take_over` new name, cadence, options or newer calibration replace the kept ones."""

    take_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestValue:
    """A sensor's newest believable value."""

    value: float
    unit: Unit
    timestamp: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSensor(SensorDescriptor):
    """A sensor and what it said last; a camera has no value."""

    last_seen: float | None = None
    latest: LatestValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorChanges:
    """Fields of a sensor that a person may change, and who does it; what is left out stays."""

    name: str | None = None
    read_interval: float | None = None
    calibration: dict[str, Any] | None = None
    zone_id: str | None = None
    plant_id: str | None = None
    pin: str | None = None
    address: int | None = None
    by: str = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who does it."""

    by: str = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorList:
    """Sensors by id."""

    items: list[SeenSensor]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantList:
    """Plants by id."""

    items: list[Plant]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEvent:
    """One link of a chain: `caused_by` are correlation ids, `id` is the record's own."""

    kind: str
    timestamp: Timestamp
    id: str
    correlation_id: str
    caused_by: tuple[str, ...]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceAnswer:
    """A chain of causes and effects, causes first."""

    events: list[TraceEvent]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneList:
    """Zones by id."""

    items: list[Zone]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationList:
    """Versions of one sensor's calibration."""

    items: list[SensorCalibration]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    """Versions of models."""

    items: list[ModelRecord]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsQuery(ListQuery):
    """Which model."""

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantList:
    """Grants with their end."""

    items: list[KeptGrant]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsQuery(ListQuery):
    """Which actuator."""

    actuator_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyList:
    """The newest policy on record of each plant."""

    items: list[Policy]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyHistory:
    """A plant's newest policy on record, and every version, oldest first."""

    current: Policy | None
    versions: list[Policy]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPolicy:
    """A policy to put on record."""

    policy: str = "recommendation"
    enabled: bool = True
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    by: str = ""
    actuator_id: str | None = None
    zone_id: str | None = None
    mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """A grant to put on record; with `revoked_at` one that was taken back."""

    by: str
    since: float
    until: float | None = None
    note: str = ""
    revoked_at: float | None = None
    revoked_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNote:
    """A note; without `note_id` and `timestamp` it gets its own and now."""

    text: str
    note_id: str | None = None
    timestamp: Timestamp | None = None
    by: str = ""
    plant_id: str | None = None
    zone_id: str | None = None


def page_of(kind: Any) -> type:
    """Return the type of a page of records: `next` is the cursor of the following one."""
    made: type = dataclasses.make_dataclass(
        f"{kind.__name__}Page",
        [("items", list[kind]), ("next", str | None)],
        frozen=True,
        kw_only=True,
    )
    made.__doc__ = f"A page of {kind.__name__}, newest first."
    return made


def page_query_type(table: str, filters: Sequence[str]) -> type:
    """Return the type of the query string of a table's pages."""
    names = [(name, CHOICES.get(name, str) | None, None) for name in filters]
    times = [(name, Optional[Timestamp], None) for name in ("since", "until")]  # noqa: UP045 - of an annotated type
    rest: list[tuple[str, Any, Any]] = [*names, *times, ("limit", int, 100), ("cursor", str | None, None)]
    fields = [(name, hint, dataclasses.field(default=default)) for name, hint, default in rest]
    return dataclasses.make_dataclass(f"{table.title().replace('_', '')}Query", fields, frozen=True, kw_only=True)
