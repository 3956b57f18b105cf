"""`dt restore`: a backup becomes an installation again, of the stores that the settings name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from dt.controller.rig_limits import GUARD_FOLDER
from dt.data.database.owner import owned
from dt.data.database.records_db import RecordsDB, sqlite_path
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import PartlyRefusedError, Storage
from dt.data.database.unfinished import unmark_records
from dt.operations.archive import BackupError, Manifest, extracted, make_names_durable
from dt.operations.backup import (
    FRAMES,
    LEDGER_MEMBER,
    MODELS,
    RIG_MEMBER,
    SECRETS,
)
from dt.operations.backup_control import ALERTS_MEMBER, keep_own_locks, lay_out_control
from dt.operations.backup_readings import (
    LINES_MEMBER,
    MARKS_MEMBER,
    ROLLUP_MEMBER,
    SQLITE_MEMBER,
    Marks,
    all_readings,
    open_influx,
    readings_of_lines,
)
from dt.operations.backup_records import FOLDER, load_records, require_empty
from dt.operations.restored_ledger import distrust_ledger
from dt.operations.restored_members import require_members, tables_of
from dt.operations.restored_servers import Servers
from dt.operations.run_folder import RunFolder
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorData

_LINES_AT_ONCE = 5000
_RECORDS_ELSEWHERE = "records.db"  # of a DATABASE_URL that leads out of DATA_DIR
_LEDGER_WORD = (
    "the guard's emergency stop is on, and today's water counts as given: release it when the plants have been seen,"
    " and report the reservoirs' refill"
)

Progress = Callable[[float, float], None]
Step = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Restored:
    """What a restore did, and what a person should know of it."""

    manifest: Manifest
    kept_aside: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def restore_backup(
    settings: Settings, path: Path, clock: Clock, *, force: bool, step: Step, progress: Progress
) -> Restored:
    """Put a backup in place; raises BackupError or StorageError, and then DATA_DIR and servers are as they were.

    All of it is unpacked beside DATA_DIR and compared with its checksums first; files come into place last. A restore
    that was killed is begun again by the same call: what it left in servers is marked as its own.
    """
    home = settings.data_dir.absolute()
    if not path.is_file():
        raise BackupError(f"FILE: {path} {'is a folder' if path.is_dir() else 'is not there'}")
    _require_room(settings, force=force)
    home.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        _lock_out_services(settings, stack)
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}-restore-"))
        )
        unpacked, made = folder / "unpacked", folder / "made"
        unpacked.mkdir()
        made.mkdir(mode=0o700)
        step("checking the backup")
        restored = Restored(manifest=extracted(path, unpacked, progress))
        require_members(restored.manifest)
        restored.remarks += lay_out_control(unpacked, made, clock.wall())
        _lay_out(unpacked, made)
        servers = stack.enter_context(Servers(settings))
        step("readings")
        _readings(settings, servers, restored, unpacked, made)
        step("records")
        _records(settings, servers, restored.manifest, folder, clock)
        step("putting in place")
        _put_in_place(settings, restored, unpacked, made, clock)
        servers.finish()
    return restored


def _require_room(settings: Settings, *, force: bool) -> None:
    if not force and settings.data_dir.is_dir() and any(settings.data_dir.iterdir()):
        raise BackupError(f"DATA_DIR: {settings.data_dir} is not empty; --force keeps what is there aside")
    path = sqlite_path(settings.records_url)
    if path is not None and not _is_below(path, settings.data_dir) and path.exists():
        raise BackupError(f"DATABASE_URL: {path} is there already: name another file")


def _lock_out_services(settings: Settings, stack: ExitStack) -> None:
    """Refuse while something of this installation runs."""
    if not settings.data_dir.is_dir():
        return
    if (settings.data_dir / "run").is_dir() and RunFolder.of(settings).supervisor() is not None:
        raise BackupError("dt up runs on this DATA_DIR: stop it first with dt down")
    for path in (settings.database_file, settings.data_dir / "records.db"):
        if path.with_name(f"{path.name}.lock").exists():
            stack.enter_context(owned(path, "a database service runs on it: stop it first"))


def _lay_out(unpacked: Path, made: Path) -> None:
    """Move into the new folder what belongs there as it is."""
    for name in (FRAMES, MODELS):
        if (unpacked / name).is_dir():
            (unpacked / name).rename(made / name)
    if (unpacked / SECRETS).is_dir():
        for path in (unpacked / SECRETS).iterdir():
            path.rename(made / path.name)
    if (unpacked / LEDGER_MEMBER).is_file():
        (made / GUARD_FOLDER).mkdir(mode=0o700)
        (unpacked / LEDGER_MEMBER).rename(made / LEDGER_MEMBER)
        rig = unpacked / RIG_MEMBER
        distrust_ledger(made / LEDGER_MEMBER, rig if rig.is_file() else None)


def _records(settings: Settings, servers: Servers, manifest: Manifest, folder: Path, clock: Clock) -> None:
    unpacked, made = folder / "unpacked", folder / "made"
    counts = tables_of(manifest)
    path = sqlite_path(settings.records_url)
    url = settings.records_url
    if path is not None:
        is_below = _is_below(path, settings.data_dir)
        place = path.absolute().relative_to(settings.data_dir.absolute()) if is_below else Path()
        url = f"sqlite:///{made / place if is_below else folder / _RECORDS_ELSEWHERE}"
    with closing(RecordsDB(url)) as db:
        if counts:
            load_records(db, unpacked / FOLDER, manifest.records_schema, counts, clock.wall())
        else:
            with db.write() as connection:
                require_empty(connection, db.where)
        if path is None:
            servers.hold_records()
        else:
            with db.write() as connection:
                unmark_records(connection)


def _readings(settings: Settings, servers: Servers, restored: Restored, unpacked: Path, made: Path) -> None:
    kept, target = restored.manifest.readings, made / settings.database_file.name
    is_influx = settings.store == "influx"
    if kept == "sqlite" and not is_influx:
        (unpacked / SQLITE_MEMBER).rename(target)
        SQLiteFile(target).close()  # upgrades an older schema
    elif kept == "sqlite":
        with closing(SQLiteFile(unpacked / SQLITE_MEMBER)) as file:
            _into_influx(settings, servers, restored, _batches(SQLStorage(file)))
        restored.remarks.append("roll-ups whose readings were removed by RETENTION_RAW_DAYS are not in InfluxDB")
    elif kept == "influx" and is_influx:
        _back_into_influx(settings, servers, unpacked)
    elif kept == "influx":
        with closing(SQLStorage(SQLiteFile(target))) as storage:
            _insert_all(storage, readings_of_lines(unpacked / LINES_MEMBER), restored)
        restored.remarks.append("roll-ups whose readings were removed by RETENTION_RAW_DAYS stay in the backup alone")


def _into_influx(settings: Settings, servers: Servers, restored: Restored, batches: Iterator[list[SensorData]]) -> None:
    with closing(open_influx(settings)) as storage:
        servers.hold_bucket(storage)
        _insert_all(storage, batches, restored)
        storage.rollups.roll_due()


def _back_into_influx(settings: Settings, servers: Servers, unpacked: Path) -> None:
    """Write roll-ups as they were, then readings: only what was being rolled up at the backup is rolled up anew."""
    from dt.data.database.influx_rollups import LEVELS

    marks = _marks(unpacked / MARKS_MEMBER)
    with closing(open_influx(settings)) as storage:
        servers.hold_bucket(storage)
        for level in LEVELS:
            for lines in _lines(unpacked / ROLLUP_MEMBER.format(level=level.name)):
                storage.server.write(lines, bucket=storage.rollups.bucket(level))
        writer = _line_writer()
        for batch in readings_of_lines(unpacked / LINES_MEMBER):
            storage.server.write([writer(reading, round(reading.timestamp * 1000)) for reading in batch])
        for sensor_id, until_ms in marks.removed_until_ms.items():
            storage.rollups.removed_until(sensor_id, until_ms)
        storage.server.write(storage.rollups.marks(marks.due_hours))
        storage.rollups.roll_due()


def _line_writer() -> Callable[[SensorData, int], str]:
    from dt.data.database.influx_lines import LineWriter

    return LineWriter().line


def _marks(path: Path) -> Marks:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Marks)
    except msgspec.DecodeError as error:
        raise BackupError(f"{MARKS_MEMBER}: {error}") from error


def _insert_all(storage: Storage, batches: Iterator[list[SensorData]], restored: Restored) -> None:
    refused = 0
    for batch in batches:
        try:
            storage.insert(batch)
        except PartlyRefusedError as error:
            refused += len(error.refused)
    if refused:
        restored.remarks.append(f"{refused} readings cannot be kept by this store; they are in the backup alone")


def _batches(storage: Storage) -> Iterator[list[SensorData]]:
    batch: list[SensorData] = []
    for reading in all_readings(storage):
        batch.append(reading)
        if len(batch) >= _LINES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _lines(path: Path) -> Iterator[Sequence[str]]:
    batch: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            batch.append(line.rstrip("\n"))
            if len(batch) >= _LINES_AT_ONCE:
                yield batch
                batch = []
    if batch:
        yield batch


def _put_in_place(settings: Settings, restored: Restored, unpacked: Path, made: Path, clock: Clock) -> None:
    stamp = datetime.fromtimestamp(clock.wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
    home = settings.data_dir.absolute()
    models = settings.models_path.absolute()
    if (made / MODELS).is_dir() and models != home / MODELS:
        _replace(made / MODELS, models, stamp, restored)
    _keep_own_ledger(home, made, restored)
    restored.remarks += keep_own_locks(home, made)
    _replace(made, home, stamp, restored)
    elsewhere, records = made.parent / _RECORDS_ELSEWHERE, sqlite_path(settings.records_url)
    if records is not None and elsewhere.is_file():
        _replace(elsewhere, records.absolute(), stamp, restored)
    for member, place in ((RIG_MEMBER, settings.rig_file), (ALERTS_MEMBER, settings.alerts_file)):
        if (unpacked / member).is_file():
            _replace(unpacked / member, place.absolute(), stamp, restored)


def _keep_own_ledger(home: Path, made: Path, restored: Restored) -> None:
    """Let a ledger that is here stay in force: it knows more than any backup of it."""
    if (home / LEDGER_MEMBER).is_file():
        shutil.rmtree(made / GUARD_FOLDER, ignore_errors=True)
        shutil.copytree(home / GUARD_FOLDER, made / GUARD_FOLDER, ignore=_no_sockets)
        restored.remarks.append("the guard's ledger that was here stays in force")
    elif (made / LEDGER_MEMBER).is_file():
        restored.remarks.append(_LEDGER_WORD)


def _replace(source: Path, target: Path, stamp: str, restored: Restored) -> None:
    """Rename a file or folder into place; what was there is kept aside, equal files and empty folders are not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file() and target.read_bytes() == source.read_bytes():
        return
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
    elif target.exists():
        aside = target.with_name(f"{target.name}.before-restore-{stamp}")
        target.rename(aside)
        restored.kept_aside.append(aside)
    try:
        source.rename(target)
    except OSError:  # another file system
        shutil.move(source, target)
    make_names_durable(target.parent)


def _no_sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (Path(folder, name).is_file() or Path(folder, name).is_dir())]


def _is_below(path: Path, folder: Path) -> bool:
    return path.absolute().is_relative_to(folder.absolute())
