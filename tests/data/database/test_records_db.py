"""The records' database: one writer, readers beside it, and what a failing one looks like."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError

from dt.data.database.records_db import RecordsDB
from dt.data.database.tables import CAUSES
from dt.utils.exceptions import StorageError
from tests.integration.postgres import Postgres

_COUNT = select(func.count()).select_from(CAUSES)


def add(connection: Connection, parent: str, child: str = "c") -> None:
    """Keep a cause."""
    connection.execute(CAUSES.insert().values(parent=parent, child=child))


def count(db: RecordsDB) -> int:
    """Return how many causes are kept."""
    with db.read() as connection:
        return int(connection.scalar(_COUNT) or 0)


def test_failed_block_leaves_nothing(db: RecordsDB) -> None:
    """A transaction is all or nothing."""

    def fail_half_way() -> None:
        with db.write() as connection:
            add(connection, "a")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()

    assert count(db) == 0


def test_reader_sees_one_state_while_a_writer_writes(db: RecordsDB) -> None:
    """A long answer is consistent, and holds nobody up."""
    with db.read() as reader:
        before = reader.scalar(_COUNT)
        with db.write() as writer:
            add(writer, "a")
        after = reader.scalar(_COUNT)

    assert before == after == 0
    assert count(db) == 1


def test_readers_cannot_write(db: RecordsDB) -> None:
    """Only the one writer changes anything."""
    with pytest.raises((StorageError, IntegrityError), match=r"readonly|read-only"), db.read() as connection:
        add(connection, "a")

    assert count(db) == 0


def test_threads_write_one_after_the_other(db: RecordsDB) -> None:
    """All of them, none is refused for another's sake."""

    def write(name: str) -> None:
        for i in range(20):
            with db.write() as connection:
                add(connection, str(i), name)

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count(db) == 80


def test_what_a_record_does_wrong_is_no_storage_error(db: RecordsDB) -> None:
    """It would come again for ever; so the delivery loop makes a dead letter of it."""
    with db.write() as connection:
        add(connection, "a")

    with pytest.raises(IntegrityError), db.write() as connection:
        add(connection, "a")

    assert count(db) == 1


def test_use_after_closing_is_a_storage_error(db: RecordsDB) -> None:
    """Requests that come while the service stops get a clear answer."""
    db.close()

    with pytest.raises(StorageError, match="closed"), db.read():
        pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a file of records is to be."""
    return tmp_path / "own" / "records.db"


@pytest.fixture
def file_db(path: Path) -> Iterator[RecordsDB]:
    """Return an empty database in a SQLite file."""
    with closing(RecordsDB(f"sqlite:///{path}")) as db:
        yield db


def test_full_disk_is_a_retriable_error(file_db: RecordsDB) -> None:
    """The batch comes again when there is room."""
    with file_db.write() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    with pytest.raises(StorageError, match="full") as refused, file_db.write() as connection:
        connection.execute(CAUSES.insert(), [{"parent": str(i), "child": "x" * 500} for i in range(1000)])

    assert refused.value.retriable
    assert count(file_db) == 0


def test_a_commit_outlives_a_power_cut(file_db: RecordsDB) -> None:
    """The file is in WAL mode, and each commit is flushed."""
    with file_db.write() as connection:
        modes = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")]

    assert modes == ["wal", 2]


def test_a_file_has_one_owner_at_a_time(file_db: RecordsDB, path: Path) -> None:
    """A second service on the same file is refused, and may have it when the first is gone."""
    with pytest.raises(StorageError, match="another database service"):
        RecordsDB(f"sqlite:///{path}")

    file_db.close()

    RecordsDB(f"sqlite:///{path}").close()


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The error names the file, and the next attempt has it free."""
    path = tmp_path / "x.db"
    path.write_text("this is a letter to my aunt, and it is long enough to be read as a header of a file\n" * 20)

    for _attempt in range(2):
        with pytest.raises(StorageError, match=r"x\.db: file is not a database"):
            RecordsDB(f"sqlite:///{path}")


def test_file_with_readings_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """DATABASE_URL of an earlier version may name the combined file; nothing in it is touched."""
    path = tmp_path / "plants.db"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE readings (value REAL)")
        before = path.read_bytes()

    with pytest.raises(StorageError, match=r"plants\.db: holds readings.*move the file to plant_twin\.db"):
        RecordsDB(f"sqlite:///{path}")

    with closing(sqlite3.connect(path)) as old:
        assert [name for (name,) in old.execute("SELECT name FROM sqlite_master")] == ["readings"]
    assert len(path.read_bytes()) == len(before)


def test_a_server_that_is_away_is_a_retriable_error_without_its_password() -> None:
    """The log may be read by others."""
    pytest.importorskip("psycopg", reason="group db")

    with pytest.raises(StorageError) as refused:
        RecordsDB("postgresql://twin:secret@127.0.0.1:1/records")

    assert refused.value.retriable
    assert "127.0.0.1:1/records" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_without_the_driver_of_postgresql_the_group_is_named(tmp_path: Path) -> None:
    """What to install, instead of a library's traceback."""
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from dt.data.database.records_db import RecordsDB\n"
        "from dt.utils.exceptions import StorageError\n"
        "try: RecordsDB('postgresql://x@127.0.0.1/x')\n"
        "except StorageError as error: print(error)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "install the group db" in done.stdout


@pytest.mark.integration
def test_after_the_server_was_away_it_is_used_again(postgres: Postgres) -> None:
    """Connections that died meanwhile are made anew; what failed was not half done."""
    with closing(RecordsDB(postgres.new_database())) as db:
        with db.write() as connection:
            add(connection, "a")
        postgres.stop()
        with pytest.raises(StorageError), db.write() as connection:
            add(connection, "b")
        postgres.begin()

        with db.write() as connection:
            add(connection, "b")

        assert count(db) == 2


@pytest.mark.integration
def test_two_services_that_start_at_once_make_the_schema_once(postgres: Postgres) -> None:
    """One walks, the other waits and finds it done."""
    url = postgres.new_database()
    script = f"from dt.data.database.records_db import RecordsDB; RecordsDB({url!r}).close(); print('fine')"
    starting = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    said = [process.communicate(timeout=60) for process in starting]

    assert [out.strip() for out, _err in said] == ["fine"] * 3, said
