"""`dt stop-all` against a guard behind its sockets, against a controller alone, and against nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.cli.main import main
from dt.communication.memory import MemoryMessaging
from dt.controller.app import create_service
from dt.controller.guard_client import InProcessGuard
from dt.controller.guard_sockets import GuardDoors
from dt.controller.rig_limits import GUARD_FOLDER
from dt.operations.plan import free_port
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings
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


def test_s09_with_nobody_there_it_fails_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; what is still on has to be cut from its supply."""
    assert main(["stop-all"]) == 1

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "cut its supply" in shown.err
