"""`dt backup` and `dt restore`: what comes back answers as what was backed up did, and nothing is lost on the way."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import sqlite3
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from dt.cli.main import main
from dt.communication.frames import frame_headers
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.controller.guard_clock import SystemGuardClock
from dt.controller.ledger import Ledger
from dt.controller.rig_limits import LEDGER_FILE, guard_config, guard_folder
from dt.data.database.app import create_service
from dt.data.database.records import PageQuery, Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.rollups import verify_rollups
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.operations.archive import MANIFEST, ArchiveWriter, BackupError, Manifest, extracted
from dt.operations.backup import _tree, make_backup
from dt.operations.backup_records import schema_version
from dt.operations.restore import Restored, restore_backup
from dt.operations.restored_ledger import distrust_ledger
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import CameraFrame
from dt.utils.exceptions import StorageError
from dt.utils.rig import load_rig
from tests.data.database.test_trace import alert
from tests.data.readings import NOW, make_reading

Eventually = Callable[[Callable[[], object], str], None]
Ask = Callable[..., Any]
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
PATHS = (
    f"/series?data_type=temperature&since={NOW - 3600}&until={NOW + 7200}&points=50",
    "/trace/t1",
    "/alerts?limit=100",
    "/plants",
    "/frames?limit=10",
    "/notes?limit=10",
)


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[Ask, MemoryMessaging]]:
    """Give a way to ask a running database service, and its log."""
    messaging = MemoryMessaging()
    service = create_service(settings, messaging, SystemClock())
    service.start()

    def ask(path: str, method: str = "GET", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {settings.dt_token}"}
        answer = requests.request(method, f"http://127.0.0.1:{service.port}{path}", headers=headers, timeout=5, **more)
        return answer.json()

    try:
        yield ask, messaging
    finally:
        service.stop()
        messaging.close()


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Settings:
    """Return settings of an installation with a rig of its own."""
    rig = tmp_path / "rig.toml"
    rig.write_bytes(settings.rig_file.read_bytes())
    return settings.model_copy(update={"flask_db_url": "http://127.0.0.1:0", "rig_file": rig})


@pytest.fixture
def elsewhere(home: Settings, tmp_path: Path) -> Settings:
    """Return settings of an empty machine."""
    return home.model_copy(
        update={"data_dir": tmp_path / "elsewhere" / "data", "rig_file": tmp_path / "elsewhere" / "rig.toml"}
    )


def fill(ask: Ask, messaging: MemoryMessaging, eventually: Eventually) -> None:
    """Give a service readings with a derived one, an alert, a picture and a note."""
    for i in range(100):
        reading = make_reading(timestamp=NOW + 60 * i, value=20 + i / 7)
        messaging.publish(Topics.TEMPERATURE.processed, reading, key="box")
    messaging.publish(Topics.TEMPERATURE.processed, make_reading("air-2", correlation_id="t1"), key="box")
    vpd = make_reading("box/vpd", "vpd", 1.9, correlation_id="v1", caused_by=["t1"])
    messaging.publish(Topics.VPD.processed, vpd, key="box")
    messaging.publish(Topics.ALERTS, alert("a1", "v1", NOW + 1), key="a1")
    frame = CameraFrame.from_dict(
        {"sensor_id": "cam", "zone_id": "box", "timestamp": NOW, "correlation_id": "f1", "width": 1, "height": 1}
    )
    messaging.publish(Topics.CAMERA_IMAGE.raw, JPEG, key="box", headers=frame_headers(frame))
    sha256 = hashlib.sha256(JPEG).hexdigest()
    described = CameraFrame.from_dict({**frame.to_dict(), "url": f"/frames/{sha256}.jpg", "sha256": sha256})
    messaging.publish(Topics.CAMERA_IMAGE.processed, described, key="box")
    eventually(lambda: ask(PATHS[0])["n"] and sum(ask(PATHS[0])["n"]) == 101, "readings are stored")
    eventually(lambda: ask("/alerts?limit=9")["items"] and ask("/frames?limit=9")["items"], "records are stored")


def backed_up(settings: Settings, path: Path, **more: bool) -> Manifest:
    """Make a backup without a word."""
    options = {"with_secrets": False, **more}
    return make_backup(
        settings, path, SystemClock(), step=lambda _word: None, progress=lambda _done, _total: None, **options
    )


def restored(settings: Settings, path: Path, *, force: bool = False) -> Restored:
    """Restore without a word."""
    return restore_backup(
        settings, path, ManualClock(), force=force, step=lambda _word: None, progress=lambda _done, _total: None
    )


def test_restored_installation_answers_as_before(
    home: Settings, elsewhere: Settings, tmp_path: Path, eventually: Eventually
) -> None:
    """Series, trace, alerts, plants, pictures and rig are the same on the empty machine, and its roll-ups are right."""
    with serving(home) as (ask, messaging):
        fill(ask, messaging, eventually)
        manifest = backed_up(home, tmp_path / "plants.tar.gz")
        before = [ask(path) for path in PATHS]

    restored(elsewhere, tmp_path / "plants.tar.gz")

    assert manifest.counts["readings"] == 102
    assert manifest.counts["pictures"] == 1
    with serving(elsewhere) as (ask, _):
        assert [ask(path) for path in PATHS] == before
    assert verify_rollups(elsewhere.database_file) == []
    assert elsewhere.rig_file.read_bytes() == home.rig_file.read_bytes()
    assert not list(tmp_path.glob("elsewhere/.*restore*"))


@contextmanager
def writing(write: Callable[[int], object], at_least: int) -> Iterator[list[int]]:
    """Call `write` with 0, 1, ... in a thread until the block ends; begins after some, gives how many there are."""
    written, stop = [0], threading.Event()

    def run() -> None:
        while not stop.is_set():
            write(written[0])
            written[0] += 1

    writer = threading.Thread(target=run)
    writer.start()
    try:
        while written[0] < at_least:
            assert writer.is_alive()
        yield written
    finally:
        stop.set()
        writer.join()


def test_backup_has_one_state_while_readings_come_in(home: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    """Batches of ten are in it whole or not at all, though the writer never stops."""
    with closing(SQLStorage(SQLiteFile(home.database_file))) as storage:

        def write(number: int) -> None:
            storage.insert([make_reading(timestamp=NOW + 10 * number + i) for i in range(10)])

        with writing(write, at_least=20) as written:
            before = written[0]
            manifest = backed_up(home, tmp_path / "b.tar.gz")
            after = written[0]

    restored(elsewhere, tmp_path / "b.tar.gz")

    assert 10 * before <= manifest.counts["readings"] <= 10 * after
    assert manifest.counts["readings"] % 10 == 0
    assert verify_rollups(elsewhere.database_file) == []


def test_tokens_are_left_out_unless_asked_for(home: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    """A backup that lies about opens no door; one with secrets brings them back, readable by the owner alone."""
    home.data_dir.mkdir()
    (home.data_dir / "dt_token").write_text("secret-word\n")

    plain, full = (backed_up(home, tmp_path / f"{flag}.tar.gz", with_secrets=flag) for flag in (False, True))
    restored(elsewhere, tmp_path / "True.tar.gz")

    assert not any("token" in name for name in plain.members)
    assert "secrets/dt_token" in full.members
    assert (elsewhere.data_dir / "dt_token").read_text() == "secret-word\n"
    assert (elsewhere.data_dir / "dt_token").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "True.tar.gz").stat().st_mode & 0o777 == 0o600


def test_data_that_is_there_is_refused_or_kept_aside(home: Settings, tmp_path: Path) -> None:
    """Without --force nothing is touched; with it what was there keeps a name of its own."""
    with closing(SQLStorage(SQLiteFile(home.database_file))) as storage:
        storage.insert([make_reading()])
    backed_up(home, tmp_path / "b.tar.gz")
    with closing(SQLStorage(SQLiteFile(home.database_file))) as storage:
        storage.insert([make_reading(timestamp=NOW + 1)])

    with pytest.raises(BackupError, match="not empty"):
        restored(home, tmp_path / "b.tar.gz")
    done = restored(home, tmp_path / "b.tar.gz", force=True)

    [aside] = done.kept_aside
    assert _readings(home.database_file) == 1
    assert _readings(aside / home.database_file.name) == 2


def test_running_service_is_not_restored_under(home: Settings, tmp_path: Path) -> None:
    """Its files would be renamed under its feet."""
    with serving(home):
        backed_up(home, tmp_path / "b.tar.gz")
        with pytest.raises(StorageError, match="stop it first") as refusal:
            restored(home, tmp_path / "b.tar.gz", force=True)
    assert str(home.database_file) in str(refusal.value)


def _inflated(packed: bytes) -> bytes | None:
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        return None


def test_damaged_backup_changes_nothing(home: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    """A flipped byte anywhere is found before anything is put in place."""
    with closing(SQLStorage(SQLiteFile(home.database_file))) as storage:
        storage.insert([make_reading(timestamp=NOW + i) for i in range(100)])
    backed_up(home, tmp_path / "b.tar.gz")
    whole = (tmp_path / "b.tar.gz").read_bytes()

    for place in range(100, len(whole), len(whole) // 20):
        damaged = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        if _inflated(damaged) == _inflated(whole):  # deflate can say the same in several ways: nothing is damaged
            continue
        (tmp_path / "damaged.tar.gz").write_bytes(damaged)
        with pytest.raises(BackupError):
            restored(elsewhere, tmp_path / "damaged.tar.gz")
    (tmp_path / "damaged.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BackupError):
        restored(elsewhere, tmp_path / "damaged.tar.gz")

    assert not elsewhere.data_dir.exists()


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "a\\b", "./a", ""])
def test_member_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    """An archive from a stranger writes nowhere but below its own folder."""
    path = _tar(tmp_path, tarfile.TarInfo(name))
    (tmp_path / "in").mkdir()

    with pytest.raises(BackupError, match=r"leads out|no name|no whole backup"):
        extracted(path, tmp_path / "in", lambda _done, _total: None)

    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_member_that_is_no_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    """A link could lead the next member anywhere."""
    info = tarfile.TarInfo("frames")
    info.type, info.linkname = kind, "/etc"

    with pytest.raises(BackupError, match="no regular file"):
        extracted(_tar(tmp_path, info), tmp_path / "in", lambda _done, _total: None)


def test_backup_of_a_later_version_says_so(tmp_path: Path) -> None:
    """Its format is read before the rest of its manifest."""
    with ArchiveWriter(tmp_path / "b.tar.gz") as archive:
        archive.add_bytes(MANIFEST, msgspec.json.encode({"format": 99}))

    with pytest.raises(BackupError, match="later version"):
        extracted(tmp_path / "b.tar.gz", tmp_path / "in", lambda _done, _total: None)


@pytest.mark.parametrize(
    ("readings", "counts", "missing"),
    [
        ("sqlite", {}, "readings/plant_twin.db"),
        ("influx", {}, "readings/influx_marks.json"),
        ("none", {"records/plants": 1}, "records/plants.jsonl"),
        ("none", {"records/../../etc/passwd": 1}, "records/../../etc/passwd.jsonl"),
        ("tape", {}, "must be one of none, sqlite, influx"),
    ],
)
def test_manifest_that_tells_of_what_is_not_there_is_refused(
    elsewhere: Settings, tmp_path: Path, readings: str, counts: dict[str, int], missing: str
) -> None:
    """One that a stranger made names a member that no backup of theirs has; nothing is put in place."""
    path = tmp_path / "b.tar.gz"
    with ArchiveWriter(path) as archive:
        manifest = Manifest(1, NOW, "0", readings, schema_version(), counts, [], {})
        archive.add_bytes(MANIFEST, msgspec.json.encode(manifest))

    with pytest.raises(BackupError, match=re.escape(missing)):
        restored(elsewhere, path)

    assert not elsewhere.data_dir.exists()


def test_records_outside_data_dir_come_into_place_last(home: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    """A restore that fails leaves no file that the next one stumbles over."""
    with closing(RecordsDB(home.records_url)) as db:
        Records(db).keep([alert("a1", "r1", NOW)])
    file = tmp_path / "apart" / "records.db"
    apart = elsewhere.model_copy(update={"database_url": f"sqlite:///{file}"})
    (home.data_dir / "models").mkdir()
    (home.data_dir / "models" / "m").write_text("a model")
    backed_up(home, tmp_path / "models.tar.gz")

    with pytest.raises(OSError, match=r"models\.tar\.gz"):  # no folder can be made below a file
        restored(apart.model_copy(update={"models_dir": tmp_path / "models.tar.gz" / "x"}), tmp_path / "models.tar.gz")
    assert not file.exists()
    restored(apart, tmp_path / "models.tar.gz")

    with closing(RecordsDB(apart.records_url)) as db:
        assert len(Records(db).page("alerts", PageQuery.from_dict({}), {}).items) == 1


def test_failed_backup_leaves_the_older_one(tmp_path: Path) -> None:
    """The file's name is taken over when all is written; nothing half is left behind."""
    path = tmp_path / "b.tar.gz"
    path.write_bytes(b"the older one")

    def write() -> None:
        with ArchiveWriter(path) as archive:
            archive.add_bytes("a", b"1")
            archive.add("b", tmp_path / "gone")

    with pytest.raises(FileNotFoundError):
        write()

    assert path.read_bytes() == b"the older one"
    assert list(tmp_path.iterdir()) == [path]


def test_s03_restored_ledger_grants_no_second_budget(home: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    """What was given since the backup is not known: every plant had its day's water, and a person has to look."""
    config = guard_config(load_rig(home.rig_file), guard_folder(home))
    with closing(Ledger(guard_folder(home) / LEDGER_FILE, SystemGuardClock())):
        pass
    backed_up(home, tmp_path / "b.tar.gz")

    done = restored(elsewhere, tmp_path / "b.tar.gz")

    assert config.budgets
    assert any("emergency stop" in remark for remark in done.remarks)
    with closing(Ledger(guard_folder(elsewhere) / LEDGER_FILE, SystemGuardClock())) as ledger:
        assert ledger.stopped_by() is not None
        for plant_id, budget in config.budgets.items():
            assert ledger.spent_ml(plant_id) >= budget.ml_per_day
        for reservoir, ml in config.reservoirs.items():
            assert ledger.drawn_ml(reservoir) >= ml


def test_ledger_that_is_there_stays_in_force(home: Settings, tmp_path: Path) -> None:
    """It knows what was given since; the backup's does not."""
    with closing(Ledger(guard_folder(home) / LEDGER_FILE, SystemGuardClock())) as ledger:
        backed_up(home, tmp_path / "b.tar.gz")
        ledger.distrust({"basil": 123.0}, {})

    restored(home, tmp_path / "b.tar.gz", force=True)

    with closing(Ledger(guard_folder(home) / LEDGER_FILE, SystemGuardClock())) as ledger:
        assert ledger.spent_ml("basil") == 123.0


def test_withdrawn_grant_does_not_come_back(home: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    """Policies are restored as they were chosen; to act, they need a person's new word (S14)."""
    decisions = home.data_dir / "controller" / "decisions.json"
    decisions.parent.mkdir(parents=True)
    decisions.write_text('{"grants": {"pump": {"a": 1}}, "policies": {"basil": {"policy": "x", "enabled": true}}}')

    backed_up(home, tmp_path / "b.tar.gz")
    restored(elsewhere, tmp_path / "b.tar.gz")

    kept = msgspec.json.decode((elsewhere.data_dir / "controller" / "decisions.json").read_bytes())
    assert kept == {"grants": {}, "policies": {"basil": {"policy": "x", "enabled": True}}}


def test_command_makes_a_file_and_restores_it(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dt backup FILE` prints the file; `dt restore FILE` says what came back."""
    with closing(SQLStorage(SQLiteFile(home.database_file))) as storage:
        storage.insert([make_reading()])
    for name in ("data_dir", "rig_file", "log_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(home, name)))
    file = tmp_path / "b.tar.gz"

    assert main(["backup", str(file)]) == 0
    made = capsys.readouterr()
    first = file.read_bytes()
    assert main(["backup", str(file)]) == 1
    assert f"{file} is there already; --force" in capsys.readouterr().err
    assert file.read_bytes() == first
    assert main(["backup", "--force", str(file)]) == 0
    assert main(["backup", str(tmp_path / "nowhere" / "b.gz")]) == 1
    assert f"the folder {tmp_path / 'nowhere'} is not there" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
    assert main(["backup", str(tmp_path)]) == 1
    assert main(["restore", str(tmp_path / "nope")]) == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'nope'} is not there" in said
    assert "DATA_DIR" not in said
    assert main(["restore", str(file)]) == 1
    refused = capsys.readouterr()
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "new"))
    assert main(["restore", str(file)]) == 0
    done = capsys.readouterr()

    assert made.out.strip() == str(file)
    assert "1 readings" in made.err
    assert "DATA_DIR" in refused.err
    assert "1 readings" in done.err
    assert _readings(tmp_path / "new" / "plant_twin.db") == 1


def _readings(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM readings").fetchone()[0])


def _tar(folder: Path, info: tarfile.TarInfo) -> Path:
    content = b"evil"
    info.size = len(content) if info.isreg() else 0
    path = folder / "strange.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(info, io.BytesIO(content))
    return path


def test_ledger_that_is_none_is_refused(home: Settings, tmp_path: Path) -> None:
    """A backup with something else in the ledger's place puts nothing back, and says what is wrong."""
    ledger = guard_folder(home) / LEDGER_FILE
    with closing(Ledger(ledger, SystemGuardClock())):
        pass
    with closing(sqlite3.connect(ledger)) as db:
        db.execute("DROP TABLE entries")
    text = tmp_path / "text"
    text.write_text("no database at all")

    for path in (ledger, text):
        with pytest.raises(BackupError, match="is no ledger"):
            distrust_ledger(path, None)


def test_model_that_is_replaced_meanwhile_is_left_out(home: Settings, tmp_path: Path) -> None:
    """The service that trains may take an older one away while the backup is being made."""
    home.models_path.mkdir(parents=True)
    for name in ("a", "b", "c"):
        (home.models_path / name).write_text(name)

    class Slow(ArchiveWriter):
        """Is overtaken by the trainer."""

        def add(self, name: str, path: Path) -> None:
            """Add a file, and lose the one after it."""
            super().add(name, path)
            (home.models_path / "b").unlink(missing_ok=True)

    with Slow(tmp_path / "b.tar.gz") as archive:
        assert _tree(home.models_path, "models", archive) == 2
        assert set(archive.members) == {"models/a", "models/c"}
