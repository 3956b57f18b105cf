"""An emergency stop left for a guard that does not answer: a file beside its ledger, which the next guard honours."""

from __future__ import annotations

import os
from pathlib import Path

LATCH_FILE = "stop.latch"
_MODE = 0o600
_SOMEBODY = "somebody, while no guard answered"
_LONGEST_NAME = 200


def leave_latch(folder: Path, by: str) -> None:
    """Leave a stop in this name; it is on the disk when this returns. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = folder / f".{LATCH_FILE}.{os.getpid()}"
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(by)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / LATCH_FILE)
    for changed in (folder, folder.parent):
        _sync(changed)


def latch_left_by(folder: Path) -> str | None:
    """Return who left a stop there, or None; one that cannot be read counts as somebody's."""
    try:
        text = (folder / LATCH_FILE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError:
        return _SOMEBODY
    return text.strip()[:_LONGEST_NAME] or _SOMEBODY


def remove_latch(folder: Path) -> None:
    """Forget a stop that was left, if there is one, on the disk too. Raises OSError."""
    try:
        (folder / LATCH_FILE).unlink()
    except FileNotFoundError:
        return
    _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
