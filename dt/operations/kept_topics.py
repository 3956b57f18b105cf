"""What must outlive the log in memory: the state of processing, ai and alerts, and each alert's last event, on disk.

The log dies with the process, and with it what services find in it when they start. Before they do, it is given what
stands here. Readings need no keeping: the collector's outbox sends again what an end without warning may have lost.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dt.communication.messaging import MessagingService, Outgoing, Record, Start, Subscription
from dt.communication.topics import Topics
from dt.utils.dataclasses import AlertEvent
from dt.utils.exceptions import MessageError
from dt.utils.logger import get_logger

GROUP = "solo_keeper"
TOPICS = (Topics.STATE_PROCESSING, Topics.STATE_AI, Topics.STATE_ALERTS, Topics.ALERTS)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    topic   TEXT NOT NULL,
    id      TEXT NOT NULL, -- the record's key; of an alert what it is about
    key     TEXT,
    headers BLOB NOT NULL, -- msgpack
    value   BLOB NOT NULL,
    PRIMARY KEY (topic, id)
) STRICT, WITHOUT ROWID
"""
_ENDED_WELL = 1  # `user_version`: everything that processing's state has had was stored too
_PUT = "INSERT OR REPLACE INTO kept (topic, id, key, headers, value) VALUES (?, ?, ?, ?, ?)"
_DROP = "DELETE FROM kept WHERE topic = ? AND id = ?"

log = get_logger(__name__)


class KeptTopics:
    """Follows a few topics of the log in memory and keeps the last record of each id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._subscription: Subscription | None = None
        self._waiting: dict[tuple[str, str], Record] = {}  # the last of each id that the disk has not taken
        self._is_stopped = False
        self.why = ""  # what is not kept, and why; empty while all is well

    def start(self, messaging: MessagingService) -> int:
        """Give an empty log what was kept, follow it from there on, and return how many records that was."""
        kept: list[Outgoing] = []
        try:
            self._open()
            kept = self._kept()
        except (sqlite3.Error, OSError) as error:
            self._ill(error)
        messaging.publish_batch(kept)
        self._subscription = messaging.subscribe(TOPICS, GROUP, self._take, start=Start.LATEST)
        return len(kept)

    def lag(self) -> int:
        """Return how many records are not kept yet."""
        return len(self._waiting) + (0 if self._subscription is None else self._subscription.lag())

    def stop(self, *, is_drained: bool = False) -> None:
        """Keep what the log still holds, note whether all of it was stored, and close the file."""
        if self._subscription is not None:
            self._subscription.stop()
        with self._lock:
            self._keep()
            db, self._db = self._db, None
            self._is_stopped = True
            if db is not None:
                if is_drained:
                    with contextlib.suppress(sqlite3.Error):
                        db.execute(f"PRAGMA user_version = {_ENDED_WELL}")
                db.close()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _opened(self._path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # the disk's illness, not the file's
                raise
            aside = self._path.with_suffix(".corrupt")
            log.error("%s is unusable (%s) and is now %s; states begin anew", self._path, error, aside.name)  # noqa: TRY400 - one line for a person
            self._path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._db = _opened(self._path)

    def _kept(self) -> list[Outgoing]:
        """Return what is to be given to the log.

        After another end than a drained one the state of processing stays out: it has had readings that were never
        stored, and would call them repeated when the outbox sends them again.
        """
        assert self._db is not None
        if self._db.execute("PRAGMA user_version").fetchone()[0] != _ENDED_WELL:
            self._db.execute("DELETE FROM kept WHERE topic = ?", (str(Topics.STATE_PROCESSING),))
        self._db.execute("PRAGMA user_version = 0")
        rows = self._db.execute("SELECT topic, key, headers, value FROM kept ORDER BY topic, id").fetchall()
        return [
            Outgoing(topic, value, key, msgspec.msgpack.decode(headers, type=dict[str, bytes]))
            for topic, key, headers, value in rows
            if topic in TOPICS
        ]

    def _take(self, records: Sequence[Record]) -> None:
        """Keep the last record of each id; what an ill disk does not take waits for the next records."""
        with self._lock:
            for record in records:
                name = _id_of(record)
                if name is not None:
                    self._waiting[record.topic, name] = record
            if not self._is_stopped:
                self._keep()

    def _keep(self) -> None:
        """Write what waits, in one transaction."""
        if not self._waiting:
            return
        try:
            if self._db is None:
                self._open()
            assert self._db is not None
            self._write(self._db, self._waiting)
        except (sqlite3.Error, OSError) as error:
            if self._db is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            self._ill(error)
            return
        self._waiting = {}
        if self.why:
            log.warning("states are kept again: %s", self._path)
        self.why = ""

    def _ill(self, error: Exception) -> None:
        """Say once what the disk does not take."""
        why = f"states are not kept, and a restart would forget them: {self._path}: {error}"
        if why != self.why:
            log.error("%s", why)
        self.why = why

    def _write(self, db: sqlite3.Connection, latest: dict[tuple[str, str], Record]) -> None:
        db.execute("BEGIN IMMEDIATE")
        for (topic, name), record in latest.items():
            if record.value is None:
                db.execute(_DROP, (topic, name))
            else:
                headers = msgspec.msgpack.encode(dict(record.headers))
                db.execute(_PUT, (topic, name, record.key, headers, record.value))
        db.execute("COMMIT")


def _id_of(record: Record) -> str | None:
    if record.topic != Topics.ALERTS:
        return record.key
    try:
        return AlertEvent.from_json(record.value or b"").key
    except MessageError:  # the database makes a dead letter of it
        return None


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # kill -9 loses nothing; the card is synced when the log is folded in
        db.execute(_SCHEMA)
        db.execute("SELECT 1 FROM kept LIMIT 1").fetchone()
    except Exception:
        db.close()
        raise
    return db
