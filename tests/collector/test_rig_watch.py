"""The rig file while the collector runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dt.collector.rig_check import check_kinds
from dt.collector.rig_watch import RigWatch
from dt.utils.clock import ManualClock
from dt.utils.config import Settings
from dt.utils.rig import Rig

Eventually = Callable[[Callable[[], object], str], None]


class Desk:
    """A rig file, its watch, and what was followed."""

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self.path = path
        self.followed: list[Rig] = []
        self.watch = RigWatch(path, check_kinds, self.followed.append, clock)


@pytest.fixture
def desk(settings: Settings, tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    """Return a watched copy of the repository's rig."""
    path = tmp_path / "rig.toml"
    path.write_text(settings.rig_file.read_text("utf-8"), "utf-8")
    desk = Desk(path, clock)
    desk.watch.start()
    yield desk
    desk.watch.stop()


def test_a_changed_file_is_followed_when_asked_to_look(desk: Desk, eventually: Eventually) -> None:
    """As SIGHUP does."""
    text = desk.path.read_text("utf-8").replace("every_s = 2\n", "every_s = 4\n")
    desk.path.write_text(text, "utf-8")

    desk.watch.look_soon()

    eventually(lambda: desk.followed, "the change was taken over")
    [light] = [sensor for sensor in desk.followed[0].sensors if sensor.kind == "bh1750"]
    assert light.read_interval == 4.0


def test_a_change_is_noticed_unasked(desk: Desk, eventually: Eventually) -> None:
    """Within two seconds, also when an editor puts a new file in the place of the old."""
    new = desk.path.with_suffix(".new")
    new.write_text(desk.path.read_text("utf-8").replace("every_s = 2\n", "every_s = 3\n"), "utf-8")
    new.replace(desk.path)

    eventually(lambda: desk.followed, "the change was taken over")


def test_a_touched_file_changes_nothing(desk: Desk) -> None:
    """Content counts, not its date."""
    os.utime(desk.path)

    assert desk.watch.look() is False
    assert desk.followed == []


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("every_s = 2\n", "every_s = -2\n", "every_s"),
        ('kind = "bh1750"', 'kind = "bh1751"', "bh1751"),
        ("[[sensors]]", "[[sensors", "line"),
        ('pin = "GPIO4"\n', 'pin = "GPIO4"\npower_pin = "GPIO17"\n', "power_pin: GPIO17"),
    ],
)
def test_a_bad_file_is_refused_and_the_old_rig_goes_on(desk: Desk, before: str, after: str, why: str) -> None:
    """With its line; when it is mended the refusal is over, also when it is put back as it was."""
    good = desk.path.read_text("utf-8")
    desk.path.write_text(good.replace(before, after, 1), "utf-8")

    assert desk.watch.look() is False
    assert why in desk.watch.refusal
    assert str(desk.path) in desk.watch.refusal
    assert desk.watch.health()["refused"] == desk.watch.refusal
    assert desk.followed == []
    desk.path.write_text(good, "utf-8")
    desk.watch.look(whatever_stat=True)
    assert desk.watch.refusal == ""


def test_a_file_that_is_gone_is_told(desk: Desk) -> None:
    """The sensors are read on."""
    text = desk.path.read_text("utf-8")
    desk.path.unlink()

    desk.watch.look()

    assert "No such file" in desk.watch.refusal
    desk.path.write_text(text, "utf-8")
    desk.watch.look()
    assert desk.watch.refusal == ""


@pytest.mark.parametrize("bad", ["x = " + "9" * 5000, "a = " + "[" * 3000 + "]" * 3000], ids=["digits", "depth"])
def test_a_file_that_no_reader_bears_is_refused_and_the_watch_goes_on(
    desk: Desk, eventually: Eventually, bad: str
) -> None:
    """Integers of more digits than Python takes, and lists deeper than it climbs."""
    good = desk.path.read_text("utf-8")
    desk.path.write_text(f"{bad}\n{good}", "utf-8")
    desk.watch.look_soon()
    eventually(lambda: desk.watch.refusal, "it was refused")

    desk.path.write_text(good.replace("every_s = 2\n", "every_s = 4\n"), "utf-8")
    desk.watch.look_soon()

    eventually(lambda: desk.followed, "the change was taken over")
    eventually(lambda: desk.watch.refusal == "", "nothing is refused any more")


def test_whatever_a_follower_raises_the_watch_tells_it_and_goes_on(settings: Settings, clock: ManualClock) -> None:
    """An unforeseen error is a refusal like any other."""

    def follow(_rig: Rig) -> None:
        raise KeyError("lane")

    watch = RigWatch(settings.rig_file, check_kinds, follow, clock)

    assert not watch.look()
    assert watch.health()["refused"] == "KeyError: 'lane'"


def test_a_file_that_goes_and_comes_back_is_well_again(desk: Desk) -> None:
    """Moved away and back it has the same state as before: it is read all the same."""
    aside = desk.path.with_suffix(".aside")
    desk.path.rename(aside)
    desk.watch.look()
    assert desk.watch.refusal

    aside.rename(desk.path)
    desk.watch.look()

    assert desk.watch.refusal == ""


def test_a_signal_after_the_end_is_borne(settings: Settings, clock: ManualClock) -> None:
    """The handler outlives the watch for a moment."""
    watch = RigWatch(settings.rig_file, check_kinds, lambda _rig: None, clock)
    watch.start()
    watch.stop()

    watch.look_soon()


def test_a_look_after_the_end_is_nothing(desk: Desk) -> None:
    """SIGHUP may come while the collector stops: it must not write into a file that has the pipe's number by then."""
    desk.watch.stop()
    read_end, write_end = os.pipe()

    desk.watch.look_soon()

    os.close(write_end)
    assert os.read(read_end, 1) == b""
    os.close(read_end)
