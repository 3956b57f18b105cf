"""Thinning of pictures: what stays, and that record and file never lose each other."""

from __future__ import annotations

import contextlib
import hashlib
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.data.database.frame_files import FrameFiles
from dt.data.database.frame_keeper import FrameKeeper, Thinned
from dt.data.database.frame_records import FrameRecords
from dt.data.database.frame_thinning import FramePolicy, FrameRow, frames_to_remove
from dt.data.database.recorder import Recorder
from dt.data.database.records import Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.registry_records import RegistryRecords
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.tables import FRAMES
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import CameraFrame, Plant

Eventually = Callable[[Callable[[], object], str], None]

NOW = 1_800_000_000.0
HOUR_S, DAY_S = 3600.0, 86_400.0
POLICY = FramePolicy(hourly_days=3.0, zone="Europe/Rome")


def jpeg_of(timestamp: float) -> bytes:
    """Return bytes that pass for the picture of an instant."""
    return b"\xff\xd8\xff\xe0" + f"{timestamp:.3f}".encode() + b"\xff\xd9"


def frame(timestamp: float, *flags: str, plant_id: str = "basil", jpeg: bytes | None = None) -> CameraFrame:
    """Return the description of a picture."""
    sha256 = hashlib.sha256(jpeg or jpeg_of(timestamp)).hexdigest()
    return CameraFrame(
        sensor_id="camera", zone_id="box", plant_id=plant_id, timestamp=timestamp, correlation_id=f"c{timestamp}",
        width=640, height=480, flags=flags, sha256=sha256, url=f"/frames/{sha256}.jpg",
    )  # fmt: skip


class Album:
    """A store of pictures, with what is in its two halves."""

    def __init__(self, db: RecordsDB, folder: Path) -> None:
        self.db = db
        self.folder = folder
        self.records = FrameRecords(db)
        self.files = FrameFiles(folder, self.records.spare)

    def put(self, frames: Iterable[CameraFrame]) -> None:
        """Keep pictures, without the flushes that make a file durable: there are hundreds."""
        kept = list(frames)
        self.folder.mkdir(exist_ok=True)
        for each in kept:
            (self.folder / f"{each.sha256}.jpg").write_bytes(jpeg_of(each.timestamp))
        Records(self.db).keep(kept)

    def rows(self) -> list[tuple[float, str]]:
        with self.db.read() as connection:
            found = connection.execute(select(FRAMES.c.timestamp_ms, FRAMES.c.sha256).order_by(FRAMES.c.timestamp_ms))
            return [(timestamp_ms / 1000, sha256) for timestamp_ms, sha256 in found]

    def times(self) -> list[float]:
        return [timestamp for timestamp, _sha256 in self.rows()]

    def named(self) -> set[str]:
        return {sha256 for _timestamp, sha256 in self.rows()}

    def on_disk(self) -> set[str]:
        return {path.stem for path in self.folder.glob("[!.]*.jpg")}


@pytest.fixture
def album(db: RecordsDB, tmp_path: Path) -> Album:
    """Return an empty one."""
    return Album(db, tmp_path / "frames")


def keeper(album: Album, clock: ManualClock, policy: FramePolicy = POLICY, *, is_synced: bool = True) -> FrameKeeper:
    """Return what thins it, by a clock that the kernel calls synchronised or not."""
    return FrameKeeper(album.records, album.files, clock, policy, is_synced=lambda: is_synced)


def test_ten_days_leave_a_day_of_all_then_one_per_hour_then_one_per_day(album: Album) -> None:
    """A picture every half hour, thinned every four hours by the box's own time."""
    clock = ManualClock(NOW - 10 * DAY_S)
    thinning = keeper(album, clock)
    removed = 0
    while clock.wall() < NOW:
        album.put(frame(clock.wall() + i * 1800.0) for i in range(8))
        clock.advance(4 * HOUR_S)
        removed += thinning.thin().records

    times = album.times()
    assert removed + len(times) == 10 * 48
    for first, last, span_s in ((0.0, 23.0, 1800.0), (25.0, 71.0, HOUR_S), (97.0, 216.0, DAY_S)):
        within = [t for t in times if NOW - last * HOUR_S <= t < NOW - first * HOUR_S]
        assert len(within) == pytest.approx((last - first) * HOUR_S / span_s, abs=1.0)
    assert album.named() == album.on_disk()
    assert thinning.thin() == Thinned()


def test_flagged_pictures_go_first(album: Album) -> None:
    """Of an hour stays a good picture, however far from its middle; a day that was dark keeps one all the same."""
    hour = NOW - 30 * HOUR_S
    album.put([frame(hour + 60.0), frame(hour + 1800.0, "dark"), frame(hour + 1860.0, "blurred")])
    album.put([frame(hour - 50 * HOUR_S + i * 600.0, "dark") for i in range(4)])

    keeper(album, ManualClock(NOW)).thin()

    assert album.times()[-1] == hour + 60.0
    assert len(album.times()) == 2


def test_a_day_is_the_persons_own(album: Album) -> None:
    """The middle of a day is its local noon."""
    day = datetime(2027, 1, 5, tzinfo=UTC).timestamp()
    album.put([frame(day + h * HOUR_S) for h in range(-12, 35)])

    keeper(album, ManualClock(day + 10 * DAY_S), FramePolicy(hourly_days=3.0, zone="Pacific/Auckland")).thin()

    assert [datetime.fromtimestamp(t, UTC).hour for t in album.times()] == [23, 23]  # noon at UTC+13


def test_archived_plants_keep_every_picture(album: Album) -> None:
    """What came from a file is nobody's to thin."""
    registry = RegistryRecords(album.db)
    registry.put_plant(Plant(plant_id="old", zone_id="box", archived=True), NOW)
    registry.put_plant(Plant(plant_id="basil", zone_id="box"), NOW)
    for plant_id in ("old", "basil"):
        since = NOW - 30 * DAY_S + (0.5 if plant_id == "old" else 0.0)
        album.put([frame(since + i, plant_id=plant_id) for i in range(9)])

    assert keeper(album, ManualClock(NOW)).thin().records == 8
    assert len(album.times()) == 10


def test_the_same_picture_twice_is_one_file_until_both_records_are_gone(album: Album) -> None:
    """A camera that is stuck gives the same bytes for days."""
    stuck = jpeg_of(0.0)
    album.files.put(stuck)
    times = [NOW - 30 * HOUR_S, NOW - 30 * HOUR_S + 60.0, NOW - 60.0]
    Records(album.db).keep([frame(t, jpeg=stuck) for t in times])
    policy = FramePolicy(hourly_days=3.0, daily_days=10.0)

    assert keeper(album, ManualClock(NOW), policy).thin() == Thinned(records=1)
    assert album.on_disk() == album.named()
    assert keeper(album, ManualClock(NOW + 30 * DAY_S), policy).thin() == Thinned(2, 1, len(stuck))
    assert album.on_disk() == set()


def test_a_crash_between_record_and_file_is_made_good(album: Album, tmp_path: Path) -> None:
    """The file is listed in the transaction that removed its record; the next run ends it."""
    album.put([frame(NOW - 30 * DAY_S), frame(NOW - 60.0)])
    [gone, _kept] = album.records.older_than(NOW)

    album.records.remove([gone])
    assert album.on_disk() - album.named() == {gone.sha256}
    assert album.records.files_to_remove() == [gone.sha256]

    again = Album(album.db, album.folder)
    assert keeper(again, ManualClock(NOW)).thin().files == 1
    assert again.on_disk() == again.named()
    assert again.records.files_to_remove() == []


def test_a_picture_that_is_taken_again_meanwhile_is_spared(album: Album) -> None:
    """Its file may be here before its new record; the list forgets it, so that nothing removes it."""
    album.put([frame(NOW - 30 * DAY_S)])
    [gone] = album.records.older_than(NOW)
    album.records.remove([gone])

    album.files.put(jpeg_of(NOW - 30 * DAY_S))

    assert keeper(album, ManualClock(NOW)).thin() == Thinned()
    assert album.on_disk() == {gone.sha256}


def test_a_file_that_cannot_be_removed_is_tried_again(album: Album) -> None:
    """The disk's refusal costs a run, not the rest of the pictures."""
    album.put([frame(NOW - 30 * DAY_S + i * 60.0) for i in range(3)])
    first, second, _ = album.records.older_than(NOW)
    album.records.remove([first, second])
    path = album.folder / f"{first.sha256}.jpg"
    path.unlink()
    path.mkdir()

    thinning = keeper(album, ManualClock(NOW))
    assert thinning.thin().files == 1
    assert album.records.files_to_remove() == [first.sha256]
    path.rmdir()
    thinning.thin()
    assert album.records.files_to_remove() == []


def test_a_clock_that_jumps_ahead_removes_nothing(album: Album) -> None:
    """A year 2049 would leave one picture a day; an hour of steady time later it is believed."""
    clock = ManualClock(NOW)
    album.put([frame(NOW - i * 600.0) for i in range(1, 100)])
    thinning = keeper(album, clock)

    clock.set_wall(NOW + 22 * 365 * DAY_S)
    assert thinning.thin() == Thinned()
    clock.set_wall(NOW)
    assert thinning.thin() == Thinned()
    clock.advance(HOUR_S)
    assert thinning.thin() == Thinned()
    assert len(album.times()) == 99


@pytest.mark.parametrize(("is_synced", "ahead_days"), [(True, 60.0), (True, 22 * 365.0), (False, 3.0)])
def test_a_clock_that_is_ahead_at_the_start_removes_nothing(
    album: Album, is_synced: bool, ahead_days: float, caplog: pytest.LogCaptureFixture
) -> None:
    """No process saw it jump, and nothing was stored of the days before: all pictures stay, again and again."""
    album.put([frame(NOW - i * 600.0) for i in range(1, 100)])
    clock = ManualClock(NOW + ahead_days * DAY_S)

    for _start in range(2):
        assert keeper(album, clock, is_synced=is_synced).thin() == Thinned()
        album.put([frame(clock.wall())])
        clock.advance(HOUR_S)

    assert len(album.times()) == 101
    assert "once the clock can be believed" in caplog.text


@pytest.mark.parametrize("is_synced", [True, False])
def test_pictures_of_every_day_are_proof_enough_of_a_clock(album: Album, is_synced: bool) -> None:
    """An installation without a network is thinned too."""
    album.put([frame(NOW - i * HOUR_S / 2) for i in range(1, 48 * 9)])

    assert keeper(album, ManualClock(NOW), is_synced=is_synced).thin().records > 100


def test_it_runs_in_the_background_by_the_services_clock(album: Album, eventually: Eventually) -> None:
    """At start, and then every ten minutes."""
    clock = ManualClock(NOW)
    thinning = keeper(album, clock)
    album.put([frame(NOW - 30 * DAY_S + i) for i in range(5)])
    stop = thinning.start()
    eventually(lambda: len(album.times()) == 1, "it thinned at start")

    album.put([frame(NOW - 20 * DAY_S + i) for i in range(5)])
    eventually(lambda: clock.advance(600.0) or len(album.times()) == 2, "it thinned again")
    stop()


def test_recorded_pictures_are_thinned_with_their_files(
    album: Album, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """The recorder's own pictures, as they came from the log."""
    recorder = Recorder(SQLStorage(album.db), Records(album.db), album.files)
    subscriptions = recorder.subscribe(messaging)
    for i in range(20):
        described = frame(NOW - 5 * DAY_S + i)
        messaging.publish_batch([Outgoing(Topics.CAMERA_IMAGE.raw, jpeg_of(described.timestamp), "box", {})])
        messaging.publish(Topics.CAMERA_IMAGE.processed, described, key="box")
    eventually(lambda: len(album.times()) == len(album.on_disk()) == 20, "all are recorded")

    assert keeper(album, ManualClock(NOW)).thin().files == 19
    assert album.named() == album.on_disk()
    for subscription in subscriptions:
        subscription.stop()


@given(
    st.lists(st.tuples(st.floats(0.0, 30 * DAY_S), st.booleans()), max_size=60),
    st.floats(1.0, 72.0),
    st.floats(1.0, 20.0),
)
def test_thinning_twice_is_thinning_once(pictures: list[tuple[float, bool]], hours: float, days: float) -> None:
    """Whatever is removed, of every span something stays, and what is young stays whole."""
    policy = FramePolicy(all_hours=hours, hourly_days=days, zone="America/New_York")
    rows = [FrameRow(i, "camera", NOW - age, "", flagged) for i, (age, flagged) in enumerate(pictures)]

    removed = set(frames_to_remove(rows, NOW, policy))
    left = [row for row in rows if row not in removed]

    assert frames_to_remove(left, NOW, policy) == []
    assert all(NOW - row.timestamp > min(hours * HOUR_S, days * DAY_S) for row in removed)
    assert bool(left) == bool(rows)
    for row in removed:
        assert any(abs(row.timestamp - other.timestamp) <= 25 * HOUR_S for other in left)


THINNER = """
import sys
from pathlib import Path
from dt.data.database.frame_files import FrameFiles
from dt.data.database.frame_keeper import FrameKeeper
from dt.data.database.frame_records import FrameRecords
from dt.data.database.frame_thinning import FramePolicy
from dt.data.database.records_db import RecordsDB
from dt.utils.clock import ManualClock
records = FrameRecords(RecordsDB("sqlite:///" + sys.argv[1]))
files, clock = FrameFiles(Path(sys.argv[2])), ManualClock(float(sys.argv[3]))
keeper = FrameKeeper(records, files, clock, FramePolicy(), is_synced=lambda: True)
print("go", flush=True)
keeper.thin()
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Return the folder of an album of 2,000 pictures, closed."""
    opened = RecordsDB(f"sqlite:///{tmp_path}/store.db")
    Album(opened, tmp_path / "frames").put(frame(NOW - 30 * DAY_S + i) for i in range(2000))
    opened.close()
    return tmp_path


@pytest.mark.slow
def test_kill_9_at_any_instant_leaves_no_record_without_its_file(killed: Path) -> None:
    """And no file without a record that is not listed to go."""
    chance = random.Random(4)
    for _ in range(8):
        thinner = subprocess.Popen(
            [sys.executable, "-c", THINNER, str(killed / "store.db"), str(killed / "frames"), str(NOW)],
            stdout=subprocess.PIPE,
        )
        assert thinner.stdout is not None
        thinner.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            thinner.wait(chance.uniform(0.0, 0.15))
        thinner.kill()
        thinner.communicate()
        opened = RecordsDB(f"sqlite:///{killed}/store.db")
        album = Album(opened, killed / "frames")
        assert album.named() <= album.on_disk()
        assert album.on_disk() - album.named() <= set(album.records.files_to_remove())
        opened.close()

    opened = RecordsDB(f"sqlite:///{killed}/store.db")
    album = Album(opened, killed / "frames")
    keeper(album, ManualClock(NOW), FramePolicy()).thin()
    assert album.named() == album.on_disk()
    assert len(album.times()) == 1
    opened.close()
