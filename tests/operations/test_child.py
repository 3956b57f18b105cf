"""Supervised processes: started again with growing pauses, held, adopted, stopped."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from dt.operations.child import CRASH_LOOP_AT, LONGEST_PAUSE_S, Backoff, Child, ending, wait_or_kill
from dt.operations.plan import Command
from dt.operations.run_folder import RunFolder
from dt.utils.clock import ManualClock, SystemClock

MARK = "a-supervised-test-process"
SLEEPER = f"import time  # {MARK}\ntime.sleep(60)"
STUBBORN = f"""
import signal, time  # {MARK}
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""

Eventually = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Return a run folder of the test's own."""
    return RunFolder(tmp_path / "run")


@pytest.fixture
def make(folder: RunFolder, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Return a maker of children; what still lives afterwards is killed."""
    made: list[Child] = []

    def make_child(code: str = SLEEPER, clock: ManualClock | SystemClock | None = None) -> Child:
        command = Command(name="sleeper", arguments=(sys.executable, "-c", code), mark=MARK)
        child = Child(command, folder, tmp_path / "logs", clock or SystemClock())
        made.append(child)
        return child

    yield make_child
    for child in made:
        process = child.terminate()
        if process is not None:
            with suppress(psutil.Error):
                process.kill()
            wait_or_kill([process], 5.0)


def pid_of(child: Child) -> int:
    """Return a running child's process number."""
    pid = child.state()["pid"]
    assert isinstance(pid, int)
    return pid


def test_a_child_runs_after_its_first_tick(
    make: Callable[..., Child], folder: RunFolder, eventually: Eventually
) -> None:
    """The first tick starts it and leaves its pid file."""
    child = make()

    assert child.tick()

    eventually(lambda: folder.process("sleeper", MARK) is not None, "the kernel shows its command line")
    process = folder.process("sleeper", MARK)
    assert process is not None
    assert process.pid == pid_of(child)


def test_a_killed_child_is_started_again(make: Callable[..., Child], eventually: Eventually) -> None:
    """Kill -9 is noticed, said in words, and made good after the first pause."""
    clock = ManualClock()
    child = make(clock=clock)
    child.tick()
    first = pid_of(child)

    os.kill(first, signal.SIGKILL)
    eventually(child.tick, "the death is noticed")
    clock.advance(1.0)
    child.tick()

    assert pid_of(child) != first
    assert child.restarts == 1
    assert "SIGKILL" in child.state()["why"]


def test_a_child_is_not_started_before_its_pause_is_over(make: Callable[..., Child], eventually: Eventually) -> None:
    """Back-off keeps a dying service from burning the machine."""
    clock = ManualClock()
    child = make("raise SystemExit(1)", clock=clock)
    child.tick()
    eventually(child.tick, "the death is noticed")

    assert not child.tick()
    assert child.state()["pid"] is None


def test_a_child_that_dies_again_and_again_is_called_a_crash_loop(
    make: Callable[..., Child], eventually: Eventually
) -> None:
    """After five quick deaths the state says so, with the last line that the process wrote."""
    clock = ManualClock()
    child = make("raise SystemExit('no such thing')", clock=clock)

    for _ in range(CRASH_LOOP_AT):
        child.tick()
        eventually(child.tick, "the death is noticed")
        clock.advance(child._backoff.pause_s)

    assert child.state()["state"] == "crash loop"
    assert "no such thing" in child.state()["why"]


def test_a_held_child_ends_and_stays_stopped(
    make: Callable[..., Child], folder: RunFolder, eventually: Eventually
) -> None:
    """What a person stopped is no failure and is not started again until released."""
    child = make()
    child.tick()
    folder.hold("sleeper")

    def is_stopped() -> bool:
        child.tick()
        return child.state()["state"] == "stopped"

    eventually(is_stopped, "the child is stopped")
    assert child.restarts == 0
    folder.release("sleeper")
    child.tick()
    assert child.state()["state"] == "running"


def test_a_held_child_that_ignores_sigterm_is_killed(
    make: Callable[..., Child], folder: RunFolder, tmp_path: Path, eventually: Eventually
) -> None:
    """Five seconds are what a service has to stop."""
    clock = ManualClock()
    child = make(STUBBORN, clock=clock)
    child.tick()
    eventually(lambda: (tmp_path / "logs" / "sleeper.log").read_text() == "up\n", "it ignores SIGTERM by now")
    folder.hold("sleeper")
    child.tick()
    clock.advance(6.0)

    def is_stopped() -> bool:
        child.tick()
        return child.state()["pid"] is None

    eventually(is_stopped, "the child was killed")


def test_a_new_supervisor_adopts_what_the_old_one_left(
    make: Callable[..., Child], folder: RunFolder, eventually: Eventually
) -> None:
    """A supervisor that was killed leaves its services running; the next one takes them over as they are."""
    first = make()
    first.tick()
    pid = pid_of(first)
    eventually(lambda: folder.process("sleeper", MARK), "the process has its command line")

    second = make()
    assert not second.tick()
    assert pid_of(second) == pid

    first.terminate()
    eventually(lambda: not _lives(pid, first), "the process is gone")
    eventually(second.tick, "the adopted process's death is noticed")
    assert second.restarts == 1


def test_a_pid_file_that_points_at_a_stranger_is_not_believed(folder: RunFolder) -> None:
    """Process numbers are used again; only one whose command line fits is ours."""
    folder.write_pid("sleeper", os.getpid())

    assert folder.process("sleeper", MARK) is None


def test_pauses_double_up_to_ten_seconds() -> None:
    """0.2, 0.4, 0.8 ... 10 s; a life of 20 s begins anew."""
    backoff = Backoff()
    pauses = []
    for _ in range(9):
        backoff = backoff.after(0.1, 1)
        pauses.append(backoff.pause_s)

    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert backoff.after(60.0, 1).pause_s == 0.2


def test_wrong_settings_are_a_crash_loop_at_once() -> None:
    """Exit code 2 cures itself no sooner than a person edits a file."""
    assert Backoff().after(0.1, 2).is_looping


def test_endings_are_said_in_words() -> None:
    """Signals by name, exit codes as numbers."""
    assert ending(-15) == "was killed by SIGTERM"
    assert ending(3) == "ended with exit code 3"


def _lives(pid: int, child: Child) -> bool:
    process = child._process
    if isinstance(process, psutil.Popen):
        process.poll()
    return psutil.pid_exists(pid)
