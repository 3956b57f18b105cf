"""The seam to whatever keeps the readings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from dt.utils.codec import Message, Timestamp
from dt.utils.dataclasses import MAX_QUERY_ROWS, DBIdQuery, DBTimestampQuery, SensorData
from dt.utils.exceptions import DTError, MessageError
from dt.utils.quantities import Quantity, Unit

MOST_POINTS = 5000
MOST_CHILDREN = 100  # of one correlation id, in a trace

ZoneOf = Callable[[str], str | None]  # of a plant; None when nobody knows the plant
Place = tuple[float, str]  # timestamp and sensor of the last reading of a page


class Resolution(StrEnum):
    """A width of buckets that is no number of seconds."""

    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesQuery(Message):
    """A line on a chart: at most `points` buckets of one quantity, of a sensor, a plant or a zone.

    With the resolution `day` each bucket is a day of `timezone` (an IANA name, else UTC), of 23 to 25 h.
    """

    data_type: Quantity
    since: Timestamp
    until: Timestamp
    points: int = 500
    plant_id: str | None = None
    zone_id: str | None = None
    sensor_id: str | None = None
    resolution: Resolution | None = None
    timezone: str | None = None

    def ensure_consistent(self) -> None:
        """Refuse an empty range, more points than an answer has, and a time zone that nobody knows."""
        if self.until <= self.since:
            raise MessageError("until", f"must be after since ({self.since}), and is {self.until}")
        if not 1 <= self.points <= MOST_POINTS:
            raise MessageError("points", f"must be from 1 to {MOST_POINTS}, not {self.points}")
        if self.timezone is not None and not _is_timezone(self.timezone):
            raise MessageError("timezone", f"must be an IANA name such as Europe/Berlin, not {self.timezone!r:.120}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Buckets of `resolution_s` seconds by their beginning; empty buckets are left out, bad readings not counted."""

    resolution_s: float
    unit: Unit | None
    t: list[float]
    min: list[float]
    mean: list[float]
    max: list[float]
    n: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Readings of one boot without a hole in their sequence numbers; files and backfills have no slots to miss."""

    boot_id: str
    first_sequence: int
    last_sequence: int
    first_at: float
    last_at: float
    is_live: bool = True

    @property
    def count(self) -> int:
        """Return how many readings it has."""
        return self.last_sequence - self.first_sequence + 1


class PartlyRefusedError(DTError):
    """A batch is kept but for some readings, which the store cannot hold; `refused` has why by their place in it."""

    def __init__(self, refused: Mapping[int, str]) -> None:
        first = next(iter(refused.values()))
        super().__init__(f"{len(refused)} readings cannot be kept, the first for {first}")
        self.refused = dict(refused)


class Storage(Protocol):
    """Append-only time series of readings, safe to replay into.

    Which zone a plant stands in is a record: who makes a store hands it a `ZoneOf`, for the air of a plant's chart.
    """

    def insert(self, batch: Sequence[SensorData]) -> None:
        """Keep a batch durably; of the same reading twice the highest revision stays, of equal ones the last.

        Raises PartlyRefusedError when all is kept but what the store cannot hold, StorageError when nothing is certain.
        """
        ...

    def insert_all(self, pieces: Iterable[Sequence[SensorData]]) -> None:
        """Keep the pieces of a batch as `insert` keeps it whole; places among the refused count over all of them.

        A store that waits for a server takes the next piece meanwhile, so they are best made when asked for.
        """
        ...

    def between(
        self, query: DBTimestampQuery, *, after: Place | None = None, limit: int = MAX_QUERY_ROWS
    ) -> list[SensorData]:
        """Return readings with since <= timestamp < until, oldest first, those after a place only."""
        ...

    def latest(self, query: DBIdQuery) -> list[SensorData]:
        """Return a sensor's newest readings, newest first."""
        ...

    def series(self, query: SeriesQuery) -> Series:
        """Return what a chart needs of a range."""
        ...

    def has_sensor(self, sensor_id: str) -> bool:
        """Return whether any reading of a sensor is kept."""
        ...

    def runs(self, sensor_id: str, since: float, until: float, cuts: Sequence[int] = ()) -> list[Run]:
        """Return a sensor's readings of a range as runs, oldest first, none reaching over an end of the range.

        With the last of them before the range, as far as they show the cadence, and the first reading after it. A run
        ends before each sequence number of `cuts`: there the cadence changed.
        """
        ...

    def late(self, sensor_id: str, since: float, until: float) -> int:
        """Return how many of a sensor's readings of a range came late."""
        ...

    def last_seen(self) -> dict[str, SensorData]:
        """Return the newest believable reading of each sensor."""
        ...

    def carrying(self, correlation_id: str) -> list[SensorData]:
        """Return the readings with a correlation id, oldest first."""
        ...

    def children(self, correlation_id: str) -> list[str]:
        """Return the correlation ids of readings that name this one as a parent, in the order of the ids.

        At most `MOST_CHILDREN`, each once.
        """
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; folders and bad paths are the others
        return False
    return True
