"""Readings by correlation id and by parent: InfluxDB has no index on fields, so an id's own time says where to look."""

from __future__ import annotations

from collections.abc import Iterator

from dt.data.database.influx_keeping import SOURCES
from dt.data.database.influx_lines import MOST_CAUSES, halves_of
from dt.data.database.influx_rows import readings_in
from dt.data.database.influx_server import InfluxServer
from dt.data.database.storage import MOST_CHILDREN
from dt.utils.clock import Clock
from dt.utils.dataclasses import SensorData
from dt.utils.ids import time_in

_BEFORE_S, _AFTER_S = 120.0, 7200.0  # an hour's mean stands at the hour's end, after all its parents
_LONGER_BEFORE_S, _LONGER_AFTER_S = (
    86_400.0,
    2 * 86_400.0,
)  # a day's light integral; a producer that names by its own clock
_BACK_S = (2 * 86_400.0, 30 * 86_400.0)  # for ids that tell no time: first what is new, all of it last
_LATEST_NS = 2**63 - 2


class Ids:
    """Looks in the minutes around an id's time, then a day around; without a time it has to look everywhere."""

    def __init__(self, server: InfluxServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock

    def carrying(self, correlation_id: str) -> list[SensorData]:
        """Return the readings with a correlation id, oldest first."""
        halves = halves_of(correlation_id)
        condition = "correlation_id = $id" if halves is None else "id_low = $id"
        params: dict[str, object] = {"id": correlation_id if halves is None else halves[1]}
        for since, until in self._spans(correlation_id):
            rows = self._rows(condition, params, since, until)
            found = [reading for reading in rows if reading.correlation_id == correlation_id]
            if found:
                return found
        return []

    def children(self, correlation_id: str) -> list[str]:
        """Return the correlation ids of readings that name this one as a parent, in the order of the ids."""
        halves = halves_of(correlation_id)
        conditions = ["caused_by != ''"]
        params: dict[str, object] = {}
        if halves is not None:
            conditions += [f"cause{place}_low = $low" for place in range(MOST_CAUSES)]
            params["low"] = halves[1]
        for since, until in self._spans(correlation_id):
            rows = self._rows(f"({' OR '.join(conditions)})", params, since, until)
            found = {one.correlation_id for one in rows if correlation_id in one.caused_by} - {correlation_id}
            if found:
                return sorted(found)[:MOST_CHILDREN]
        return []

    def _rows(self, condition: str, params: dict[str, object], since: int, until: int) -> list[SensorData]:
        query = f"SELECT * FROM {SOURCES} WHERE time >= $since AND time < $until AND {condition}"  # noqa: S608
        return readings_in(self._server.select(query, {**params, "since": since, "until": until}))

    def _spans(self, correlation_id: str) -> Iterator[tuple[int, int]]:
        """Yield ranges to look in, in nanoseconds."""
        at = time_in(correlation_id)
        if at is not None:
            for before_s, after_s in ((_BEFORE_S, _AFTER_S), (_LONGER_BEFORE_S, _LONGER_AFTER_S)):
                yield _ns(at - before_s), min(_ns(at + after_s), _LATEST_NS)
            return
        now = self._clock.wall()
        for back_s in _BACK_S:
            yield _ns(now - back_s), _ns(now + back_s)
        yield 0, _LATEST_NS


def _ns(seconds: float) -> int:
    return max(0, round(seconds * 1000)) * 1_000_000
