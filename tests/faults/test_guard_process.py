"""The guard as real processes on pins that keep their level when a process dies."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from dt.controller.guard_process import EXIT_BUSY
from dt.controller.guard_types import GuardUnreachableError, StopInput
from tests.controller.guard_box import GuardBox, end_tree, guard_box, order, start_guard, wait_until


def _start_pump(box: GuardBox, action_id: str = "a-1") -> None:
    box.keep_lease()
    answer = box.client.run(order(action_id))
    assert answer.accepted, answer
    wait_until(lambda: box.board.pin_read(17))


def test_s11_a_killed_guard_has_its_pins_off_within_a_second() -> None:
    """The parent reclaims the pins of a guard that died by kill -9, and starts a new one with everything off."""
    with guard_box() as box:
        _start_pump(box)
        old = box.child()

        old.send_signal(signal.SIGKILL)

        assert wait_until(lambda: not box.board.pin_read(17)) < 1.0
        wait_until(lambda: box.is_serving() and box.child().pid != old.pid)
        assert not any(state["on"] for state in box.client.status()["outputs"].values())


def test_s11_a_paused_guard_has_its_pins_off_within_a_second() -> None:
    """A guard that hangs (SIGSTOP) is killed and its pins are driven safe."""
    with guard_box() as box:
        _start_pump(box)

        box.child().send_signal(signal.SIGSTOP)

        assert wait_until(lambda: not box.board.pin_read(17)) < 1.0


def test_s11_killed_parent_takes_the_guard_and_its_outputs_down() -> None:
    """Without its parent the guard switches everything off and ends."""
    with guard_box() as box:
        _start_pump(box)
        child = box.child()

        box.process.kill()

        assert wait_until(lambda: not box.board.pin_read(17)) < 1.0
        wait_until(lambda: not child.is_running())


def test_s11_outputs_go_off_when_the_lease_is_not_renewed() -> None:
    """A hung controller is one that does not renew its lease."""
    with guard_box() as box:
        _start_pump(box)

        box.keeping.set()

        assert wait_until(lambda: not box.board.pin_read(17)) < 1.0


def test_s11_a_spawned_guard_ends_with_whoever_spawned_it() -> None:
    """The end of stdin means that the controller is gone: outputs off, no stray process."""
    with guard_box(ends_with_stdin=True) as box:
        _start_pump(box)
        child = box.child()
        assert box.process.stdin is not None

        box.process.stdin.close()

        assert wait_until(lambda: not box.board.pin_read(17)) < 1.0
        assert box.process.wait(5.0) == 0
        assert not child.is_running()


def test_s03_a_killed_guard_refunds_nothing() -> None:
    """The whole dose stays charged after a crash in the middle of it, and the run is closed as failed."""
    with guard_box() as box:
        _start_pump(box)
        old = box.child()

        old.send_signal(signal.SIGKILL)
        wait_until(lambda: box.is_serving() and box.child().pid != old.pid)

        assert box.client.budget("pump-0")["spent_ml"] == 20.0
        assert (box.client.entry("a-1") or {})["outcome"] == "failed"


def test_s10_a_command_does_not_run_again_after_a_restart() -> None:
    """The action_id is remembered on disk; pause and pins are kept too."""
    with guard_box() as box:
        _start_pump(box)
        old = box.child()
        old.send_signal(signal.SIGKILL)
        wait_until(lambda: box.is_serving() and box.child().pid != old.pid)
        wait_until(lambda: box.client.status()["has_lease"])

        again = box.client.run(order("a-1"))
        other = box.client.run(order("a-2"))

        assert not again.accepted
        assert (again.entry or {})["outcome"] == "failed"
        assert other.denial is not None
        assert other.denial.invariant == "S2"
        assert not box.board.pin_read(17)


def test_s09_the_emergency_stop_takes_effect_within_200_ms_and_latches() -> None:
    """By the socket of its own; a restarted guard is still stopped until a person releases it."""
    with guard_box() as box:
        _start_pump(box)
        asked = time.monotonic()

        assert box.client.emergency_stop("anna")

        off_at = next(at for at, pin, level in reversed(box.board.changes) if pin == 17 and not level)
        assert off_at - asked < 0.2
        wait_until(lambda: (box.client.entry("a-1") or {})["outcome"] == "stopped")
        old = box.child()
        old.send_signal(signal.SIGKILL)
        wait_until(lambda: box.is_serving() and box.child().pid != old.pid)
        assert box.client.status()["stopped_by"] == "anna"
        box.client.release_stop("anna")
        assert box.client.status()["stopped_by"] is None


def test_s09_the_emergency_stop_does_not_wait_for_a_stalled_disk() -> None:
    """While nothing can be written the pins go off all the same; the latch is written when the disk is back."""
    with guard_box() as box:
        _start_pump(box)
        stall = sqlite3.connect(box.config.ledger_path, isolation_level=None)
        stall.execute("BEGIN IMMEDIATE")
        asked = time.monotonic()

        assert box.client.emergency_stop("anna")

        off_at = next(at for at, pin, level in reversed(box.board.changes) if pin == 17 and not level)
        assert off_at - asked < 0.2
        stall.execute("ROLLBACK")
        stall.close()
        wait_until(lambda: (box.client.entry("a-1") or {})["outcome"] == "stopped")
        box.process.send_signal(signal.SIGTERM)
        assert box.process.wait(5.0) == 0
        again = start_guard(box.folder)
        try:
            wait_until(box.is_serving)
            assert box.client.status()["stopped_by"] == "anna"
        finally:
            end_tree(again)


def test_s09_the_button_stops_within_200_ms_with_the_disk_stalled_and_over_a_restart() -> None:
    """It opens its wire, the pin thread sees it; pressed it keeps a new guard stopped too."""
    with guard_box(stop_input=StopInput(pin=5)) as box:
        _start_pump(box)
        stall = sqlite3.connect(box.config.ledger_path, isolation_level=None)
        stall.execute("BEGIN IMMEDIATE")
        pressed = time.monotonic()

        box.board.pulled_low.discard(5)

        wait_until(lambda: not box.board.pin_read(17))
        off_at = next(at for at, pin, level in reversed(box.board.changes) if pin == 17 and not level)
        assert off_at - pressed < 0.2
        stall.execute("ROLLBACK")
        stall.close()
        old = box.child()
        old.send_signal(signal.SIGKILL)
        wait_until(lambda: box.is_serving() and box.child().pid != old.pid)
        assert box.client.status()["stopped_by"] is not None
        with pytest.raises(GuardUnreachableError, match="button is pressed"):
            box.client.release_stop("anna")
        box.board.pulled_low.add(5)
        wait_until(lambda: _is_released(box))
        assert box.client.status()["stopped_by"] is None


def _is_released(box: GuardBox) -> bool:
    try:
        box.client.release_stop("anna")
    except GuardUnreachableError:
        return False
    return True


def test_s01_the_run_ends_in_time_while_the_disk_stalls() -> None:
    """The thread that owns the pins never touches the disk."""
    with guard_box() as box:
        box.keep_lease()
        assert box.client.run(order("a-1", on_s=1.0)).accepted
        wait_until(lambda: box.board.pin_read(17))
        stall = sqlite3.connect(box.config.ledger_path, isolation_level=None)
        stall.execute("BEGIN IMMEDIATE")

        assert wait_until(lambda: not box.board.pin_read(17)) < 1.3

        stall.execute("ROLLBACK")
        stall.close()


def test_s11_systemd_hears_that_the_parent_lives(tmp_path: Path) -> None:
    """Ready once the pins are held, alive twice a second and oftener, also while a killed child is replaced."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5.0)
        with guard_box(notify=tmp_path / "notify") as box:
            words = [systemd.recv(100)]
            while words[-1] != b"READY=1":
                words.append(systemd.recv(100))
            box.child().send_signal(signal.SIGKILL)
            began, heard = time.monotonic(), []
            while time.monotonic() - began < 2.0:
                heard.append((time.monotonic(), systemd.recv(100)))
            box.process.send_signal(signal.SIGTERM)
            last = systemd.recv(100)
            while last == b"WATCHDOG=1":
                last = systemd.recv(100)

    assert {word for _, word in heard} == {b"WATCHDOG=1"}
    times = [at for at, _ in heard]
    assert max(later - earlier for earlier, later in pairwise(times)) < 1.0
    assert last == b"STOPPING=1"


def test_sockets_are_for_their_owner_alone() -> None:
    """Nobody else on the machine can order or stop."""
    with guard_box() as box:
        for name in ("guard.sock", "stop.sock"):
            assert stat.S_IMODE((box.folder / name).stat().st_mode) == 0o600


def test_a_second_guard_for_the_same_folder_gives_up() -> None:
    """Two guards would fight over pins and ledger."""
    with guard_box() as box:
        second = start_guard(box.folder, ends_with_stdin=True)
        assert second.stdin is not None
        with second.stdin:
            assert second.wait(10.0) == EXIT_BUSY
        assert box.is_serving()


def test_a_supervised_guard_takes_over_from_one_that_ends() -> None:
    """Without a pipe to live by it stands by until the folder is free."""
    with guard_box() as box:
        second = start_guard(box.folder)
        try:
            box.process.send_signal(signal.SIGTERM)
            assert box.process.wait(5.0) == 0

            wait_until(box.is_serving)
            assert second.poll() is None
        finally:
            end_tree(second)


def test_the_guard_ends_cleanly_on_sigterm() -> None:
    """Pins off, sockets gone, exit code 0."""
    with guard_box() as box:
        _start_pump(box)

        box.process.send_signal(signal.SIGTERM)

        assert box.process.wait(5.0) == 0
        assert not box.board.pin_read(17)
        assert not (box.folder / "guard.sock").exists()


def test_s09_a_stop_outlives_a_guard_that_dies_before_the_disk_took_it() -> None:
    """The parent hears of the stop with the heartbeat, and tells the next guard, which writes it down."""
    with guard_box() as box:
        _start_pump(box)
        stall = sqlite3.connect(box.config.ledger_path, isolation_level=None)
        stall.execute("BEGIN IMMEDIATE")
        assert box.client.emergency_stop("anna")
        old = box.child()

        old.send_signal(signal.SIGKILL)
        stall.execute("ROLLBACK")
        stall.close()

        wait_until(lambda: box.is_serving() and box.child().pid != old.pid)
        assert box.client.status()["stopped_by"] is not None
        box.client.release_stop("anna")
        newer = box.child()
        newer.send_signal(signal.SIGKILL)
        wait_until(lambda: box.is_serving() and box.child().pid != newer.pid)
        assert box.client.status()["stopped_by"] is None


def test_s11_a_guard_whose_parent_hangs_ends_with_its_outputs_off() -> None:
    """Nobody would reclaim its pins if it died next."""
    with guard_box() as box:
        _start_pump(box)
        child = box.child()

        box.process.send_signal(signal.SIGSTOP)

        assert wait_until(lambda: not box.board.pin_read(17)) < 1.0
        box.process.send_signal(signal.SIGCONT)
        wait_until(lambda: box.is_serving() and box.child().pid != child.pid)


@pytest.mark.slow
def test_s11_a_parent_on_a_loaded_machine_is_not_silent() -> None:
    """Twice as many programs that compute as there are cores, for ten seconds, end no guard."""
    burn = "import time\nends = time.monotonic() + 10.0\nwhile time.monotonic() < ends: pass"
    with guard_box() as box:
        child = box.child()

        burners = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(2 * (os.cpu_count() or 1))]
        for burner in burners:
            burner.wait(60.0)

        assert box.child() == child
        assert box.is_serving()


def test_s09_the_stop_works_after_the_guard_had_no_files_left() -> None:
    """A shortage of file descriptors that passes leaves both doors open."""
    with guard_box() as box:
        _start_pump(box)
        child = box.child()
        most = child.rlimit(psutil.RLIMIT_NOFILE)
        child.rlimit(psutil.RLIMIT_NOFILE, (3, most[1]))
        address = str(box.folder / "stop.sock")
        with socket.socket(socket.AF_UNIX) as early, socket.socket(socket.AF_UNIX) as late:
            early.connect(address)  # takes the descriptor that the waiting accept holds already
            late.connect(address)
            late.settimeout(0.3)
            late.sendall(b"{}\n")
            with pytest.raises(TimeoutError):
                late.recv(100)

            child.rlimit(psutil.RLIMIT_NOFILE, most)

            late.settimeout(5.0)
            assert b'"stopped": true' in late.recv(100)
        wait_until(lambda: not box.board.pin_read(17))


def test_s03_a_damaged_ledger_keeps_everything_off() -> None:
    """Nobody knows what was given: no guard serves until a person has looked at the file."""
    with guard_box() as box:
        _start_pump(box)
        old = box.child()
        box.process.send_signal(signal.SIGTERM)
        assert box.process.wait(5.0) == 0
        assert not old.is_running()
        Path(box.config.ledger_path).write_bytes(b"this is no database" * 500)
        again = start_guard(box.folder)
        try:
            threading.Event().wait(1.0)
            assert not box.is_serving()
            assert not box.board.pin_read(17)
            assert again.poll() is None
        finally:
            end_tree(again)


def test_s03_a_lost_ledger_is_an_emergency_stop() -> None:
    """It kept what every plant had, and perhaps a stop: only a person can say that water may flow again."""
    with guard_box() as box:
        box.process.send_signal(signal.SIGTERM)
        assert box.process.wait(5.0) == 0
        Path(box.config.ledger_path).write_bytes(b"")
        again = start_guard(box.folder)
        try:
            wait_until(box.is_serving)
            assert "ledger" in str(box.client.status()["stopped_by"])
            box.client.release_stop("anna")
            assert box.client.status()["stopped_by"] is None
        finally:
            end_tree(again)
