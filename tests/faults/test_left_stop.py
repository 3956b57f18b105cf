"""An emergency stop that is pressed while no guard runs, with real processes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from dt.cli.main import main
from dt.controller.guard_latch import LATCH_FILE
from dt.controller.rig_limits import GUARD_FOLDER
from dt.operations.plan import free_port
from tests.controller.guard_box import end_tree, guard_box, order, start_guard, wait_until


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation without a controller; returns its DATA_DIR."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FLASK_CONTROLLER_URL", f"http://127.0.0.1:{free_port('127.0.0.1')}")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_s09_a_stop_pressed_while_no_guard_runs_holds_the_next_ones(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As between two starts of a service: told as unknown, and neither of the next two guards starts a thing."""
    with guard_box() as box:
        (home / GUARD_FOLDER).symlink_to(box.folder)
        end_tree(box.process)

        assert main(["stop-all", "--by", "anna"]) == 1

        assert "left for the next" in capsys.readouterr().err
        box.process = start_guard(box.folder)
        wait_until(box.is_serving)
        box.keep_lease()
        denied = box.client.run(order("a-1")).denial
        assert denied is not None
        assert (denied.invariant, denied.why) == ("S9", "emergency stop by anna")
        assert not (box.folder / LATCH_FILE).exists()

        old = box.child()
        old.send_signal(signal.SIGKILL)
        wait_until(lambda: box.is_serving() and box.child().pid != old.pid)
        assert box.client.status()["stopped_by"] == "anna"
        assert not any(level for _, _, level in box.board.changes)

        assert main(["stop-all", "--release", "--by", "bert"]) == 0

        wait_until(lambda: box.client.status()["has_lease"])
        assert box.client.run(order("a-2")).accepted
        wait_until(lambda: box.board.pin_read(17))


@pytest.mark.slow
def test_s09_a_stop_left_for_a_guard_that_hangs_is_heeded_by_the_one_that_takes_its_place(home: Path) -> None:
    """Parent and child, paused together, answer nobody; killed, they leave it to the next."""
    with guard_box() as box:
        (home / GUARD_FOLDER).symlink_to(box.folder)
        child = box.child()
        box.process.send_signal(signal.SIGSTOP)
        child.send_signal(signal.SIGSTOP)

        assert main(["stop-all", "--by", "anna"]) == 1

        child.kill()
        box.process.kill()
        end_tree(box.process)
        box.process = start_guard(box.folder)
        wait_until(lambda: box.is_serving() and box.client.status()["stopped_by"] == "anna")
