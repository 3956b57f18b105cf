"""Backups from and into genuine servers: PostgreSQL's records, InfluxDB's readings, and each into the other kind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dt.data.database.frame_records import FrameRecords
from dt.data.database.opening import Surroundings, open_readings
from dt.data.database.records import FILTERS, PageQuery, Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.records_opening import open_records
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import SeriesQuery, Storage
from dt.operations.archive import BackupError
from dt.operations.backup import make_backup
from dt.operations.backup_readings import all_readings, open_influx
from dt.operations.backup_records import require_empty
from dt.operations.restore import restore_backup
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorData
from dt.utils.exceptions import ConfigError
from tests.data.database.test_trace import alert
from tests.data.readings import NOW, make_reading
from tests.integration.influx import ORG, Influx
from tests.integration.postgres import Postgres, shared_postgres

_AROUND = Surroundings(zone_of=lambda _plant: None, archived=tuple, told_full=lambda _is_full: None)
_KILLED = """
import json, os, signal, sys
from pathlib import Path
from dt.operations.backup_records import require_empty
from dt.operations.restore import restore_backup
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings

def step(word):
    if word == "putting in place":
        os.kill(os.getpid(), signal.SIGKILL)

settings = load_settings(env_file=None, **json.loads(sys.argv[1]))
restore_backup(settings, Path(sys.argv[2]), SystemClock(), force=False, step=step, progress=lambda _done, _total: None)
"""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """The session's one PostgreSQL."""
    yield from shared_postgres(request)


def moved(source: Settings, target: Settings, path: Path) -> None:
    """Back up and restore."""
    quiet: dict[str, Any] = {"step": lambda _word: None, "progress": lambda _done, _total: None}
    make_backup(source, path, SystemClock(), with_secrets=False, **quiet)
    restore_backup(target, path, SystemClock(), force=False, **quiet)


def at(settings: Settings, folder: Path, **more: object) -> Settings:
    """Return settings of an installation in a folder of its own."""
    return settings.model_copy(update={"data_dir": folder / "data", "rig_file": folder / "rig.toml", **more})


def in_influx(settings: Settings, influx: Influx, bucket: str) -> dict[str, object]:
    """Return settings that lead to a bucket."""
    return {
        "storage": "influx", "influx_url": influx.url, "influx_token": influx.token, "influx_org": ORG,
        "influx_bucket": bucket,
    }  # fmt: skip


def readings() -> list[SensorData]:
    """Return three hours of a sensor, a bad reading and a derived one."""
    found = [make_reading(timestamp=NOW + 60 * i, value=20 + i / 7, sequence=i) for i in range(180)]
    found.append(
        make_reading("air 2", value=99.0, timestamp=NOW + 7, quality={"verdict": "bad", "check": "x", "why": 'a "b"'})
    )
    return [*found, make_reading("box/vpd", "vpd", 1.9, correlation_id="v1", caused_by=["t1"])]


def chart(storage: Storage) -> object:
    """Return three hours in minutes' roll-ups."""
    fields = {"data_type": "temperature", "since": NOW, "until": NOW + 10_800, "points": 180, "sensor_id": "air-t"}
    return storage.series(SeriesQuery.from_dict(fields))


def kept(storage: Storage) -> list[SensorData]:
    """Return all readings of a store."""
    return sorted(all_readings(storage), key=lambda one: (one.data_type, one.timestamp, one.sensor_id))


def pages(url: str) -> dict[str, list[bytes]]:
    """Return all records that have pages."""
    with closing(RecordsDB(url)) as db:
        records = Records(db)
        query = PageQuery.from_dict({"limit": 100})
        return {table: [bytes(item) for item in records.page(table, query, {}).items] for table in FILTERS}


def test_records_go_to_postgresql_and_back(postgres: Postgres, settings: Settings, tmp_path: Path) -> None:
    """SQLite's records are PostgreSQL's, go on being numbered there, and come back the same."""
    start = at(settings, tmp_path / "a")
    with closing(RecordsDB(start.records_url)) as db:
        Records(db).keep([alert("a1", "r1", NOW), alert("a2", "r2", NOW + 1)])
    server = at(settings, tmp_path / "b", database_url=postgres.new_database())
    back = at(settings, tmp_path / "c")

    moved(start, server, tmp_path / "1.tar.gz")
    with closing(RecordsDB(server.records_url)) as db:
        Records(db).keep([alert("a3", "r3", NOW + 2)])
        assert FrameRecords(db).files_to_remove() == []
    moved(server, back, tmp_path / "2.tar.gz")

    before, there, after = (pages(one.records_url) for one in (start, server, back))
    assert len(before["alerts"]) == 2
    assert there["alerts"][1:] == before["alerts"]
    assert after == there
    with pytest.raises(BackupError, match="name an empty database"):
        moved(start, at(settings, tmp_path / "d", database_url=server.database_url), tmp_path / "3.tar.gz")
    assert not (tmp_path / "d" / "data").exists()


def test_readings_go_through_influxdb_and_back(influx: Influx, settings: Settings, tmp_path: Path) -> None:
    """SQLite to InfluxDB, to another bucket, and to SQLite: the same readings, and the same chart of roll-ups."""
    start = at(settings, tmp_path / "a")
    with closing(SQLStorage(SQLiteFile(start.database_file))) as storage:
        storage.insert(readings())
        expected, line = kept(storage), chart(storage)
    first = at(settings, tmp_path / "b", **in_influx(settings, influx, influx.new_bucket()))
    second = at(settings, tmp_path / "c", **in_influx(settings, influx, influx.new_bucket()))
    back = at(settings, tmp_path / "d")

    moved(start, first, tmp_path / "1.tar.gz")
    with closing(open_influx(first)) as storage:
        storage.rollups.removed_until("long gone", 3_600_000)
    moved(first, second, tmp_path / "2.tar.gz")
    moved(second, back, tmp_path / "3.tar.gz")

    for one in (first, second):
        with closing(open_influx(one)) as storage:
            assert kept(storage) == expected
            assert _near(chart(storage), line)
    with closing(open_influx(second)) as storage:
        assert storage.rollups.removals() == {"long gone": 3_600_000}
    with closing(SQLStorage(SQLiteFile(back.database_file))) as storage:
        assert kept(storage) == expected
        assert chart(storage) == line
    with pytest.raises(BackupError, match="name an empty bucket"):
        moved(
            start,
            at(settings, tmp_path / "e", **in_influx(settings, influx, first.influx_bucket)),
            tmp_path / "4.tar.gz",
        )


@pytest.mark.parametrize("ending", ["failed", "killed"])
def test_restore_that_did_not_come_to_its_end_can_be_begun_again(
    influx: Influx, postgres: Postgres, settings: Settings, tmp_path: Path, ending: str
) -> None:
    """One that fails empties the servers again; what a killed one leaves is refused by services and then replaced."""
    start = at(settings, tmp_path / "a")
    with closing(SQLStorage(SQLiteFile(start.database_file))) as storage:
        storage.insert(readings())
        expected, line = kept(storage), chart(storage)
    with closing(RecordsDB(start.records_url)) as db:
        Records(db).keep([alert("a1", "r1", NOW)])
    (start.data_dir / "models").mkdir()
    (start.data_dir / "models" / "m").write_text("a model")
    servers = {"database_url": postgres.new_database(), **in_influx(settings, influx, influx.new_bucket())}
    target = at(settings, tmp_path / "b", **servers)

    if ending == "failed":
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(OSError, match="file"):
            moved(start, at(settings, tmp_path / "b", **servers, models_dir=tmp_path / "file" / "x"), tmp_path / "1.gz")
        with closing(open_influx(target)) as storage, closing(RecordsDB(target.records_url)) as db:
            assert (kept(storage), chart(storage).n) == ([], [])
            with db.read() as connection:
                require_empty(connection, db.where)
    else:
        _killed_at_its_end(start, target, tmp_path)
        with pytest.raises(ConfigError, match=r"INFLUX_BUCKET: .* run dt restore again"):
            open_readings(target, None, SystemClock(), _AROUND)
        with pytest.raises(ConfigError, match=r"DATABASE_URL: .* run dt restore again"):
            open_records(target, NOW)
    moved(start, target, tmp_path / "2.gz")

    with closing(open_influx(target)) as storage:
        assert kept(storage) == expected
        assert _near(chart(storage), line)
    assert len(pages(target.records_url)["alerts"]) == 1
    open_records(target, NOW).close()
    open_readings(target, None, SystemClock(), _AROUND).storage.close()


def _killed_at_its_end(source: Settings, target: Settings, folder: Path) -> None:
    """Restore in a process that dies when files are to come into place."""
    quiet: dict[str, Any] = {"step": lambda _word: None, "progress": lambda _done, _total: None}
    make_backup(source, folder / "k.gz", SystemClock(), with_secrets=False, **quiet)
    names = ("data_dir", "rig_file", "storage", "influx_url", "influx_token", "influx_org", "influx_bucket")
    given = {name: str(getattr(target, name)) for name in (*names, "database_url")}
    done = subprocess.run([sys.executable, "-c", _KILLED, json.dumps(given), folder / "k.gz"], check=False)
    assert done.returncode == -signal.SIGKILL


def _near(one: Any, other: Any) -> bool:
    same = (one.t, one.n, one.min, one.max) == (other.t, other.n, other.min, other.max)
    return same and one.mean == pytest.approx(other.mean, rel=1e-12)
