"""One SQLite file: a single writing connection behind a lock, and readers that never wait for it."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dt.data.database.chart_cache import ChartCache
from dt.data.database.owner import owned
from dt.data.database.reading_schema import load_schema
from dt.utils.exceptions import StorageError, StorageFullError

_BUSY_S = 5.0
_NO_ROOM = 65_536  # bytes
_MOST_IDLE_READERS = 16
_CHECKPOINT_PAGES = 4000  # 16 MB: pages of the index that many batches touch are written back once


class SQLiteFile:
    """Opens (and makes) a file in WAL mode; `write` is one durable transaction, `read` one consistent view."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.charts = ChartCache()
        self._changed_ms: Mapping[int, int] | None = None
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()
        self._is_closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._owner = owned(path, "another database service keeps its readings there")
        try:
            with _storage_errors(path):
                self._writer = self._open_writer()
        except Exception:
            self._owner.close()
            raise

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the writing connection inside a transaction; durable when the block ends, undone when it raises.

        Who knows which readings it changes says so by `changing`, or no bucket of a chart is known any more.
        """
        with self._lock, _storage_errors(self.path):
            self._require_open()
            self._changed_ms = None
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:  # Ctrl-C or a closed generator too must not leave the transaction open
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            self.charts.forget(self._changed_ms)

    def changing(self, changed_ms: Mapping[int, int]) -> None:
        """Say within `write` that it changes these series alone, from these instants on (in ms)."""
        self._changed_ms = changed_ms

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a reading connection inside a transaction, so that all queries see one state."""
        with _storage_errors(self.path):
            connection = self._reader()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                self._put_back(connection)

    def free_pages(self) -> int:
        """Return how many pages of the file are unused."""
        with self.read() as db:
            [free] = db.execute("PRAGMA freelist_count").fetchone()
            return int(free)

    def give_back(self, pages: int) -> int:
        """Return so many free pages (at least one) to the disk, and how many are left; blocks writers a moment."""
        with self._lock, _storage_errors(self.path):
            self._require_open()
            self._writer.executescript(
                f"PRAGMA incremental_vacuum({max(1, pages):d})"
            )  # execute() frees one page alone
            [left] = self._writer.execute("PRAGMA freelist_count").fetchone()
            return int(left)

    def close(self) -> None:
        """Close every connection; the last writer folds the log into the file."""
        with self._lock, self._idle_lock:
            self._is_closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            self._writer.close()
            self._owner.close()

    def _open_writer(self) -> sqlite3.Connection:
        writer = self._connect()
        try:
            writer.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; before its first table
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut
            writer.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            load_schema(writer, self.path)
        except Exception:
            writer.close()
            raise
        return writer

    def _reader(self) -> sqlite3.Connection:
        with self._idle_lock:
            self._require_open()
            if self._idle:
                return self._idle.pop()
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _put_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        with self._idle_lock:
            if self._is_closed or len(self._idle) >= _MOST_IDLE_READERS:
                connection.close()
            else:
                self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA cache_size = -16000")  # 16 MB
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _require_open(self) -> None:
        if self._is_closed:
            raise StorageError(f"{self.path} is closed")


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn a busy, full or broken file into a StorageError; what a record itself does wrong stays what it is."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        kind = StorageFullError if _is_full(error, path) else StorageError
        raise kind(f"{path}: {error}") from error


def _is_full(error: sqlite3.Error, path: Path) -> bool:
    """Return whether there was no room; beside the file itself, its log and its index of it may have met that."""
    name = getattr(error, "sqlite_errorname", "")
    return name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and shutil.disk_usage(path.parent).free < _NO_ROOM)
