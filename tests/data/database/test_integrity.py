"""The daily look at what is stored: damage is found, said with advice, and taken back when it is gone."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.app import DatabaseService
from dt.data.database.frame_files import FrameFiles
from dt.data.database.integrity import IntegrityCheck
from dt.data.database.integrity_checks import file_check, pictures_check, rollups_check
from dt.data.database.records import Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.rollups import verify_hour
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import AlertCondition, CameraFrame
from tests.data.readings import NOW, make_reading

Eventually = Callable[[Callable[[], object], str], None]
DICE = random.Random(1)


def said(messaging: MemoryMessaging) -> list[AlertCondition]:
    """Return the conditions on the log."""
    return [AlertCondition.from_json(one.value or b"") for one in messaging.read_all(Topics.ALERT_CONDITIONS)]


def stored(path: Path, number: int = 2000) -> None:
    """Write a file with some hours of readings."""
    with closing(SQLStorage(SQLiteFile(path))) as storage:
        storage.insert([make_reading(timestamp=NOW + 60 * i, value=i / 7) for i in range(number)])


def test_whole_file_passes_and_a_damaged_page_does_not(tmp_path: Path, clock: ManualClock) -> None:
    """What a dying SD card does to a page is seen by the next look."""
    path = tmp_path / "store.db"
    stored(path)
    look = file_check(path, clock)
    before = look()
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as db:
        [page] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'readings'").fetchone()
    content[(page - 1) * 4096 : (page - 1) * 4096 + 2000] = b"\xa5" * 2000

    path.write_bytes(content)

    assert before == []
    assert any(str(path) in damage for damage in look())


def test_wrong_rollup_is_found(file: SQLiteFile, clock: ManualClock) -> None:
    """A bucket that does not say what its readings give is named."""
    SQLStorage(file).insert([make_reading(timestamp=NOW + 60 * i, value=i / 7) for i in range(60)])
    look = rollups_check(file.path, clock, DICE)
    before = look()
    with file.write() as db:
        db.execute("UPDATE rollups SET count = count + 1 WHERE width_s = 300 AND begin_s = ?", (int(NOW) + 300,))

    [damage] = look()

    assert before == []
    assert f"air-t (temperature, 300 s) at {int(NOW) + 300}" in damage


def test_picture_that_is_gone_or_changed_is_found(db: RecordsDB, tmp_path: Path, clock: ManualClock) -> None:
    """Records and files belong together; a young record may wait for its file."""
    files = FrameFiles(tmp_path / "frames")
    shas = [files.put(b"\xff\xd8\xff" + bytes([i])) for i in range(3)]
    times = (NOW - 2 * 86_400, NOW - 2 * 86_400 + 1, NOW - 2 * 86_400 + 2)
    Records(db).keep(
        [_frame(sha256, at) for sha256, at in zip(shas, times, strict=True)] + [_frame("0" * 64, NOW - 60)]
    )
    look = pictures_check(db, files, clock, DICE)
    before = look()
    (tmp_path / "frames" / f"{shas[0]}.jpg").unlink()
    (tmp_path / "frames" / f"{shas[1]}.jpg").write_bytes(b"\xff\xd8\xffother")

    damages = sorted(look())

    assert before == []
    assert damages == sorted([f"picture {shas[0]}.jpg is gone", f"picture {shas[1]}.jpg is not what it was"])


class Hurried(ManualClock):
    """Runs a second at each look."""

    def monotonic(self) -> float:
        """Return a second more than before."""
        self.advance(1.0)
        return super().monotonic()


def test_damage_is_told_though_a_later_table_takes_too_long(tmp_path: Path) -> None:
    """What was found before the time was over counts."""
    path = tmp_path / "store.db"
    stored(path, 5000)
    with closing(sqlite3.connect(path)) as db:
        [page] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'contexts'").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 + 3 : (page - 1) * 4096 + 5] = b"\x00\x09"  # how many rows the page has
    path.write_bytes(content)

    found = file_check(path, Hurried(), within_s=0.5)()

    assert found
    assert all("contexts" in damage for damage in found)


def test_damage_stays_told_until_it_is_gone(file: SQLiteFile, clock: ManualClock) -> None:
    """A look at other hours the next day does not make the damaged one whole; its repair does."""
    SQLStorage(file).insert([make_reading(timestamp=NOW + 60 * i, value=i / 7) for i in range(6000)])
    look = rollups_check(file.path, clock, random.Random(2))
    change = "UPDATE rollups SET count = count + ? WHERE width_s = 300 AND begin_s = ?"
    with file.write() as db:
        db.execute(change, (1, int(NOW) + 7200))
    looks = iter(look, None)
    [damage] = next(found for found in looks if found)

    assert [next(looks) for _ in range(10)] == [[damage]] * 10
    with file.write() as db:
        db.execute(change, (-1, int(NOW) + 7200))
    assert next(looks) == []


def test_hour_that_retention_takes_meanwhile_is_no_damage(file: SQLiteFile) -> None:
    """Its raw readings went after the hour was chosen, and its roll-ups stay."""
    SQLStorage(file).insert([make_reading(timestamp=NOW + 60 * i) for i in range(60)])
    with file.write() as db:
        db.execute("INSERT INTO sealed_hours SELECT series_id, ? FROM series", (int(NOW),))
        db.execute("DELETE FROM readings")

    with closing(sqlite3.connect(file.path, isolation_level=None)) as db:
        assert verify_hour(db, (1, "air-t", "temperature"), int(NOW)) == []
        db.execute("DELETE FROM sealed_hours")
        assert verify_hour(db, (1, "air-t", "temperature"), int(NOW)) != []


def test_look_ends_in_time_and_goes_on_elsewhere(tmp_path: Path) -> None:
    """A large file takes several days; no table is left out for ever."""
    path = tmp_path / "store.db"
    stored(path, 5000)
    look = file_check(path, Hurried(), within_s=2.0)

    assert [look() for _ in range(20)] == [[]] * 20


def test_damage_is_said_with_advice_daily_and_every_minute(
    messaging: MemoryMessaging, clock: ManualClock, eventually: Eventually
) -> None:
    """Alerts that begin later hear it too; when it is gone that is said."""
    found = [["the page is torn"], []]
    metrics = CollectorRegistry()
    check = IntegrityCheck({"files": lambda: found[0]}, messaging, clock, metrics)
    stop = check.start()

    def until(condition: Callable[[], bool], what: str) -> None:
        eventually(lambda: condition() or clock.advance(30.0), what)

    until(lambda: len(said(messaging)) >= 3, "said again and again")
    first = said(messaging)[0]
    assert metrics.get_sample_value("dt_storage_damages") == 1.0
    assert check.health()["damages"] == ["the page is torn"]
    found.pop(0)
    clock.advance(86_400.0)
    until(lambda: not said(messaging)[-1].active, "said that it is whole")
    stop()

    assert (first.key, first.active) == ("storage_damaged", True)
    assert "dt restore" in first.advice


def test_check_that_cannot_be_done_is_no_damage(messaging: MemoryMessaging, clock: ManualClock, tmp_path: Path) -> None:
    """A file that cannot be opened now is told in health alone."""
    check = IntegrityCheck(
        {"roll-ups": rollups_check(tmp_path / "none.db", clock, DICE)}, messaging, clock, CollectorRegistry()
    )

    found = check.check()

    assert found.damages == ()
    assert "none.db" in found.unfinished[0]
    assert not said(messaging)[-1].active


def test_service_tells_of_its_check(database: DatabaseService) -> None:
    """Health has a place for it from the start."""
    assert database.health()["integrity"] == {"checked_at": None}


def _frame(sha256: str, timestamp: float) -> CameraFrame:
    return CameraFrame.from_dict(
        {
            "sensor_id": "cam", "zone_id": "box", "timestamp": timestamp, "correlation_id": f"f{timestamp}", "width": 1,
            "height": 1, "sha256": sha256, "url": f"/frames/{sha256}.jpg", "size_bytes": 4,
        }
    )  # fmt: skip


@pytest.fixture
def records_url(tmp_path: Path) -> str:
    """Return SQLite's alone."""
    return f"sqlite:///{tmp_path / 'records.db'}"
