"""One process per SQLite file."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO

from dt.utils.exceptions import StorageError


def owned(path: Path, taken: str) -> TextIO:
    """Hold a file for this process; raises StorageError while another one has it. The kernel frees it at any end."""
    lock = path.with_name(f"{path.name}.lock").open("w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise StorageError(f"{path}: {taken}") from error
    return lock
