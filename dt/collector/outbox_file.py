"""The SQLite file of an outbox: one connection, WAL mode, synced only when it is told to.

The connection holds the file alone, so no shared-memory index is made, and after each folding in the log is cut: the
length of the `-wal` file is always what was written since, which a simulated power cut needs to know.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from dt.collector.outbox_record import COLUMNS, Kept, Row, kept_of, row_of
from dt.collector.outbox_rescue import move_aside, remove, rescue
from dt.utils.logger import get_logger

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    id      INTEGER PRIMARY KEY,
    size    INTEGER NOT NULL,
    bulky   INTEGER NOT NULL,
    mark    TEXT,
    topic   TEXT NOT NULL,
    key     TEXT,
    headers BLOB NOT NULL, -- msgpack
    value   BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS bulky_records ON records (id) WHERE bulky;
CREATE INDEX IF NOT EXISTS marked_records ON records (id) WHERE mark IS NOT NULL;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_ADD = "INSERT INTO records (id, size, bulky, mark, topic, key, headers, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_NOTE = "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text"
_PAGE_BYTES = 1024  # a commit writes whole pages, and most carry one reading
_FOLD_AT_BYTES = 16 * 1024 * 1024
_LARGE_PAGES = 16 * 1024  # of an empty file: it is made small again
_BEYOND_REPAIR = ("malformed", "not a database", "file is encrypted")

DiskCheck = Callable[[], None]  # raises the OSError that a disk would

log = get_logger("dt.collector.outbox")


class OutboxFile:
    """Not thread-safe: `Outbox` holds a lock. Everything raises `sqlite3.Error` or `OSError` when the disk is ill."""

    def __init__(self, path: Path, disk_check: DiskCheck = lambda: None) -> None:
        self.path = path
        self._check = disk_check
        self._db: sqlite3.Connection | None = None
        self.synced_bytes = 0  # of the log, safe from a power cut
        self.syncs = 0
        self.moved_aside: list[Path] = []
        self.unreadable = 0  # numbers that corrupt files did not give

    @property
    def wal(self) -> Path:
        """Return the log beside the file."""
        return self.path.with_name(f"{self.path.name}-wal")

    def open(self) -> tuple[int, int]:
        """Open or make the file; return its first and last number (1, 0 when empty). A corrupt one is moved aside."""
        self._check()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._new.exists() and not self.path.exists():
            self._new.replace(self.path)  # a replacement was cut off between its two renamings
        try:
            self._db = self._connect()
            ends = self._ends()
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
            ends = self.replace(error)
        self.synced_bytes = self._wal_bytes()
        return ends

    def replace(self, error: sqlite3.Error) -> tuple[int, int]:
        """Give the corrupt file another name and open a new one with all that it still gives; return its ends.

        Nothing is renamed before the new file is complete: an error on the way leaves the corrupt one for another try.
        """
        self.let_go()
        new = OutboxFile(self._new, self._check)
        remove(new.path)
        new.open()
        try:
            found = rescue(self.path, new.write)
            new.write(notes=found.notes)
        finally:
            new.close()
        aside = move_aside(self.path)
        new.path.replace(self.path)
        self.moved_aside.append(aside)
        self.unreadable += found.unreadable
        log.error("%s is corrupt (%s) and is now %s: %s", self.path, error, aside.name, found)
        self._db = self._connect()
        self.synced_bytes = self._wal_bytes()
        return self._ends()

    def write(
        self,
        records: Sequence[Kept] = (),
        *,
        gone: Iterable[tuple[int, int]] = (),
        notes: Iterable[tuple[str, str]] = (),
        sync: bool = False,
    ) -> None:
        """Add records, take off ranges of numbers (first, last) and keep notes in one transaction."""
        self._check()
        db = self._open
        if sync:
            db.execute("PRAGMA synchronous = FULL")
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_ADD, map(row_of, records))
            db.executemany("DELETE FROM records WHERE id BETWEEN ? AND ?", gone)
            db.executemany(_NOTE, notes)
            db.execute("COMMIT")
        except BaseException:  # Ctrl-C too must leave no transaction open: the next BEGIN would fail
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        finally:
            if sync:
                db.execute("PRAGMA synchronous = NORMAL")
        if sync:
            self.syncs += 1
            self.synced_bytes = self._wal_bytes()

    def fill(self, records: Sequence[Kept]) -> None:
        """Add those of the records that are not there."""
        if records:
            self._check()
            self._open.execute("BEGIN IMMEDIATE")
            self._open.executemany(_ADD.replace("INSERT", "INSERT OR IGNORE"), map(row_of, records))
            self._open.execute("COMMIT")

    def fold(self, *, at_bytes: int = _FOLD_AT_BYTES) -> bool:
        """Take a long log into the file, which syncs both; return whether it was long."""
        if self._wal_bytes() < at_bytes:
            return False
        self._check()
        self._open.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self.synced_bytes = self._wal_bytes()
        return True

    def shrink(self) -> bool:
        """Give the disk back what an outage took; only for a file without records."""
        [pages] = self._open.execute("PRAGMA page_count").fetchone()
        if pages < _LARGE_PAGES:
            return False
        self._check()
        self._open.execute("VACUUM")
        return self.fold(at_bytes=0)

    def read(self, after: int, before: int, most: int, most_bytes: int) -> list[Kept]:
        """Return records with after < number < before, in order, at least one if there is any."""
        rows = self._open.execute(
            f"SELECT {COLUMNS} FROM records WHERE id > ? AND id < ? ORDER BY id LIMIT ?",  # noqa: S608 - a constant
            (after, before, most),
        )
        return _up_to(rows, most_bytes)

    def victims(self, order: str, after: int, count: int, size: int) -> list[Kept]:
        """Return the first records beyond `after`, of an ORDER, that free so many records and bytes."""
        rows = self._open.execute(f"SELECT {COLUMNS} FROM records WHERE id > ? {order}", (after,))  # noqa: S608 - ours
        found: list[Kept] = []
        freed = 0
        for row in rows:
            if len(found) >= count and freed >= size:
                break
            found.append(kept_of(row))
            freed += found[-1].size
        return found

    def size_of(self, first: int, last: int) -> tuple[int, int]:
        """Return how many records, and bytes, there are from one number to another."""
        [count, size] = self._open.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM records WHERE id BETWEEN ? AND ?", (first, last)
        ).fetchone()
        return count, size

    def marked(self, after: int, most: int) -> list[Kept]:
        """Return marked records beyond a number."""
        rows = self._open.execute(
            f"SELECT {COLUMNS} FROM records WHERE mark IS NOT NULL AND id > ? ORDER BY id LIMIT ?",  # noqa: S608 - ours
            (after, most),
        )
        return [kept_of(row) for row in rows]

    def rewrite(self, records: Sequence[Kept]) -> None:
        """Give records of these numbers another body."""
        self._check()
        self._open.execute("BEGIN IMMEDIATE")
        self._open.executemany(
            "UPDATE records SET mark = ?, headers = ?, value = ? WHERE id = ?",
            [(k.mark, msgspec.msgpack.encode(dict(k.record.headers)), k.record.value, k.id) for k in records],
        )
        self._open.execute("COMMIT")

    def notes(self) -> dict[str, str]:
        """Return every note."""
        return dict(self._open.execute("SELECT name, text FROM notes").fetchall())

    def close(self) -> None:
        """Fold everything in, durably, and let go."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def let_go(self) -> None:
        """Close a file that may be ill."""
        with contextlib.suppress(sqlite3.Error):
            self.close()

    def cut_power(self) -> None:
        """Leave the files as a power cut does: what was not synced is gone, nothing is folded in."""
        parts = [(part, part.with_name(f"{part.name}.cut")) for part in (self.path, self.wal) if part.exists()]
        for part, copy in parts:
            shutil.copyfile(part, copy)
        self.let_go()
        self.wal.unlink(missing_ok=True)
        for part, copy in parts:
            copy.replace(part)
        if self.wal.exists():
            with self.wal.open("r+b") as log_file:
                log_file.truncate(self.synced_bytes)

    @property
    def _new(self) -> Path:
        return self.path.with_name(f"{self.path.name}.new")

    @property
    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            msg = "the file is not open"
            raise sqlite3.OperationalError(msg)
        return self._db

    def _ends(self) -> tuple[int, int]:
        [first, last] = self._open.execute("SELECT min(id), max(id) FROM records").fetchone()
        return first or 1, last or 0

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute("PRAGMA cache_size = -1024")  # 1 MB
            if db.execute("PRAGMA user_version").fetchone() == (0,):
                db.executescript(f"{_SCHEMA} PRAGMA user_version = 1;")
            db.execute("SELECT 1 FROM records LIMIT 1").fetchone()
        except Exception:
            db.close()
            raise
        return db

    def _wal_bytes(self) -> int:
        try:
            return self.wal.stat().st_size
        except FileNotFoundError:
            return 0


def is_corrupt(error: Exception) -> bool:
    """Return whether a file is beyond use, and not only out of reach."""
    return isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in _BEYOND_REPAIR)


def _up_to(rows: Iterable[Row], most_bytes: int) -> list[Kept]:
    found: list[Kept] = []
    total = 0
    for row in rows:
        total += row[1]
        if found and total > most_bytes:
            break
        found.append(kept_of(row))
    return found
