"""A file of an earlier version becomes one of today, with all that it holds."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from dt.data.database import reading_schema
from dt.data.database.rollups import verify_rollups
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import SeriesQuery
from dt.utils.dataclasses import DBTimestampQuery
from tests.data.readings import NOW, make_reading

_CONTEXTS = [
    (1, 1, "degC", "box", None, "b1", 1, "good", None, None, 0, 1, "live"),
    (2, 1, "degC", "box", None, "b1", 1, "suspect", "spike", None, 0, 1, "live"),
    (3, 1, "degC", "box", None, "b1", 1, "bad", "value_range", None, 0, 1, "live"),
    (4, 2, "degC", "shelf", "basil", "b2", 1, None, None, 3, 1, 1, "replay"),
]
_COUNT = 3000


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """Return a file as version 1 left it, with two days of readings and one of the year 2049."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(Path(__file__).with_name("readings_v1.sql").read_text("utf-8"))
        db.execute("INSERT INTO series VALUES (1, 'air-t', 'temperature'), (2, 'leaf-t', 'temperature')")
        db.executemany(f"INSERT INTO contexts VALUES ({', '.join('?' * 13)})", _CONTEXTS)
        rows = [_row(1, NOW + 60 * i, i, 1 + i % 7 % 3) for i in range(_COUNT)]
        rows += [_row(2, NOW + 7 * i, i, 4) for i in range(_COUNT)] + [_row(1, 2_500_000_000.0, _COUNT, 1)]
        db.execute("BEGIN")
        db.executemany(f"INSERT INTO readings VALUES ({', '.join('?' * 11)})", rows)
        db.execute("INSERT INTO causes VALUES (?, ?)", (zlib.crc32(b"parent"), rows[0][7]))
        db.execute("UPDATE readings SET caused_by = '[\"parent\"]' WHERE correlation_id = ?", (rows[0][7],))
        db.execute("COMMIT")
        db.execute("PRAGMA user_version = 1")
    return path


def _row(series_id: int, at: float, number: int, context_id: int) -> tuple[object, ...]:
    name = f"{series_id}-{number}"
    return (
        series_id,
        round(at * 1000),
        number / 7,
        None,
        number,
        0,
        context_id,
        name,
        zlib.crc32(name.encode()),
        None,
        None,
    )


def test_file_of_version_1_keeps_its_readings_and_gets_roll_ups(old_file: Path) -> None:
    """Every reading is there as it was, found by its id, and summarised."""
    storage = SQLStorage(SQLiteFile(old_file))
    kept = storage.between(DBTimestampQuery.from_dict({"data_type": "temperature", "since": 0, "until": 3e9}))
    line = storage.series(
        SeriesQuery.from_dict(
            {"data_type": "temperature", "since": NOW, "until": NOW + 86_400, "points": 24, "plant_id": "basil"}
        )
    )

    assert len(kept) == 2 * _COUNT + 1
    assert [reading.sequence for reading in storage.carrying("1-17")] == [17]
    assert storage.children("parent") == ["1-0"]
    assert sum(line.n) == _COUNT
    storage.insert([make_reading(timestamp=NOW + 30)])
    storage.close()
    assert verify_rollups(old_file) == []


def test_interrupted_upgrade_goes_on_where_it_stood(old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut between two pieces costs the piece in hand alone."""
    monkeypatch.setattr(reading_schema, "_ROWS_AT_ONCE", 500)
    with closing(sqlite3.connect(old_file, isolation_level=None)) as db:
        db.execute("CREATE TABLE rollups_due (series_id INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL) STRICT")
        db.execute("CREATE TRIGGER cut BEFORE UPDATE ON rollups_due BEGIN SELECT raise(FAIL, 'power cut'); END")

    with pytest.raises(sqlite3.IntegrityError, match="power cut"):
        SQLiteFile(old_file)
    with closing(sqlite3.connect(old_file, isolation_level=None)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM rollups_due").fetchone() == (2,)
        db.execute("DROP TRIGGER cut")

    SQLiteFile(old_file).close()
    assert verify_rollups(old_file) == []


def test_upgraded_file_can_shrink(old_file: Path) -> None:
    """Space of removed readings goes back to the disk, in an old file too."""
    SQLiteFile(old_file).close()
    before = old_file.stat().st_size
    file = SQLiteFile(old_file)
    with file.write() as db:
        db.execute("DELETE FROM readings")

    with file.read() as db:
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert file.give_back(10_000) == 0

    file.close()
    assert old_file.stat().st_size < before / 2
