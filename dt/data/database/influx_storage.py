"""Readings in a bucket of InfluxDB 2.

Asked by InfluxQL: it reads rows in their order and stops at a limit, where Flux reads the whole range first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from dt.data.database.influx_charts import Charts
from dt.data.database.influx_ids import Ids
from dt.data.database.influx_keeping import SOURCES, Keeper
from dt.data.database.influx_lines import LATEST_MS
from dt.data.database.influx_rollups import Rollups
from dt.data.database.influx_rows import readings_in
from dt.data.database.influx_runs import InfluxRuns
from dt.data.database.influx_server import InfluxServer
from dt.data.database.storage import PartlyRefusedError, Place, Run, Series, SeriesQuery, ZoneOf
from dt.utils.clock import Clock
from dt.utils.dataclasses import MAX_QUERY_ROWS, DBIdQuery, DBTimestampQuery, SensorData, Verdict
from dt.utils.exceptions import ConfigError, StorageFullError
from dt.utils.quantities import Quantity

_ROWS_AT_ONCE = 20_000
_LATEST_NS = 2**63 - 2
_BELIEVED = "(value > 0 OR value <= 0)"  # there is no other way to ask whether a field is there
_JUDGED = {Verdict.BAD: "bad_value > 0 OR bad_value <= 0", Verdict.SUSPECT: "suspect = true"}


class InfluxDBStorage:
    """`Storage` in one bucket, with its roll-ups in three more."""

    def __init__(
        self,
        server: InfluxServer,
        clock: Clock,
        zone_of: ZoneOf = lambda _plant_id: None,
        told_full: Callable[[bool], None] = lambda _is_full: None,
    ) -> None:
        self.server = self._server = server
        self._told_full = told_full
        self.rollups = Rollups(server, clock)
        self._keeper = Keeper(server, clock, self.rollups)
        self._charts = Charts(server, self.rollups, zone_of)
        self._runs = InfluxRuns(server, self.rollups)
        self._ids = Ids(server, clock)

    def set_up(self) -> None:
        """Make what is missing of buckets and tasks; raises StorageError where the server or a right is away."""
        kept_s = self._server.retention_s()
        if kept_s:
            raise ConfigError(
                f"INFLUX_BUCKET: {self._server.bucket} drops points after {kept_s / 86_400:g} days by itself, unproven:"
                f" influx bucket update --retention 0 (RETENTION_RAW_DAYS is what thins it)"
            )
        self.rollups.set_up()

    def insert(self, batch: Sequence[SensorData]) -> None:
        """Keep a batch durably; of the same reading twice the highest revision stays, of equal ones the last."""
        if batch:
            self.insert_all([batch])

    def insert_all(self, pieces: Iterable[Sequence[SensorData]]) -> None:
        """Keep the pieces of a batch; lines of the next are made while the server takes the last."""
        before, changes = self._keeper.beginnings, _Changes()
        try:
            self._keeper.insert(changes.noted(pieces, self._charts))
        except StorageFullError:
            self._told_full(True)
            raise
        except PartlyRefusedError:  # the others were written
            self._told_full(False)
            raise
        finally:
            if self._keeper.beginnings != before:
                self._charts.appeared()
            self._charts.changed(changes.first_ms)
        self._told_full(False)

    def between(
        self, query: DBTimestampQuery, *, after: Place | None = None, limit: int = MAX_QUERY_ROWS
    ) -> list[SensorData]:
        """Return readings with since <= timestamp < until, oldest first, those after a place only."""
        wanted = None if query.verdicts is None else frozenset(query.verdicts)
        found = (
            reading
            for reading in self._from_on(query, after, min(limit, _ROWS_AT_ONCE))
            if wanted is None or (reading.quality is not None and reading.quality.verdict in wanted)
        )
        return list(islice(found, limit))

    def latest(self, query: DBIdQuery) -> list[SensorData]:
        """Return a sensor's newest readings, newest first."""
        sources = SOURCES if query.data_type is None else f'"{query.data_type}"'
        ordered = f"ORDER BY time DESC LIMIT {query.limit:d}"
        tables = self._server.select(
            f"SELECT * FROM {sources} WHERE sensor_id = $sensor {ordered}",  # noqa: S608 - names of quantities
            {"sensor": query.sensor_id},
        )
        found = sorted(readings_in(tables), key=lambda reading: (-reading.timestamp, reading.data_type))
        return found[: query.limit]

    def series(self, query: SeriesQuery) -> Series:
        """Return at most `points` buckets; a plant without own readings of a quantity has those of its zone."""
        return self._charts.series(query)

    def has_sensor(self, sensor_id: str) -> bool:
        """Return whether any reading of a sensor is kept."""
        query = f"SHOW SERIES FROM {SOURCES} WHERE sensor_id = $sensor LIMIT 1"
        return bool(self._server.select(query, {"sensor": sensor_id}))

    def runs(self, sensor_id: str, since: float, until: float, cuts: Sequence[int] = ()) -> list[Run]:
        """Return a sensor's readings as runs, with the last before the range and the first after it."""
        return self._runs.runs(sensor_id, round(since * 1000), round(until * 1000), cuts)

    def late(self, sensor_id: str, since: float, until: float) -> int:
        """Return how many of a sensor's readings of a range came late."""
        query = f"SELECT count(late) FROM {SOURCES} WHERE sensor_id = $sensor AND time >= $since AND time < $until"  # noqa: S608
        tables = self._server.select(query, {"sensor": sensor_id, "since": _ns(since), "until": _ns(until)})
        return sum(table.values[0][1] for table in tables)

    def last_seen(self) -> dict[str, SensorData]:
        """Return the newest believable reading of each sensor."""
        newest: dict[str, SensorData] = {}
        query = f"SELECT * FROM {SOURCES} WHERE {_BELIEVED} GROUP BY sensor_id ORDER BY time DESC LIMIT 1"  # noqa: S608
        for reading in readings_in(self._server.select(query)):
            newest[reading.sensor_id] = reading  # oldest first
        return newest

    def carrying(self, correlation_id: str) -> list[SensorData]:
        """Return the readings with a correlation id, oldest first."""
        return self._ids.carrying(correlation_id)

    def children(self, correlation_id: str) -> list[str]:
        """Return the correlation ids of readings that name this one as a parent, in the order of the ids."""
        return self._ids.children(correlation_id)

    def empty(self) -> None:
        """Remove all that is kept, roll-ups too; before anything is asked or written."""
        for quantity in Quantity:
            self._server.delete(0, LATEST_MS, f'_measurement="{quantity}"')
        self.rollups.empty()
        self._charts.appeared()
        self._charts.changed(None)

    def close(self) -> None:
        """Let go of the server."""
        self._keeper.close()
        self.rollups.close()
        self._server.close()

    def _from_on(self, query: DBTimestampQuery, after: Place | None, page: int) -> Iterator[SensorData]:
        """Yield readings in order of time and sensor; several may stand at one instant, so pages end between two."""
        since, until = _ns(query.since), _ns(query.until)
        if after is not None and _ns(after[0]) >= since:
            here = _ns(after[0])
            if here < until:
                yield from (one for one in self._rows(query, here, here + 1) if one.sensor_id > after[1])
            since = here + 1
        while since < until:
            found = self._rows(query, since, until, limit=page)
            if len(found) < page:
                yield from found
                return
            last = found[-1].timestamp
            yield from (one for one in found if one.timestamp < last)
            yield from self._rows(query, _ns(last), _ns(last) + 1)
            since = _ns(last) + 1

    def _rows(self, query: DBTimestampQuery, since: int, until: int, limit: int = 0) -> list[SensorData]:
        conditions = ["time >= $since", "time < $until"]
        params: dict[str, object] = {"since": since, "until": min(until, _LATEST_NS)}
        for name, value in (("sensor_id", query.sensor_id), ("plant_id", query.plant_id)):
            if value is not None:
                conditions.append(f"{name} = ${name}")
                params[name] = value
        if query.verdicts is not None and Verdict.GOOD not in query.verdicts:
            conditions.append(f"({' OR '.join(_JUDGED[verdict] for verdict in query.verdicts) or 'false'})")
        last = f" LIMIT {limit:d}" if limit else ""
        text = f'SELECT * FROM "{query.data_type}" WHERE {" AND ".join(conditions)}{last}'  # noqa: S608
        return readings_in(self._server.select(text, params))


class _Changes:
    """From which instant on a batch may change which quantity and sensor; None where nobody looked."""

    def __init__(self) -> None:
        self.first_ms: dict[tuple[str, str], int] | None = {}

    def noted(self, pieces: Iterable[Sequence[SensorData]], charts: Charts) -> Iterator[Sequence[SensorData]]:
        """Yield the pieces; while no chart is known, nobody needs to know more than that there were some."""
        for piece in pieces:
            if not charts.are_any_known:
                self.first_ms = None
            elif self.first_ms is not None:
                self._note(piece, self.first_ms)
            yield piece

    def _note(self, piece: Sequence[SensorData], first_ms: dict[tuple[str, str], int]) -> None:
        for reading in piece:
            key, at_ms = (reading.data_type._value_, reading.sensor_id), round(reading.timestamp * 1000)
            if first_ms.setdefault(key, at_ms) > at_ms:
                first_ms[key] = at_ms


def _ns(seconds: float) -> int:
    return round(seconds * 1000) * 1_000_000
