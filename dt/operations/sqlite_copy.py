"""A consistent copy of a SQLite file that another process writes to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from dt.operations.archive import BackupError

_PAGES_AT_ONCE = 4096  # 16 MB
_BUSY_S = 5.0


def copy_of(path: Path, target: Path, progress: Callable[[float, float], None] = lambda _done, _total: None) -> None:
    """Copy a file as it stands now, whatever is committed meanwhile; writers never wait for it.

    The source's transaction pins one state (WAL), so that the copying goes on where it was and ends.
    """
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(copy, pages=_PAGES_AT_ONCE, sleep=0.0, progress=_shown(progress))
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"{path}: cannot be copied: {error}") from error


def _shown(progress: Callable[[float, float], None]) -> Callable[[int, int, int], None]:
    return lambda _status, left, total: progress(total - left, total)
