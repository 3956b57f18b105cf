"""Where the settings want readings to be kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from dt.data.database.integrity import Check
from dt.data.database.retention import Retention
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import Storage, ZoneOf
from dt.data.database.unfinished import require_finished_bucket
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError
from dt.utils.logger import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """An open store of readings; `where` is what health tells, `start` begins its upkeep and returns what ends that."""

    storage: Storage
    where: dict[str, object] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)  # of integrity, beyond those of files
    start: Callable[[], Callable[[], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a store asks of the records, and whom it tells whether its disk is full; `give_way` lets requests pass."""

    zone_of: ZoneOf
    archived: Callable[[], Collection[str]]
    told_full: Callable[[bool], None]
    give_way: Callable[[], None] = lambda: None


def open_readings(settings: Settings, file: SQLiteFile | None, clock: Clock, around: Surroundings) -> Readings:
    """Open what STORAGE names and say so; raises ConfigError for what is missing, StorageError where nobody answers."""
    return _influx(settings, clock, around) if file is None else _sqlite(settings, file, clock, around)


def _sqlite(settings: Settings, file: SQLiteFile, clock: Clock, around: Surroundings) -> Readings:
    storage = SQLStorage(file, around.zone_of, around.told_full, around.give_way)
    retention = Retention(file, clock, settings.retention_raw_days, around.archived)
    log.info("readings are kept in %s (SQLite)", file.path)
    return Readings(storage=storage, where={"storage": "sqlite", "file": str(file.path)}, start=retention.start)


def _influx(settings: Settings, clock: Clock, around: Surroundings) -> Readings:
    for name in ("influx_url", "influx_token"):
        if not getattr(settings, name):
            raise ConfigError(f"{name.upper()}: is needed by STORAGE=influx")
    # The client is loaded where it is used alone: most machines do without it.
    from dt.data.database.influx_check import influx_rollups_check
    from dt.data.database.influx_retention import InfluxRetention
    from dt.data.database.influx_server import InfluxServer
    from dt.data.database.influx_storage import InfluxDBStorage

    url, bucket = settings.influx_url, settings.influx_bucket
    server = InfluxServer(url, settings.influx_token, settings.influx_org, bucket)
    storage = InfluxDBStorage(server, clock, around.zone_of, around.told_full)
    try:
        require_finished_bucket(server)
        storage.set_up()
    except BaseException:
        storage.close()
        raise
    retention = InfluxRetention(server, storage.rollups, clock, settings.retention_raw_days, around.archived)
    log.info("readings are kept in the bucket %s of %s (InfluxDB %s)", bucket, url, server.version())

    def start() -> Callable[[], None]:
        storage.rollups.start()
        return retention.start()

    where: dict[str, object] = {"storage": "influx", "influx_url": url, "bucket": bucket}
    checks = {"roll-ups": influx_rollups_check(storage, clock)}
    return Readings(storage=storage, where=where, checks=checks, start=start)
