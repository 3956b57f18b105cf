"""A long line of readings in a bucket of a genuine InfluxDB, as the database service would have kept it."""

from __future__ import annotations

import math
from contextlib import closing

from query_feed import PLACE, reading
from query_history import span_of
from stage import Stage, say

from dt.data.database.influx_lines import LineWriter
from dt.data.database.influx_rollups import HOUR_MS, LEVELS
from dt.data.database.influx_server import InfluxServer
from dt.data.database.influx_storage import InfluxDBStorage
from dt.utils.clock import SystemClock

_LINES_AT_ONCE = 50_000
_HOURS_AT_ONCE = 24 * 28
_WITHIN_S = 300.0


def make_influx_history(stage: Stage, count: int, now: float) -> None:
    """Put `count` raw readings of the line into the bucket, the last of them now, with their roll-ups."""
    chosen = stage.settings
    where = (chosen.influx_url, chosen.influx_token, chosen.influx_org, chosen.influx_bucket)
    server = InfluxServer(*where, timeout_s=_WITHIN_S)
    with closing(InfluxDBStorage(server, SystemClock())) as storage:
        storage.set_up()
        span_s = span_of(count)
        begin_ms, step_ms = (now - span_s) * 1000.0, span_s * 1000.0 / count
        start, end = _ends_of_a_line(now - span_s)
        for first in range(0, count, _LINES_AT_ONCE):
            numbers = range(first, min(count, first + _LINES_AT_ONCE))
            server.write([_line(start, end, number, int(begin_ms + number * step_ms)) for number in numbers])
        since_ms, until_ms = int(begin_ms) // HOUR_MS * HOUR_MS, (int(now * 1000) // HOUR_MS + 1) * HOUR_MS
        for at_ms in range(since_ms, until_ms, _HOURS_AT_ONCE * HOUR_MS):
            storage.rollups.recompute(at_ms, min(until_ms, at_ms + _HOURS_AT_ONCE * HOUR_MS))
        _require_whole(server, storage, count)


def _require_whole(server: InfluxServer, storage: InfluxDBStorage, count: int) -> None:
    """Refuse a history of which not all was written and rolled up."""
    line = f"FROM {PLACE['data_type']} WHERE sensor_id = $sensor"
    params = {"sensor": PLACE["sensor_id"]}
    [raw] = server.select(f"SELECT count(sequence) {line}", params)
    found = {"raw": raw.values[0][1]}
    for level in LEVELS:
        [rolled] = server.select(f"SELECT sum(n) {line}", params, bucket=storage.rollups.bucket(level))
        found[level.name] = rolled.values[0][1]
    if set(found.values()) != {count}:
        msg = f"{count} readings were written, and there are {found}"
        raise ValueError(msg)
    say(f"  {found}")


def _ends_of_a_line(at: float) -> tuple[str, str]:
    """Return what stands in every line before the value and after the id, as the store itself writes it."""
    line = LineWriter().line(reading(PLACE["sensor_id"], at, 0), round(at * 1000))
    return line[: line.index(" value=")], line[line.index(",boot_id=") : line.rindex(" ")]


def _line(start: str, end: str, number: int, at_ms: int) -> str:
    """Return a reading's line; its id of version 7 tells its instant, so that 16 bits of the first half are kept."""
    value = 20.0 + math.sin(at_ms / 1.4e7) + number * 37 % 100 / 100.0
    low = ((0x8000 | number % 4096) << 48 | number) - (1 << 64)
    ids = f"id_high={0x7000 | number % 4096}i,id_low={low}i"
    return f"{start} value={value!r},sequence={number}i,{ids},raw_value=20.0{end} {at_ms}"
