"""Films of the box's own pictures, made by the command and read back."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from PIL import Image, ImageStat

from dt.cli.main import main
from dt.collector.camera_pictures import prepared
from dt.communication.memory import MemoryMessaging
from dt.data.database.app import DatabaseService, create_service
from dt.data.database.frame_files import FrameFiles
from dt.data.database.records import Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.registry_records import RegistryRecords
from dt.operations.timelapse import TimelapseError, TimelapseRequest, fitted, make_timelapse, stamp, time_words
from dt.operations.timelapse_files import writer_for
from dt.operations.timelapse_frames import StoredFrames
from dt.simulator.board import BoxWire, box_spec, wiring
from dt.simulator.box import Box
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import CameraFrame, Plant
from dt.utils.exceptions import MessageError
from dt.utils.rig import load_rig

NOON = 1_800_014_400.0
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def looks() -> list[tuple[float, bytes]]:
    """Return the box's pictures over a day, every two hours from noon."""
    rig = load_rig(Path(__file__).resolve().parents[2] / "rig.toml")
    clock = ManualClock(NOON)
    board = BoxWire(Box(box_spec(rig), NOON - HOUR_S), clock, wiring(rig))
    taken = []
    for _ in range(12):
        taken.append((clock.wall(), board.capture(0)))
        clock.advance(2 * HOUR_S)
    return taken


@pytest.fixture(scope="module")
def album(looks: list[tuple[float, bytes]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a DATA_DIR that holds those pictures."""
    folder = tmp_path_factory.mktemp("album")
    db = RecordsDB(f"sqlite:///{folder}/records.db")
    files = FrameFiles(folder / "frames")
    frames = []
    for at, jpeg in looks:
        picture = prepared(jpeg)
        described = {"width": picture.width, "height": picture.height, "flags": list(picture.flags)}
        place = {"sensor_id": "camera", "zone_id": "box", "plant_id": "basil"}
        sha256 = files.put(jpeg)
        frames.append(
            CameraFrame.from_dict({**place, **described, "timestamp": at, "correlation_id": "c", "sha256": sha256})
        )
    Records(db).keep(frames)
    db.close()
    return folder


@pytest.fixture
def stored(settings: Settings, album: Path) -> Settings:
    """Return settings whose DATA_DIR is a copy of that."""
    shutil.copytree(album, settings.data_dir)
    return settings


@pytest.fixture
def source(stored: Settings) -> Iterator[StoredFrames]:
    """Return the stored pictures."""
    db = RecordsDB(stored.records_url)
    yield StoredFrames(db, FrameFiles(stored.data_dir / "frames"))
    db.close()


@pytest.fixture
def command(stored: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Return `dt timelapse` on those files, without a database service."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(stored.data_dir))
    monkeypatch.setenv("LOG_DIR", str(stored.log_dir))
    monkeypatch.setenv("DT_TOKEN", stored.dt_token)
    monkeypatch.setenv("TIMEZONE", "Europe/Rome")
    monkeypatch.setenv("FLASK_DB_URL", "http://127.0.0.1:9")
    return lambda *arguments: main(["timelapse", *arguments])


def frames_of(path: Path) -> list[Image.Image]:
    """Return every frame of a film."""
    if path.suffix == ".gif":
        with Image.open(path) as film:
            return [film.seek(i) or film.convert("RGB") for i in range(film.n_frames)]  # type: ignore[attr-defined]
    with av.open(str(path)) as film:
        return [frame.to_image() for frame in film.decode(video=0)]


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_film_has_every_picture_at_its_size(
    command: Callable[..., int], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options may stand anywhere; the file's name is the only result on stdout."""
    assert command("basil", "--fps", "4", "--width", "321", name) == 0

    frames = frames_of(tmp_path / name)
    assert len(frames) == 12
    assert {frame.size for frame in frames} == {(320, 240)}
    levels = [ImageStat.Stat(frame.convert("L")).mean[0] for frame in frames]
    assert levels[0] > 60.0  # noon
    assert min(levels) < 30.0  # night
    shown = capsys.readouterr()
    assert shown.out == f"{name}\n"
    assert "12 pictures of 320 x 240 px" in shown.err
    assert [path.name for path in tmp_path.glob(".film*")] == []


def test_an_mp4_is_what_browsers_play(command: Callable[..., int], tmp_path: Path) -> None:
    """H.264 in 4:2:0, its index in front, at the speed that was asked for."""
    assert command("--sensor", "camera", "--fps", "2.5", "--width", "160", "film.mp4") == 0

    with av.open(str(tmp_path / "film.mp4")) as film:
        [stream] = film.streams.video
        assert (stream.codec.name, stream.pix_fmt, float(stream.average_rate or 0)) == ("h264", "yuv420p", 2.5)
    content = (tmp_path / "film.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_dark_pictures_can_be_left_out(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """Nights flicker in a film of weeks."""
    assert command("basil", "days.gif", "--no-dark", "--width", "128") == 0

    words = capsys.readouterr().err
    assert "left out" in words
    assert 12 > len(frames_of(Path("days.gif"))) > 2


def test_a_span_is_cut_out(source: StoredFrames, tmp_path: Path) -> None:
    """From since on, and before until."""
    request = TimelapseRequest(
        out=tmp_path / "film.gif", plant_id="basil", since=NOON + 2 * HOUR_S, until=NOON + 8 * HOUR_S, width=128
    )

    made = make_timelapse(request, source)

    assert (made.frames, made.first, made.last) == (3, NOON + 2 * HOUR_S, NOON + 6 * HOUR_S)


def test_pictures_whose_file_is_gone_are_passed_over(source: StoredFrames, stored: Settings, tmp_path: Path) -> None:
    """One that thinning removed meanwhile costs a frame; when all are gone there is no film."""
    request = TimelapseRequest(out=tmp_path / "film.mp4", plant_id="basil", width=128)
    files = sorted((stored.data_dir / "frames").glob("*.jpg"))
    files[0].unlink()
    assert (make_timelapse(request, source).frames, make_timelapse(request, source).gone) == (11, 1)

    request.out.unlink()
    for path in files[1:]:
        path.unlink()
    with pytest.raises(TimelapseError, match="the files of all 12 pictures of plant basil are gone"):
        make_timelapse(request, source)
    assert list(tmp_path.glob("*film*")) == []


def test_a_damaged_picture_costs_one_frame_and_is_named(
    command: Callable[..., int], stored: Settings, looks: list[tuple[float, bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that lost its end with a full disk stops no film; when all are damaged there is none."""
    files = stored.data_dir / "frames"
    paths = [next(files.rglob(f"{hashlib.sha256(jpeg).hexdigest()}*")) for _at, jpeg in looks]
    paths[0].write_bytes(paths[0].read_bytes()[:2000])

    assert command("basil", "film.gif", "--width", "128") == 0

    assert "11 pictures of 128 x 96 px, 1 whose file is damaged" in (said := capsys.readouterr().err)
    assert "damaged: the picture of 2027-01-15 13:00" in said
    for path in paths[1:]:
        path.write_bytes(b"\xff\xd8")
    assert command("basil", "none.gif") == 1
    assert "the files of 12 pictures of plant basil are damaged, 0 gone" in capsys.readouterr().err
    assert not Path("none.gif").exists()


def test_an_unknown_plant_is_told_which_are_known(
    command: Callable[..., int], stored: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip of the pen is no empty album."""
    db = RecordsDB(stored.records_url)
    RegistryRecords(db).put_plant(Plant(plant_id="basil", zone_id="box"), NOON)
    db.close()

    assert command("bazil", "x.gif") == 1

    assert "no plant bazil is known; there are basil" in capsys.readouterr().err


def test_without_service_and_files_both_places_are_named(
    command: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, not in those of a library."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "nothing"))

    assert command("basil", "x.gif") != 0

    said = capsys.readouterr().err
    assert "no database service at http://127.0.0.1:9, and no " in said
    assert "HTTPConnectionPool" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("basil", "x.gif", "--since", "2027-02-01"), 1, "there are 12 from 2027-01-15 13:00 to 2027-01-16 11:00"),
        (("tulip", "x.gif"), 1, "there are no pictures of plant tulip; there are some of camera camera"),
        (("basil", "x.avi"), 2, "out: must end in .mp4 or .gif, and is 'x.avi'"),
        (("basil", "x.gif", "--fps", "60"), 2, "fps: must be from 0.1 to 50 for .gif, not 60"),
        (("basil", "x.gif", "--width", "12"), 2, "width: must be from 64 to 3840 px, not 12"),
        (("basil", "x.gif", "--since", "noon"), 2, "since: "),
        (("basil", "x.gif", "--since", "9", "--until", "8"), 2, "until: must not be before since (9), and is 8"),
        (("", "x.gif"), 2, "plant: must not be empty"),
        (("basil", "nowhere/x.gif"), 2, "out: cannot be written: nowhere/x.gif"),
        (("x.gif",), 2, "out: is missing: dt timelapse PLANT OUT.mp4, or dt timelapse --sensor ID OUT.mp4"),
    ],
)
def test_what_cannot_be_filmed_is_said(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    """Which range has pictures, which cameras have some, which option has which limit."""
    assert command(*arguments) == code
    assert words in capsys.readouterr().err
    assert not Path("x.gif").exists()


def test_a_plant_with_two_cameras_needs_to_be_told_which(
    source: StoredFrames, stored: Settings, tmp_path: Path
) -> None:
    """Frames of two views in one film would flicker."""
    [first, *_] = source.frames({}, None, None)
    db = RecordsDB(f"sqlite:///{stored.data_dir}/other.db")
    Records(db).keep([first, CameraFrame.from_dict({**first.to_dict(), "sensor_id": "side"})])

    with pytest.raises(MessageError, match="several cameras; say one of camera, side"):
        make_timelapse(
            TimelapseRequest(out=tmp_path / "x.gif", plant_id="basil"),
            StoredFrames(db, FrameFiles(stored.data_dir / "frames")),
        )
    db.close()


def test_a_plant_without_a_camera_of_its_own_is_seen_by_its_zones(
    album: Path, looks: list[tuple[float, bytes]], tmp_path: Path
) -> None:
    """Three pots under one camera in the lid; a zone's camera that watches another plant alone is none of theirs."""
    shutil.copytree(album, tmp_path / "data")
    db = RecordsDB(f"sqlite:///{tmp_path}/data/records.db")
    source = StoredFrames(db, FrameFiles(tmp_path / "data" / "frames"))
    for plant_id in ("basil", "mint"):
        RegistryRecords(db).put_plant(Plant(plant_id=plant_id, zone_id="box"), NOON)
    mint = TimelapseRequest(out=tmp_path / "mint.gif", plant_id="mint", width=64)
    with pytest.raises(TimelapseError, match="there are no pictures of plant mint; there are some of camera camera"):
        make_timelapse(mint, source)

    [first, *_] = source.frames({}, None, None)
    lid = {**first.to_dict(), "sensor_id": "lid", "plant_id": None}
    Records(db).keep([CameraFrame.from_dict({**lid, "timestamp": NOON + at}) for at in range(3)])

    assert make_timelapse(mint, source).frames == 3
    db.close()


def test_the_running_service_is_asked_first(
    stored: Settings, messaging: MemoryMessaging, command: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are its own while it runs."""
    service: DatabaseService = create_service(
        stored.model_copy(update={"flask_db_url": "http://127.0.0.1:0"}), messaging, SystemClock()
    )
    service.start()
    monkeypatch.setenv("FLASK_DB_URL", f"http://127.0.0.1:{service.port}")
    try:
        assert command("basil", "--width", "128", "film.gif") == 0
    finally:
        service.stop()
    assert frames_of(Path("film.gif"))


def test_pictures_of_another_shape_get_borders() -> None:
    """Nothing is stretched."""
    buffer = io.BytesIO()
    Image.new("RGB", (200, 100), "white").save(buffer, "JPEG")

    picture = fitted(buffer.getvalue(), (100, 100))

    assert picture.size == (100, 100)
    assert picture.getpixel((50, 10)) == (0, 0, 0)
    assert picture.convert("L").getpixel((50, 50)) == 255


def test_the_time_is_written_into_the_corner() -> None:
    """In the person's zone, light letters with a dark edge."""
    assert time_words(NOON, "Asia/Kolkata") == "2027-01-15 17:30"
    for ground in ("white", "black"):
        picture = Image.new("RGB", (320, 240), ground)
        stamp(picture, "2027-01-15 17:30")
        corner = picture.convert("L").crop((0, 210, 160, 240))
        assert min(corner.get_flattened_data()) < 60
        assert max(corner.get_flattened_data()) > 200
        assert len(picture.crop((0, 0, 320, 200)).getcolors() or []) == 1


def test_a_film_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    """A file with the film's name is always whole."""
    old = tmp_path / "film.gif"
    old.write_bytes(b"old")

    def pictures() -> Iterator[Image.Image]:
        yield Image.new("RGB", (64, 48))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        writer_for(old, 5.0).write(pictures())
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]
