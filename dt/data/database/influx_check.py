"""Whether the roll-ups in InfluxDB are what the raw readings give: some hours chosen at random, each time others."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from dt.data.database.influx_keeping import SOURCES
from dt.data.database.influx_rollups import HOUR_MS, LEVELS
from dt.data.database.influx_storage import InfluxDBStorage
from dt.data.database.integrity import Check
from dt.utils.clock import Clock

_HOURS = 24
_WITHIN_S = 60.0
_RAW = "count(value), min(value), max(value), sum(value)"
_ROLLED = "sum(n), min(min), max(max), sum(total)"

Sums = dict[tuple[str, str], tuple[int, float, float, float]]  # by quantity and sensor: number, min, max, sum


def influx_rollups_check(
    storage: InfluxDBStorage, clock: Clock, dice: random.Random | None = None, within_s: float = _WITHIN_S
) -> Check:
    """Return a look at some hours; those that were found wrong are looked at first until they are right."""
    chance = dice or random.Random()  # noqa: S311 - a choice of samples
    damaged: set[int] = set()

    def look() -> Sequence[str]:
        ends_s = clock.monotonic() + within_s
        found: list[str] = []
        hours = _settled_hours(storage)
        some = chance.sample(hours, min(_HOURS, len(hours)))
        for hour in dict.fromkeys((*sorted(damaged.intersection(hours)), *sorted(some))):
            if clock.monotonic() > ends_s:
                break
            wrong = _wrong_in(storage, hour)
            if wrong and hour not in storage.rollups.due():  # else late readings came meanwhile
                damaged.add(hour)
                found += wrong
            else:
                damaged.discard(hour)
        return found

    return look


def _settled_hours(storage: InfluxDBStorage) -> range:
    """Return the hours that have been rolled up, from the oldest raw reading on."""
    tables = storage.server.select(f"SELECT first(sequence) FROM {SOURCES}")  # noqa: S608 - names of quantities
    oldest_ms = min((int(table.values[0][0]) for table in tables), default=None)
    until = storage.rollups.settled_ms() // HOUR_MS
    return range(0) if oldest_ms is None else range(oldest_ms // HOUR_MS, until)


def _wrong_in(storage: InfluxDBStorage, hour: int) -> list[str]:
    """Return what is wrong of an hour; sensors whose raw readings were removed have nothing to be compared with."""
    rollups, server = storage.rollups, storage.server
    if hour in rollups.due():
        return []
    removed = rollups.removals()
    raw = _sums(storage, _RAW, hour, server.bucket)
    found = []
    for level in LEVELS:
        kept = _sums(storage, _ROLLED, hour, rollups.bucket(level))
        for quantity, sensor_id in sorted(raw.keys() | kept.keys()):
            place = (quantity, sensor_id)
            is_whole = removed.get(sensor_id, 0) <= hour * HOUR_MS
            if is_whole and not _is_equal(raw.get(place), kept.get(place)):
                found.append(
                    f"InfluxDB {rollups.bucket(level)}: the roll-ups of {sensor_id} ({quantity}) of the hour at"
                    f" {hour * 3600} are not what its readings give"
                )
    return found


def _sums(storage: InfluxDBStorage, what: str, hour: int, bucket: str) -> Sums:
    query = f"SELECT {what} FROM {SOURCES} WHERE time >= $since AND time < $until GROUP BY sensor_id"  # noqa: S608
    bounds = {"since": hour * HOUR_MS * 1_000_000, "until": (hour + 1) * HOUR_MS * 1_000_000}
    return {
        (table.name, table.tags["sensor_id"]): tuple(table.values[0][1:])
        for table in storage.server.select(query, bounds, bucket=bucket)
        if table.values[0][1]
    }


def _is_equal(one: tuple[int, float, float, float] | None, other: tuple[int, float, float, float] | None) -> bool:
    """Return whether two are of the same readings: sums may differ by what adding in another order rounds."""
    if one is None or other is None:
        return one is other
    size = max(abs(one[1]), abs(one[2])) * one[0]
    return one[:3] == other[:3] and math.isclose(one[3], other[3], rel_tol=1e-12, abs_tol=1e-12 * size)
