"""Readings of a backup: SQLite's file as a copy, InfluxDB's as JSON lines with its roll-ups in line protocol."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from dt.data.database.storage import Storage
from dt.operations.archive import ArchiveWriter
from dt.operations.sqlite_copy import copy_of
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import DBTimestampQuery, SensorData
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity

if TYPE_CHECKING:
    from dt.data.database.influx_storage import InfluxDBStorage

SQLITE_MEMBER = "readings/plant_twin.db"
LINES_MEMBER = "readings/readings.jsonl"
MARKS_MEMBER = "readings/influx_marks.json"
ROLLUP_MEMBER = "readings/influx_{level}.lp"
END_S = 9_000_000_000.0  # in the year 2255: what InfluxDB holds ends a little later

_PAGE = 5000
_MOST_REMARKS = 5
_SPAN_MS = 7 * 86_400_000  # of roll-ups in one answer: some 10,000 minutes of each series
_RECENT_HOURS = 3  # of a running store, whose tasks have them in hand
_TAGS = ("plant_id", "sensor_id", "unit", "zone_id")

Progress = Callable[[float, float], None]


class Marks(msgspec.Struct):
    """What InfluxDB's store remembers beside its points: hours that wait for roll-ups, and what retention removed."""

    removed_until_ms: dict[str, int]  # by sensor
    due_hours: list[int]


def dump_sqlite(
    path: Path, archive: ArchiveWriter, beside: Path, progress: Progress
) -> tuple[dict[str, int], list[str]]:
    """Add a consistent copy of the readings' file; return counts, and remarks where SQLite finds it damaged."""
    with TemporaryDirectory(dir=beside, prefix=".backup-") as folder:
        copy = Path(folder) / path.name
        copy_of(path, copy, progress)
        with closing(sqlite3.connect(copy)) as db:
            [readings] = db.execute("SELECT count(*) FROM readings").fetchone()
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(5)")]
        archive.add(SQLITE_MEMBER, copy)
    remarks = [] if found == ["ok"] else [f"{path} is damaged: {'; '.join(found)[:500]}"]
    return {"readings": int(readings)}, remarks


def open_influx(settings: Settings) -> InfluxDBStorage:
    """Open InfluxDB's store as the database service does; raises ConfigError or StorageError."""
    for name in ("influx_url", "influx_token"):
        if not getattr(settings, name):
            raise ConfigError(f"{name.upper()}: is needed by STORAGE=influx")
    from dt.data.database.influx_server import InfluxServer
    from dt.data.database.influx_storage import InfluxDBStorage

    server = InfluxServer(settings.influx_url, settings.influx_token, settings.influx_org, settings.influx_bucket)
    storage = InfluxDBStorage(server, SystemClock())
    try:
        storage.set_up()
    except BaseException:
        storage.close()
        raise
    return storage


def dump_influx(settings: Settings, archive: ArchiveWriter) -> tuple[dict[str, int], list[str]]:
    """Add all readings and roll-ups of InfluxDB, a page at a time; return counts, and remarks on wrong roll-ups.

    Some hours' roll-ups, chosen at random, are compared with their readings.
    """
    from dt.data.database.influx_check import influx_rollups_check
    from dt.data.database.influx_rollups import HOUR_MS, LEVELS

    counts = {"readings": 0}
    with closing(open_influx(settings)) as storage:
        rollups, server = storage.rollups, storage.server
        hour = int(SystemClock().wall() * 1000) // HOUR_MS
        due = rollups.due() | set(range(hour - _RECENT_HOURS, hour + 1))
        marks = Marks(removed_until_ms=rollups.removals(), due_hours=sorted(due))
        archive.add_bytes(MARKS_MEMBER, msgspec.json.encode(marks))
        for level in LEVELS:
            with archive.spool() as spool:
                number = 0
                for line in _rolled(server, rollups.bucket(level)):
                    spool.write(line.encode() + b"\n")
                    number += 1
                _put(archive, ROLLUP_MEMBER.format(level=level.name), spool)
            counts[f"rollups_{level.name}"] = number
        with archive.spool() as spool:
            for reading in all_readings(storage):
                spool.write(reading.to_json() + b"\n")
                counts["readings"] += 1
            _put(archive, LINES_MEMBER, spool)
        remarks = list(influx_rollups_check(storage, SystemClock())())
    return counts, remarks[:_MOST_REMARKS]


def all_readings(storage: Storage) -> Iterator[SensorData]:
    """Yield every reading of a store, quantity by quantity and oldest first, holding one page of them."""
    for quantity in Quantity:
        query = DBTimestampQuery(data_type=quantity, since=0.0, until=END_S)
        place = None
        while page := storage.between(query, after=place, limit=_PAGE):
            yield from page
            place = (page[-1].timestamp, page[-1].sensor_id)


def readings_of_lines(path: Path) -> Iterator[list[SensorData]]:
    """Yield an unpacked backup's readings in batches."""
    batch = []
    with path.open("rb") as file:
        for line in file:
            batch.append(SensorData.from_json(line))
            if len(batch) >= _PAGE:
                yield batch
                batch = []
    if batch:
        yield batch


def rollup_line(measurement: str, row: dict[str, Any]) -> str:
    r"""Return a point of a roll-up bucket in line protocol, its time in milliseconds.

    >>> rollup_line("vpd", {"time": 7, "zone_id": "top shelf", "n": 2, "mean": 1.5, "bad": None})
    'vpd,zone_id=top\\ shelf n=2i,mean=1.5 7'
    """
    from dt.data.database.influx_lines import tag

    tags = "".join(f",{name}={tag(name, row[name])}" for name in _TAGS if row.get(name))
    fields = ",".join(
        f"{name}={value}{'i' if isinstance(value, int) else ''}"
        for name, value in row.items()
        if value is not None and name != "time" and name not in _TAGS
    )
    return f"{measurement}{tags} {fields} {row['time']}"


def _rolled(server: Any, bucket: str) -> Iterator[str]:
    for quantity in Quantity:
        since_ms = _time_of(server, bucket, quantity, "ASC")
        until_ms = _time_of(server, bucket, quantity, "DESC")
        if since_ms is None or until_ms is None:
            continue
        for begin_ms in range(since_ms, until_ms + 1, _SPAN_MS):
            params = {"since": begin_ms * 1_000_000, "until": (begin_ms + _SPAN_MS) * 1_000_000}
            query = f'SELECT * FROM "{quantity}" WHERE time >= $since AND time < $until'  # noqa: S608 - names of ours
            for table in server.select(query, params, bucket=bucket):
                for row in table.rows():
                    yield rollup_line(quantity, row)


def _time_of(server: Any, bucket: str, quantity: Quantity, order: str) -> int | None:
    query = f'SELECT * FROM "{quantity}" ORDER BY time {order} LIMIT 1'  # noqa: S608 - names of ours
    return next((int(row["time"]) for table in server.select(query, bucket=bucket) for row in table.rows()), None)


def _put(archive: ArchiveWriter, name: str, spool: Any) -> None:
    size = spool.tell()
    spool.seek(0)
    archive.add_stream(name, spool, size)
