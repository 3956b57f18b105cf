"""`dt stop-all` against a guard behind its sockets, against a controller alone, and against nobody."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from dt.cli.main import main
from dt.communication.memory import MemoryMessaging
from dt.controller.app import create_service
from dt.controller.guard_client import InProcessGuard
from dt.controller.guard_latch import LATCH_FILE, latch_left_by, leave_latch
from dt.controller.guard_sockets import STOP_SOCKET, GuardDoors
from dt.controller.opening import open_guard_here
from dt.controller.rig_limits import CONFIG_FILE, GUARD_FOLDER
from dt.operations.demo_settings import DemoRequest, demo_folder, demo_settings, is_demo_running
from dt.operations.plan import free_port
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings
from dt.utils.rig import load_rig
from tests.controller.guard_box import guard_config, order, wait_until
from tests.controller.rooms import RIG


@pytest.fixture
def controller_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a controller would be."""
    port = free_port("127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("FLASK_CONTROLLER_URL", url)
    return url


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, controller_url: str) -> Path:
    """An installation of its own; returns its DATA_DIR."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def guard(folder: Path) -> Iterator[InProcessGuard]:
    """A guard behind its sockets in the installation's folder."""
    guard = InProcessGuard(config=guard_config(folder), set_pin=lambda _name, _level: None, clock=SystemClock())
    doors = GuardDoors(guard._desk, folder / GUARD_FOLDER, dict)
    yield guard
    doors.close()
    guard.close()


def test_s09_the_guards_own_socket_takes_the_stop_while_the_disk_stalls(
    guard: InProcessGuard, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0, one line on stdout, outputs off, nothing starts; no controller is asked."""
    guard.renew()
    assert guard.run(order("a")).accepted
    stall = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
    stall.execute("BEGIN IMMEDIATE")

    code = main(["stop-all", "--by", "anna"])

    stall.execute("ROLLBACK")
    stall.close()
    shown = capsys.readouterr()
    assert (code, shown.err) == (0, "")
    assert shown.out.startswith("Everything is off. ")
    assert guard.status()["stopped_by"] == "anna"
    assert guard.status()["outputs"]["pump-0"]["desired"] is False


def test_s09_only_a_named_person_releases_the_stop(guard: InProcessGuard, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name it is wrong use, and the stop stays."""
    assert main(["stop-all"]) == 0

    nameless = main(["stop-all", "--release"])
    still = guard.status()["stopped_by"]
    released = main(["stop-all", "--release", "--by", "bert"])

    assert (nameless, released) == (2, 0)
    assert still is not None
    assert guard.status()["stopped_by"] is None
    assert "--by: must be a name" in capsys.readouterr().err


def test_s09_a_pressed_button_keeps_the_stop(guard: InProcessGuard, capsys: pytest.CaptureFixture[str]) -> None:
    """And the command says why."""
    guard._desk.is_button_pressed = True
    main(["stop-all"])

    assert main(["stop-all", "--release", "--by", "anna"]) == 1
    assert "button is pressed" in capsys.readouterr().err
    assert guard.status()["stopped_by"] is not None


def test_s09_without_a_guards_socket_the_controller_takes_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in the demo, whose guard is in the controller's process."""
    rig = folder / "rig.toml"
    rig.write_text(RIG)
    settings = load_settings(rig_file=rig)
    clock = SystemClock()
    guard = InProcessGuard(config=guard_config(folder), set_pin=lambda _name, _level: None, clock=clock)
    service = create_service(settings, MemoryMessaging(clock), clock, guard)
    service.start()
    try:
        wait_until(lambda: service.loop.status is not None)
        assert main(["stop-all", "--by", "anna"]) == 0
        assert guard.status()["stopped_by"] == "anna"
        assert main(["stop-all", "--release", "--by", "anna"]) == 0
        assert guard.status()["stopped_by"] is None
    finally:
        service.stop()


def test_s09_with_nobody_there_it_fails_says_what_to_do_and_is_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; what is still on has to be cut from its supply, for nobody knows; the next guard starts nothing."""
    assert main(["stop-all", "--by", "anna"]) == 1

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "cut its supply" in shown.err
    assert "are off" not in shown.err
    assert latch_left_by(folder / GUARD_FOLDER) == "anna"
    assert stat.S_IMODE((folder / GUARD_FOLDER / LATCH_FILE).stat().st_mode) == 0o600


def test_s09_a_stop_that_an_ending_guard_took_is_left_for_the_next_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As while a service is restarted: its ledger may be closed, and nobody heard of it."""
    guard = InProcessGuard(config=guard_config(folder), set_pin=lambda _name, _level: None, clock=SystemClock())
    doors = GuardDoors(guard._desk, folder / GUARD_FOLDER, dict, lambda _within_s: False)
    try:
        assert main(["stop-all", "--by", "anna"]) == 1
    finally:
        doors.close()
        guard.close()

    assert "was ending" in capsys.readouterr().err
    assert latch_left_by(folder / GUARD_FOLDER) == "anna"


def test_s09_a_stop_that_cannot_be_left_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then nothing keeps the next guard from starting outputs."""
    (folder / GUARD_FOLDER).write_text("no folder")

    assert main(["stop-all"]) == 1

    shown = capsys.readouterr()
    assert "could not be left" in shown.err
    assert "nobody took the emergency stop" in shown.err


def test_s09_a_stop_left_while_a_guard_opens_its_doors_counts(folder: Path) -> None:
    """It read its ledger before, and answered nobody yet; a release then forgets what was left, too."""
    guard = InProcessGuard(config=guard_config(folder), set_pin=lambda _name, _level: None, clock=SystemClock())
    leave_latch(folder, "anna")

    guard.open_doors(folder)

    try:
        assert guard.status()["stopped_by"] == "anna"
        guard.release_stop("bert")
        assert latch_left_by(folder) is None
        assert guard.status()["stopped_by"] is None
    finally:
        guard.close()
    assert not (folder / STOP_SOCKET).exists()


@pytest.fixture
def demo(folder: Path) -> Iterator[InProcessGuard]:
    """The guard of a demo that holds its folder, its controller where the installation's would be, its pump running."""
    rig = folder / "rig.toml"
    rig.write_text(RIG)
    base = load_settings(rig_file=rig)
    settings = demo_settings(DemoRequest(), base)
    with demo_folder(settings, keep=False):
        clock = SystemClock()
        guard = open_guard_here(settings, load_rig(rig), clock, MockFactory())
        at_its_place = settings.model_copy(update={"flask_controller_url": base.flask_controller_url})
        service = create_service(at_its_place, MemoryMessaging(clock), clock, guard)
        service.start()
        try:
            wait_until(lambda: service.loop.status is not None)
            assert guard.run(order("a", "basil-pump")).accepted
            wait_until(lambda: guard.status()["outputs"]["basil-pump"]["on"])
            yield guard
        finally:
            service.stop()


def test_s09_a_demo_is_stopped_and_released_too(
    demo: InProcessGuard, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its guard has sockets and a token of its own; an installation that never ran has nothing to stop."""
    assert main(["stop-all", "--by", "anna"]) == 0

    assert demo.status()["outputs"]["basil-pump"]["on"] is False
    assert demo.status()["stopped_by"] == "anna"
    assert capsys.readouterr().out.startswith(f"Everything is off in {folder / 'demo'}. ")
    assert latch_left_by(folder / GUARD_FOLDER) is None
    assert main(["stop-all", "--release", "--by", "bert"]) == 0
    assert demo.status()["stopped_by"] is None


def test_s09_a_demo_that_is_stopped_hides_no_guard_that_is_away(
    demo: InProcessGuard, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installation that ran before may have something on: exit code 1, a word for each, the stop left for it."""
    (folder / GUARD_FOLDER).mkdir()
    (folder / GUARD_FOLDER / CONFIG_FILE).touch()

    assert main(["stop-all", "--by", "anna"]) == 1

    shown = capsys.readouterr()
    assert f"{folder / 'demo'}: everything is off" in shown.err
    assert f"{folder}: no guard answers" in shown.err
    assert demo.status()["stopped_by"] == "anna"
    assert latch_left_by(folder / GUARD_FOLDER) == "anna"
    assert main(["stop-all", "--release", "--by", "bert"]) == 1
    assert latch_left_by(folder / GUARD_FOLDER) == "anna"
    assert demo.status()["stopped_by"] is None


def test_s09_a_demo_that_ended_is_not_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its folder stays behind."""
    settings = demo_settings(DemoRequest(), load_settings())
    with demo_folder(settings, keep=False):
        assert is_demo_running(load_settings())

    assert not is_demo_running(load_settings())
    assert main(["stop-all"]) == 1
    assert str(folder / "demo") not in capsys.readouterr().err
