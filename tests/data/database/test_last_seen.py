"""The newest believable reading of a sensor that has been broken for long."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from tests.data.readings import NOW, make_reading

_STEPS_AT_ONCE = 100


def test_a_long_broken_sensor_is_not_read_from_end_to_begin(tmp_path: Path) -> None:
    """Bad readings of weeks are passed over by the roll-ups, which do not count them."""
    file = SQLiteFile(tmp_path / "store.db")
    bad = {"verdict": "bad", "check": "stuck", "why": "no"}
    with closing(SQLStorage(file)) as storage:
        storage.insert([make_reading(), make_reading(timestamp=NOW + 1.0, quality=bad)])
        storage.insert([make_reading(timestamp=NOW + 60.0 * i, quality=bad) for i in range(1, 5000)])
        counted: list[int] = []
        with file.read() as db:  # the same connection serves the next reader
            db.set_progress_handler(lambda: counted.append(1), _STEPS_AT_ONCE)

        seen = storage.last_seen()

    assert seen["air-t"].timestamp == NOW
    assert len(counted) * _STEPS_AT_ONCE < 2000
