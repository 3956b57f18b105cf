"""One writer, readers beside it, and what a failing file looks like."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.exceptions import StorageError

ADD = "INSERT INTO causes (parent_hash, child) VALUES (?, ?)"


def count(file: SQLiteFile) -> int:
    """Return how many causes are kept."""
    with file.read() as db:
        [found] = db.execute("SELECT count(*) FROM causes").fetchone()
    return int(found)


def test_failed_block_leaves_nothing(file: SQLiteFile) -> None:
    """A transaction is all or nothing."""

    def fail_half_way() -> None:
        with file.write() as db:
            db.execute(ADD, (1, "b"))
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()

    assert count(file) == 0


def test_reader_sees_one_state_while_a_writer_writes(file: SQLiteFile) -> None:
    """A long answer is consistent, and holds nobody up."""
    with file.read() as db:
        before = db.execute("SELECT count(*) FROM causes").fetchone()
        with file.write() as writer:
            writer.execute(ADD, (1, "b"))
        after = db.execute("SELECT count(*) FROM causes").fetchone()

    assert before == after == (0,)
    assert count(file) == 1


def test_threads_write_one_after_the_other(file: SQLiteFile) -> None:
    """All of them, through one connection."""

    def write(name: str) -> None:
        for i in range(20):
            with file.write() as db:
                db.execute(ADD, (i, name))

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count(file) == 80


def test_full_disk_is_a_retriable_error(file: SQLiteFile) -> None:
    """The batch comes again when there is room."""
    with file.write() as db:
        [pages] = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StorageError, match="full") as refused, file.write() as db:
        db.executemany(ADD, [(i, "x" * 500) for i in range(1000)])

    assert refused.value.retriable
    assert count(file) == 0


def test_use_after_closing_is_a_storage_error(tmp_path: Path) -> None:
    """Requests that come while the service stops get a clear answer."""
    file = SQLiteFile(tmp_path / "x.db")
    file.close()

    with pytest.raises(StorageError, match="closed"), file.read():
        pass


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "x.db"
    path.write_text("this is a letter to my aunt, and it is long enough to be read as a header of a file\n" * 20)

    with pytest.raises(StorageError, match=r"x\.db"):
        SQLiteFile(path)


def test_file_of_a_later_version_is_left_alone(file: SQLiteFile) -> None:
    """An older program must not write into what it does not know."""
    with file.write() as db:
        db.execute("PRAGMA user_version = 99")
    file.close()

    with pytest.raises(StorageError, match="has schema 99"):
        SQLiteFile(file.path)


def test_people_can_read_the_file_with_any_browser(file: SQLiteFile) -> None:
    """The view has names and dates."""
    with sqlite3.connect(file.path) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(readings_readable)")]
    db.close()

    assert columns[:6] == ["time", "sensor_id", "data_type", "value", "unit", "verdict"]


def test_a_file_has_one_owner_at_a_time(file: SQLiteFile) -> None:
    """A second service on the same file is refused, and may have it when the first is gone."""
    with pytest.raises(StorageError, match="another database service"):
        SQLiteFile(file.path)

    file.close()

    SQLiteFile(file.path).close()
