"""Of a backup: what controller and alerts remember beside the records, and what of it comes back changed.

Left out: `controller/effects.json`, for a dose of that time can no longer be judged by what its soil does now.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dt.alerts.addresses import FILE as ADDRESSES_FILE
from dt.alerts.notice_queue import QUEUE_FILE
from dt.operations.archive import ArchiveWriter, BackupError
from dt.operations.sqlite_copy import copy_of
from dt.utils.config import Settings

DECISIONS_MEMBER = "controller/decisions.json"
LOCKS_MEMBER = "controller/locks.json"
USUAL_MEMBER = "controller/usual_effects.json"
ALERTS_MEMBER = "alerts.toml"
QUEUE_MEMBER = QUEUE_FILE
ADDRESSES_MEMBER = f"secrets/{ADDRESSES_FILE.name}"
_GIVE_UP = "UPDATE notices SET state = 'given_up', ended_at = ? WHERE state = 'waiting'"


def dump_control(settings: Settings, archive: ArchiveWriter, beside: Path) -> None:
    """Add the rules of alerts, the notices, and what people decided; grants stay out."""
    if settings.alerts_file.is_file():
        archive.add(ALERTS_MEMBER, settings.alerts_file)
    decisions = settings.data_dir / DECISIONS_MEMBER
    if decisions.is_file():
        archive.add_bytes(DECISIONS_MEMBER, _without_grants(decisions))
    for name in (LOCKS_MEMBER, USUAL_MEMBER):
        if (settings.data_dir / name).is_file():
            archive.add(name, settings.data_dir / name)
    queue = settings.data_dir / QUEUE_FILE
    if queue.is_file():
        with TemporaryDirectory(dir=beside, prefix=".backup-") as folder:
            copy_of(queue, Path(folder) / queue.name)
            archive.add(QUEUE_MEMBER, Path(folder) / queue.name)


def dump_addresses(settings: Settings, archive: ArchiveWriter) -> int:
    """Add whom to tell, which holds passwords; return the number of files."""
    path = settings.data_dir / ADDRESSES_FILE
    if path.is_file():
        archive.add(ADDRESSES_MEMBER, path)
    return int(path.is_file())


def lay_out_control(unpacked: Path, made: Path, now: float) -> list[str]:
    """Move it into the new folder, and return what a person should know of it."""
    members = {name: name for name in (DECISIONS_MEMBER, LOCKS_MEMBER, USUAL_MEMBER, QUEUE_MEMBER)}
    for name, place in {**members, ADDRESSES_MEMBER: str(ADDRESSES_FILE)}.items():
        if (unpacked / name).is_file():
            (made / place).parent.mkdir(parents=True, exist_ok=True)
            (unpacked / name).rename(made / place)
    return _without_old_news(made / QUEUE_FILE, now)


def keep_own_locks(home: Path, made: Path) -> list[str]:
    """Let lock-outs that are here stay in force beside those of the backup: a restore releases nothing (S7)."""
    own, target = home / LOCKS_MEMBER, made / LOCKS_MEMBER
    if not own.is_file():
        return []
    here, kept = _object_in(own), _object_in(target) if target.is_file() else {}
    if kept is not None:  # a file that nobody can read locks every output out, and stays as it is
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(own.read_bytes() if here is None else json.dumps({**kept, **here}, indent=2).encode())
    return ["the lock-outs that were here stay in force"]


def _object_in(path: Path) -> dict[str, Any] | None:
    try:
        said: Any = json.loads(path.read_bytes())
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _without_old_news(queue: Path, now: float) -> list[str]:
    """Give up the notices that waited at the backup: they may have been sent since, and are no news."""
    if not queue.is_file():
        return []
    try:
        with closing(sqlite3.connect(queue)) as db, db:
            ended = db.execute(_GIVE_UP, (now,)).rowcount
    except sqlite3.Error as error:
        raise BackupError(f"{QUEUE_MEMBER}: holds no notices: {error}") from error
    return [f"{ended} notices that waited at the backup are not sent any more"] if ended else []


def _without_grants(path: Path) -> bytes:
    """Return people's choices: a grant that was withdrawn since must not come back (S14)."""
    try:
        said: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BackupError(f"{path}: {error}") from error
    if not isinstance(said, dict):
        raise BackupError(f"{path}: must be an object of JSON")
    return json.dumps({**said, "grants": {}}).encode()
