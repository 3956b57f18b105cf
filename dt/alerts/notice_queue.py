"""Notices on their way, in SQLite: each is kept before it is sent, and tried until its address has taken it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dt.alerts.notice import Notice
from dt.utils.dataclasses import Severity
from dt.utils.exceptions import StorageError
from dt.utils.logger import get_logger

QUEUE_FILE = "alerts/notices.db"  # under DATA_DIR
_KEPT_S = 30 * 86_400.0  # as long, a notice that is heard of again is known to be sent
_SCHEMA = """
CREATE TABLE IF NOT EXISTS notices (
    notice_id TEXT NOT NULL,
    address   TEXT NOT NULL,
    alert_id  TEXT NOT NULL,
    bundle    TEXT NOT NULL,
    severity  TEXT NOT NULL,
    is_over   INTEGER NOT NULL,
    text      TEXT NOT NULL,
    made_at   REAL NOT NULL,
    due_at    REAL NOT NULL,
    attempts  INTEGER NOT NULL DEFAULT 0,
    state     TEXT NOT NULL DEFAULT 'waiting', -- sent, given_up, overtaken; of steps that are not told: over, heeded
    ended_at  REAL,
    PRIMARY KEY (notice_id, address)
) STRICT;
CREATE INDEX IF NOT EXISTS notices_waiting ON notices (state, due_at);
CREATE INDEX IF NOT EXISTS notices_of_alert ON notices (alert_id, address);
CREATE TABLE IF NOT EXISTS sendings (
    address TEXT NOT NULL, bundle TEXT NOT NULL, at REAL NOT NULL, is_ok INTEGER NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (address, at, bundle)
) STRICT;
CREATE TABLE IF NOT EXISTS asked (alert_id TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
"""

# News of an alert that are followed by later ones are none any more; who acknowledges ends the repetitions only.
_OVERTAKE = """
UPDATE notices SET state = 'overtaken', ended_at = made_at
WHERE state = 'waiting' AND (:alert_id IS NULL OR alert_id = :alert_id) AND EXISTS (
    SELECT 1 FROM notices AS later
    WHERE later.alert_id = notices.alert_id AND later.address = notices.address AND later.rowid > notices.rowid
    AND (later.state != 'heeded' OR notices.bundle LIKE 'escalation/%')
)
"""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One notice for one address."""

    notice_id: str
    address: str
    alert_id: str
    bundle: str
    severity: Severity
    is_over: bool
    text: str
    made_at: float
    due_at: float
    attempts: int


class NoticeQueue:
    """The file of notices; used by several threads.

    While the disk takes nothing, notices wait in memory, and are on disk again as soon as it does: people have to be
    told of a full disk too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.why = ""  # what keeps notices from being kept on disk
        try:
            self._db = _opened(path)
        except (sqlite3.Error, OSError) as error:
            self._db = _opened(None)
            self._ill(error)

    def look(self) -> None:
        """Go back to the file when notices wait in memory and the disk takes them again."""
        with self._lock:
            if not self.why:
                return
            try:
                file = _opened(self._path)
                try:
                    _copy(self._db, file)
                except BaseException:
                    file.close()
                    raise
            except (sqlite3.Error, OSError) as error:
                self._ill(error)
                return
            self._db.close()
            self._db, self.why = file, ""
            log.warning("notices are kept on disk again: %s", self._path)

    def put(self, notices: Sequence[tuple[Notice, str, float]], now: float) -> None:
        """Keep notices for addresses, due at a time each; those that are known already stay as they are.

        What waits of the same alert for the same address is overtaken: no retry brings it after its successor.
        """
        rows = [
            (n.notice_id, address, n.alert_id, n.group, str(n.severity), int(n.is_over), n.text, now, due_at)
            for n, address, due_at in notices
        ]

        def keep(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT OR IGNORE INTO notices"
                " (notice_id, address, alert_id, bundle, severity, is_over, text, made_at, due_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            for alert_id in {row[2] for row in rows}:
                db.execute(_OVERTAKE, {"alert_id": alert_id})

        self._write(keep)

    def note_step(self, step_id: str, alert_id: str, addresses: Iterable[str], now: float, *, is_over: bool) -> None:
        """Note a step of an alert that nobody is told of: its end drops what waits, an answer the repetitions."""
        state = "over" if is_over else "heeded"
        rows = [(step_id, address, alert_id, int(is_over), now, now, state, now) for address in addresses]

        def keep(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT OR IGNORE INTO notices"
                " (notice_id, address, alert_id, bundle, severity, is_over, text, made_at, due_at, state, ended_at)"
                " VALUES (?, ?, ?, '', 'info', ?, '', ?, ?, ?, ?)",
                rows,
            )
            db.execute(_OVERTAKE, {"alert_id": alert_id})

        self._write(keep)

    def still_waiting(self, waiting: Sequence[Waiting]) -> list[Waiting]:
        """Return those that nothing has overtaken meanwhile."""
        known = {(one.notice_id, one.address) for one in self.waiting()}
        return [one for one in waiting if (one.notice_id, one.address) in known]

    def waiting(self) -> list[Waiting]:
        """Return what waits, oldest first."""
        with self._read() as db:
            rows = db.execute(
                "SELECT notice_id, address, alert_id, bundle, severity, is_over, text, made_at, due_at, attempts"
                " FROM notices WHERE state = 'waiting' ORDER BY made_at, rowid LIMIT 5000"
            ).fetchall()
        return [
            Waiting(
                notice_id=row[0], address=row[1], alert_id=row[2], bundle=row[3], severity=Severity(row[4]),
                is_over=bool(row[5]), text=row[6], made_at=row[7], due_at=row[8], attempts=row[9],
            )
            for row in rows
        ]  # fmt: skip

    def postpone(self, waiting: Sequence[Waiting], until: float, *, is_attempt: bool) -> None:
        """Let notices wait until a time, after an attempt that failed or for another reason."""
        rows = [(until, int(is_attempt), one.notice_id, one.address) for one in waiting]
        update = "UPDATE notices SET due_at = ?, attempts = attempts + ? WHERE notice_id = ? AND address = ?"
        self._write(lambda db: db.executemany(update, rows))

    def end(self, waiting: Sequence[Waiting], state: str, now: float) -> None:
        """Note that notices were sent, or given up."""
        rows = [(state, now, one.notice_id, one.address) for one in waiting]
        update = "UPDATE notices SET state = ?, ended_at = ? WHERE notice_id = ? AND address = ?"
        self._write(lambda db: db.executemany(update, rows))

    def note_sending(self, address: str, bundle: str, now: float, why: str) -> None:
        """Keep that an address took a message, or why not ('' is success), and forget what is old."""

        def note(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO sendings VALUES (?, ?, ?, ?, ?)", (address, bundle, now, int(not why), why)
            )
            db.execute("DELETE FROM sendings WHERE at < ?", (now - _KEPT_S,))
            db.execute("DELETE FROM notices WHERE state != 'waiting' AND ended_at < ?", (now - _KEPT_S,))

        self._write(note)

    def sent_since(self, address: str, since: float, bundle: str | None = None) -> int:
        """Return how many messages an address took since a time, of one bundle or of all."""
        with self._read() as db:
            row = db.execute(
                "SELECT count(DISTINCT at) FROM sendings"
                " WHERE address = ? AND at > ? AND is_ok AND (? IS NULL OR bundle = ?)",
                (address, since, bundle, bundle),
            ).fetchone()
        return int(row[0])

    def last(self, address: str, *, is_ok: bool) -> tuple[float, str] | None:
        """Return when an address last took a message, or did not, and why not."""
        with self._read() as db:
            found: tuple[float, str] | None = db.execute(
                "SELECT at, why FROM sendings WHERE address = ? AND is_ok = ? ORDER BY at DESC LIMIT 1",
                (address, int(is_ok)),
            ).fetchone()
        return found

    def count_waiting(self, address: str) -> int:
        """Return how many notices wait for an address."""
        with self._read() as db:
            query = "SELECT count(*) FROM notices WHERE address = ? AND state = 'waiting'"
            return int(db.execute(query, (address,)).fetchone()[0])

    def ask(self, alert_id: str, at: float | None) -> None:
        """Note since when people are asked for an alert; None: no longer."""
        if at is None:
            self._write(lambda db: db.execute("DELETE FROM asked WHERE alert_id = ?", (alert_id,)))
        else:
            self._write(lambda db: db.execute("INSERT OR IGNORE INTO asked VALUES (?, ?)", (alert_id, at)))

    def asked(self) -> dict[str, float]:
        """Return since when people are asked for which alert."""
        with self._read() as db:
            return dict(db.execute("SELECT alert_id, at FROM asked").fetchall())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise StorageError(f"notices cannot be read: {error}") from error

    def _write(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Make a change, in memory when the disk does not take it."""
        with self._lock:
            try:
                _change(self._db, change)
            except sqlite3.Error as error:
                self._ill(error)
                try:
                    memory = _opened(None)
                    _copy(self._db, memory)
                    self._db.close()
                    self._db = memory
                    _change(self._db, change)
                except sqlite3.Error as worse:
                    raise StorageError(f"notices cannot be kept: {worse}") from worse

    def _ill(self, error: Exception) -> None:
        """Say once what the disk does not take."""
        why = f"notices wait in memory, and a restart would forget them: {self._path}: {error}"
        if why != self.why:
            log.error("%s", why)
        self.why = why


def _change(db: sqlite3.Connection, change: Callable[[sqlite3.Connection], object]) -> None:
    try:
        db.execute("BEGIN IMMEDIATE")
        change(db)
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Bring everything over; what both have stands as the source has it."""

    def bring(db: sqlite3.Connection) -> None:
        for name in ("notices", "sendings", "asked"):
            rows = source.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()  # noqa: S608 - a name of our own
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                db.executemany(f"INSERT OR REPLACE INTO {name} VALUES ({marks})", rows)  # noqa: S608
        db.execute(_OVERTAKE, {"alert_id": None})

    _change(target, bring)


def _opened(path: Path | None) -> sqlite3.Connection:
    """Open the file, or a database in memory."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path or ":memory:", timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db
