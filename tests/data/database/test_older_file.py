"""What the version that kept readings and records in one file left is taken over once, whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dt.communication.memory import MemoryMessaging
from dt.data.database.app import create_service
from dt.data.database.frame_records import FrameRecords
from dt.data.database.gap_records import Gaps
from dt.data.database.gaps import GapQuery
from dt.data.database.older_file import take_over
from dt.data.database.records import PageQuery, Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.records_opening import open_records
from dt.data.database.registry_records import RegistryRecords
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.trace import Traces
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.exceptions import StorageError
from tests.data.readings import NOW

DUMP = Path(__file__).with_name("combined_file_v1.sql")
COUNTS = {
    "plants": 2, "sensors": 2, "alerts": 2, "alert_events": 3, "actions": 1, "predictions": 1, "dead_letters": 1,
    "frames": 2, "frame_files_to_remove": 1, "gap_notices": 2, "cadence_changes": 1, "cadences": 3,
}  # fmt: skip


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a file as the old version left it."""
    path = tmp_path / "data" / "plant_twin.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text("utf-8"))
    return path


@pytest.fixture
def taken(db: RecordsDB, old: Path) -> RecordsDB:
    """Return a database that took the records over, on either kind."""
    assert take_over(db, old, NOW) == COUNTS
    return db


def page(db: RecordsDB, table: str) -> list[bytes]:
    """Return a table's items."""
    return [bytes(item) for item in Records(db).page(table, PageQuery(), {}).items]


def test_every_record_comes_over_as_it_was(taken: RecordsDB, old: Path) -> None:
    """The bodies are the very same texts."""
    with closing(sqlite3.connect(old)) as before:
        for table in ("alerts", "actions", "predictions", "dead_letters", "frames"):
            [*bodies] = before.execute(f"SELECT body FROM {table} ORDER BY timestamp_ms DESC, row_id DESC")
            assert page(taken, table) == [body.encode() for (body,) in bodies], table


def test_the_registry_comes_over_with_the_calibrations_in_use(taken: RecordsDB) -> None:
    """They begin the history; sensors are bound as they were."""
    registry = RegistryRecords(taken)

    assert [plant.plant_id for plant in registry.plants()] == ["basil", "old"]
    assert registry.archived_plants() == {"old"}
    assert {sensor.sensor_id: sensor.read_interval for sensor in registry.sensors()} == {"air-t": 10.0, "soil": 5.0}
    [version] = registry.calibrations("soil")
    assert (version.version, version.since, version.calibration) == (
        3,
        NOW,
        {"version": 3, "points": [[300, 0.0], [900, 0.6]]},
    )


def test_traces_lead_on_over_both_homes(taken: RecordsDB, old: Path) -> None:
    """Readings stay in their file, alerts name them from the new one."""
    with closing(SQLiteFile(old)) as file:
        traces = Traces(SQLStorage(file), Records(taken))

        found = [f"{event.kind} {event.id}" for event in traces.trace("v2")]
        below = [f"{event.kind} {event.id}" for event in traces.trace("v1")]

    assert found == below == ["derived box/vpd", "alert a2", "alert a2"]


def test_pictures_and_gaps_are_known_as_before(taken: RecordsDB, old: Path) -> None:
    """Which is flagged, which file is to go, and which cadence there was."""
    frames = FrameRecords(taken)

    assert [row.is_flagged for row in frames.older_than(NOW + 60)] == [False, True]
    assert frames.files_to_remove() == ["cd"]
    with closing(SQLiteFile(old)) as file:
        query = GapQuery(sensor_id="air-t", since=NOW - 60, until=NOW + 60)
        assert Gaps(taken, SQLStorage(file)).report(query, NOW + 60).received == 0


def test_it_is_done_once(taken: RecordsDB, old: Path) -> None:
    """What people removed since does not come back, and the old file stays as it is."""
    FrameRecords(taken).strike(["cd"])

    assert take_over(taken, old, NOW) == {}

    assert FrameRecords(taken).files_to_remove() == []
    with closing(sqlite3.connect(old)) as before:
        assert before.execute("SELECT count(*) FROM alerts").fetchone() == (2,)


def test_a_file_of_readings_alone_is_no_older_one(db: RecordsDB, tmp_path: Path) -> None:
    """And where there is no file yet, nothing is made."""
    SQLiteFile(tmp_path / "readings.db").close()

    assert take_over(db, tmp_path / "readings.db", NOW) == {}
    assert take_over(db, tmp_path / "none.db", NOW) == {}
    assert not (tmp_path / "none.db").exists()


def test_what_fails_is_done_whole_the_next_time(db: RecordsDB, old: Path) -> None:
    """A damaged file is an error that names it, and leaves nothing half taken over."""
    whole = old.read_bytes()
    old.write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])

    with pytest.raises(StorageError, match=r"plant_twin\.db: its records cannot be taken over"):
        take_over(db, old, NOW)

    old.write_bytes(whole)
    assert take_over(db, old, NOW) == COUNTS


def test_service_starts_on_an_older_folder_and_has_everything(
    on_free_ports: Settings, old: Path, messaging: MemoryMessaging
) -> None:
    """As a user meets it: the new version in the place of the old one."""
    service = create_service(on_free_ports, messaging, SystemClock())
    service.start()
    service.stop()

    with closing(open_records(on_free_ports, NOW)) as db:
        assert len(page(db, "alerts")) == 2
        assert {"basil", "old"} <= {plant.plant_id for plant in RegistryRecords(db).plants()}
    assert (on_free_ports.data_dir / "records.db").is_file()
    assert on_free_ports.database_file == old
