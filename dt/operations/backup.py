"""`dt backup`: everything that an installation cannot make again, in one file, while all of it runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from dt.controller.rig_limits import LEDGER_FILE, guard_folder
from dt.operations.archive import FORMAT, MANIFEST, ArchiveWriter, BackupError, Manifest
from dt.operations.backup_control import dump_addresses, dump_control
from dt.operations.backup_readings import dump_influx, dump_sqlite
from dt.operations.backup_records import dump_records, schema_version
from dt.operations.sqlite_copy import copy_of
from dt.utils.clock import Clock
from dt.utils.config import Settings

FRAMES, MODELS, SECRETS = "frames", "models", "secrets"
RIG_MEMBER = "rig.toml"
LEDGER_MEMBER = f"guard/{LEDGER_FILE}"
SECRET_FILES = ("dt_token", "tokens.json", "session_key", "dt_password_hash", "dashboard_password")

Progress = Callable[[float, float], None]
Step = Callable[[str], None]


def make_backup(
    settings: Settings,
    path: Path,
    clock: Clock,
    *,
    with_secrets: bool,
    step: Step,
    progress: Progress,
    force: bool = False,
) -> Manifest:
    """Write a backup; raises BackupError or StorageError, and then there is no file of that name but an older one.

    One that is there already is replaced with `force` alone; its folder has to be there.

    Records come first, so that a picture whose record is in it has its file, unless thinning removes that meanwhile.
    Grants and secrets stay out: who restores gives them anew (secrets on demand are in it).
    """
    if not settings.data_dir.is_dir():
        raise BackupError(f"DATA_DIR: {settings.data_dir} is not there: nothing to back up")
    manifest = Manifest(FORMAT, clock.wall(), _version(), "none", schema_version(), {}, [], {})
    path = path.absolute()
    _require_place(path, force=force)
    with ArchiveWriter(path) as archive:
        step("records")
        records = dump_records(settings, archive, path.parent)
        manifest.counts |= {f"records/{name}": number for name, number in records.items()}
        step("readings")
        _readings(settings, archive, manifest, path.parent, progress)
        step("pictures, models and settings")
        _pictures(settings, archive, manifest, progress)
        manifest.counts["models"] = _tree(settings.models_path, MODELS, archive)
        _small_files(settings, archive, path.parent)
        if with_secrets:
            manifest.counts["secrets"] = _secrets(settings, archive)
        manifest.members = dict(archive.members)
        archive.add_bytes(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _require_place(path: Path, *, force: bool) -> None:
    """Refuse a file that is there already, and a folder that is not."""
    if not path.parent.is_dir():
        raise BackupError(f"FILE: the folder {path.parent} is not there")
    if path.is_dir():
        raise BackupError(f"FILE: {path} is a folder: name a file in it")
    if path.exists() and not force:
        raise BackupError(f"FILE: {path} is there already; --force replaces it")


def _readings(settings: Settings, archive: ArchiveWriter, manifest: Manifest, beside: Path, progress: Progress) -> None:
    if settings.store == "influx":
        manifest.readings = "influx"
        counts, remarks = dump_influx(settings, archive)
        manifest.counts |= counts
        manifest.remarks += remarks
    elif settings.database_file.is_file():
        manifest.readings = "sqlite"
        counts, remarks = dump_sqlite(settings.database_file, archive, beside, progress)
        manifest.counts |= counts
        manifest.remarks += remarks


def _pictures(settings: Settings, archive: ArchiveWriter, manifest: Manifest, progress: Progress) -> None:
    files = sorted((settings.data_dir / FRAMES).glob("[0-9a-f]*.jpg"))
    taken = 0
    for done, path in enumerate(files):
        progress(done, len(files))
        try:
            archive.add(f"{FRAMES}/{path.name}", path)
        except FileNotFoundError:  # thinned meanwhile
            continue
        taken += 1
    manifest.counts["pictures"] = taken


def _tree(folder: Path, name: str, archive: ArchiveWriter) -> int:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    taken = 0
    for path in files:
        try:
            archive.add(f"{name}/{path.relative_to(folder).as_posix()}", path)
        except FileNotFoundError:  # its service replaced it meanwhile
            continue
        taken += 1
    return taken


def _small_files(settings: Settings, archive: ArchiveWriter, beside: Path) -> None:
    if settings.rig_file.is_file():
        archive.add(RIG_MEMBER, settings.rig_file)
    dump_control(settings, archive, beside)
    ledger = guard_folder(settings) / LEDGER_FILE
    if ledger.is_file():
        with TemporaryDirectory(dir=beside, prefix=".backup-") as folder:
            copy = Path(folder) / LEDGER_FILE
            copy_of(ledger, copy)
            with closing(sqlite3.connect(copy)) as db:
                db.execute("SELECT count(*) FROM entries").fetchone()
            archive.add(LEDGER_MEMBER, copy)


def _secrets(settings: Settings, archive: ArchiveWriter) -> int:
    files = [path for name in SECRET_FILES if (path := settings.data_dir / name).is_file()]
    for path in files:
        archive.add(f"{SECRETS}/{path.name}", path)
    return len(files) + dump_addresses(settings, archive)


def _version() -> str:
    try:
        return version("plant-twin")
    except PackageNotFoundError:
        return "unknown"
