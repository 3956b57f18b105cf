"""What a backup must have for what its manifest says of it: one that a stranger made is refused before anything is."""

from __future__ import annotations

from collections.abc import Mapping

from dt.operations.archive import BackupError, Manifest
from dt.operations.backup_readings import LINES_MEMBER, MARKS_MEMBER, ROLLUP_MEMBER, SQLITE_MEMBER
from dt.operations.backup_records import FOLDER

_LEVELS = ("1h", "5m", "1m")
_OF_READINGS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "sqlite": (SQLITE_MEMBER,),
    "influx": (MARKS_MEMBER, LINES_MEMBER, *(ROLLUP_MEMBER.format(level=level) for level in _LEVELS)),
}


def tables_of(manifest: Manifest) -> dict[str, int]:
    """Return the numbers of rows of a backup's tables of records."""
    prefix = f"{FOLDER}/"
    return {name.removeprefix(prefix): n for name, n in manifest.counts.items() if name.startswith(prefix)}


def require_members(manifest: Manifest) -> None:
    """Refuse a manifest that says of readings and tables what no member bears out; raises BackupError."""
    if manifest.readings not in _OF_READINGS:
        known = ", ".join(_OF_READINGS)
        raise BackupError(f"the manifest's readings: must be one of {known}, and is {manifest.readings!r:.80}")
    needed = [*_OF_READINGS[manifest.readings], *(f"{FOLDER}/{name}.jsonl" for name in tables_of(manifest))]
    missing = [name for name in needed if name not in manifest.members]
    if missing:
        raise BackupError(f"{missing[0]!r:.200}: the manifest tells of it, and it is not in the backup")
