"""A really full disk: recording waits, reading goes on, nothing is lost or broken, and it goes on by itself."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.app import create_service
from dt.data.database.full_disk import FullDisk
from dt.data.database.rollups import verify_rollups
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertCondition, DBIdQuery, DBTimestampQuery
from dt.utils.exceptions import StorageFullError
from tests.conftest import lacking
from tests.data.full_disk import conditions, fill
from tests.data.readings import NOW, make_reading

Eventually = Callable[[Callable[[], object], str], None]

_CHILD = """
import sys
from pathlib import Path
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.exceptions import StorageFullError
from tests.data.readings import NOW, make_reading

storage = SQLStorage(SQLiteFile(Path(sys.argv[1])))
batch = 0
while True:
    try:
        storage.insert([make_reading(timestamp=NOW + 100 * batch + i, value=i / 7) for i in range(100)])
    except StorageFullError:
        print("full", flush=True)
    else:
        print("stored", batch, flush=True)
        batch += 1
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 8 MB."""
    if os.geteuid() != 0:
        lacking("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow
def test_service_waits_on_a_full_disk_and_goes_on_when_there_is_room(
    small_disk: Path, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """An alert opens and closes, queries are answered all the while, and every reading is stored once."""
    on_it = settings.model_copy(update={"data_dir": small_disk, "flask_db_url": "http://127.0.0.1:0"})
    service = create_service(on_it, messaging, SystemClock())
    service.start()
    messaging.publish(Topics.TEMPERATURE.processed, make_reading(), key="box")
    eventually(lambda: service.health()["lag"] == 0, "the first is stored")
    ballast = fill(small_disk)

    for i in range(1, 5000):
        messaging.publish(Topics.TEMPERATURE.processed, make_reading(timestamp=NOW + i), key="box")
    eventually(lambda: conditions(messaging)[-1:] == [True], "an alert is asked for")
    told, why = service.report(), service.ready()
    assert (told["status"], told["why"]) == ("degraded", why)
    assert str(small_disk) in str(why)
    assert "is full" in str(why)
    with DatabaseApiClient(f"http://127.0.0.1:{service.port}", "test-token") as client:
        assert client.query_id(DBIdQuery(sensor_id="air-t", limit=1))

    ballast.unlink()
    eventually(lambda: conditions(messaging)[-1:] == [False], "the alert ends")
    eventually(lambda: service.health()["lag"] == 0, "all is stored")
    assert (service.ready(), service.report()["status"]) == (None, "ok")
    service.stop()
    assert_whole(small_disk / "plant_twin.db", 5000)


@pytest.mark.slow
def test_kill_9_on_a_full_disk_loses_nothing_that_was_stored(small_disk: Path) -> None:
    """Neither a reading nor a roll-up, and the file is whole."""
    path = small_disk / "store.db"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(4_000_000))
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    stored = 0
    for said in child.stdout:
        if said == "full\n":
            break
        stored = int(said.split()[1]) + 1
    child.kill()
    child.wait()
    child.stdout.close()

    with closing(SQLStorage(SQLiteFile(path))) as storage:
        query = DBTimestampQuery.from_dict({"data_type": "temperature", "since": 0, "until": 3e9})
        assert len(storage.between(query)) == stored * 100 > 0
        with pytest.raises(StorageFullError):
            storage.insert([make_reading(timestamp=NOW - i) for i in range(1, 1001)])
        ballast.unlink()
        storage.insert([make_reading(timestamp=NOW - i) for i in range(1, 1001)])

    assert_whole(path, stored * 100 + 1000)


def assert_whole(path: Path, count: int) -> None:
    """Require so many readings, right roll-ups and a sound file."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM readings").fetchone() == (count,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert verify_rollups(path) == []


def test_condition_is_said_when_it_changes_and_every_minute(messaging: MemoryMessaging, clock: ManualClock) -> None:
    """The first word after a start closes what a killed process left open."""
    disk = FullDisk(messaging, clock, "store.db")

    for is_full, seconds in ((False, 1), (False, 300), (True, 1), (True, 59), (True, 30), (False, 1)):
        disk.hear(is_full)
        clock.advance(seconds)

    assert conditions(messaging) == [False, True, True, False]
    assert disk.why is None
    [last] = messaging.read_all(Topics.ALERT_CONDITIONS)[2:3]
    said = AlertCondition.from_json(last.value or b"")
    assert (said.severity, "store.db" in said.description, bool(said.advice)) == ("critical", True, True)
