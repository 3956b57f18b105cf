"""The records' database: one writer at a time and readers that never wait for it, on SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from sqlalchemy import URL, Connection, Engine, QueuePool, Table, create_engine, event, inspect, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from dt.data.database.migrations import to_head
from dt.data.database.owner import owned
from dt.utils.exceptions import MessageError, StorageError

_BUSY_S = 5.0
_CONNECT_S = 5
_READERS = 8
_MOST_READERS_MORE = 24


class RecordsDB:
    """Opens (and makes, and upgrades) the database; `write` is one durable transaction, `read` one consistent view."""

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self.where = _place_of(self._url)
        self._lock = threading.Lock()
        self._is_closed = False
        self._owner = _owner_of(self._url)
        self._writer, self._readers = _engines(self._url)
        try:
            with self.write() as connection:
                _refuse_readings(connection, self.where)
                to_head(connection, self.where)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection inside a transaction; durable when the block ends, undone when it raises."""
        with self._lock, _storage_errors(self.where):
            self._require_open()
            with self._writer.begin() as connection:
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a reading connection inside a transaction, so that all queries see one state."""
        with _storage_errors(self.where):
            self._require_open()
            with self._readers.connect() as connection:
                yield connection

    def close(self) -> None:
        """Close every connection; the last writer folds SQLite's log into the file."""
        with self._lock:
            self._is_closed = True
            self._readers.dispose()
            self._writer.dispose()
            if self._owner is not None:
                self._owner.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise StorageError(f"{self.where} is closed")


def insert_into(connection: Connection, table: Table) -> sqlite.Insert:
    """Return an INSERT that knows ON CONFLICT, by the connection's dialect; both have the same words for it."""
    if connection.dialect.name == "postgresql":
        return cast(sqlite.Insert, postgresql.insert(table))
    return sqlite.insert(table)


def sqlite_path(url: str) -> Path | None:
    """Return the file that an address names; None for a server's."""
    parsed = _parsed(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StorageError("DATABASE_URL: is no SQLAlchemy address") from error
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _place_of(url: URL) -> str:
    """Return what error messages call the database; no password."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def _owner_of(url: URL) -> TextIO | None:
    if url.get_backend_name() != "sqlite":
        return None  # a server serves many
    path = Path(url.database or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    return owned(path, "another database service keeps its records there")


def _engines(url: URL) -> tuple[Engine, Engine]:
    """Return the engines of the writer and of the readers."""
    if url.get_backend_name() == "postgresql":
        server = _server(url)
        return server, server.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return _file_engine(url, 1, 0, "BEGIN IMMEDIATE"), _file_engine(url, _READERS, _MOST_READERS_MORE, "BEGIN")


def _server(url: URL) -> Engine:
    try:
        return create_engine(
            url, pool_pre_ping=True, pool_size=_READERS, max_overflow=_MOST_READERS_MORE,
            connect_args={"connect_timeout": _CONNECT_S},
        )  # fmt: skip
    except ModuleNotFoundError as error:
        raise StorageError("DATABASE_URL: PostgreSQL needs psycopg: install the group db") from error


def _file_engine(url: URL, size: int, more: int, begin: str) -> Engine:
    is_writer = size == 1
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=size, max_overflow=more,
        connect_args={"timeout": _BUSY_S, "check_same_thread": False},
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves: the driver's way leaves DDL outside
        if is_writer:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut
        else:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _refuse_readings(connection: Connection, where: str) -> None:
    """Refuse the file of a version that kept readings and records together."""
    if connection.dialect.name == "sqlite" and inspect(connection).has_table("readings"):
        raise StorageError(
            f"{where}: holds readings, and DATABASE_URL names the records' own database; move the file to"
            " plant_twin.db under DATA_DIR and name another one, and its records are taken over at the next start"
        )


@contextmanager
def _storage_errors(where: str) -> Iterator[None]:
    """Turn a busy, full, broken or absent database into a StorageError; what a record does wrong comes again for ever.

    PostgreSQL has no NUL in texts, and neither has numbers of more than 64 bits.
    """
    try:
        yield
    except (DataError, OverflowError) as error:
        raise MessageError("$", f"cannot be kept by the database: {getattr(error, 'orig', None) or error}") from error
    except (IntegrityError, ProgrammingError):
        raise
    except SQLAlchemyError as error:
        raise StorageError(f"{where}: {getattr(error, 'orig', None) or error}") from error
