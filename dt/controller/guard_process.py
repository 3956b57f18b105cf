"""The guard process: a parent that watches, and its child that owns pins and ledger (`guard_child.py`).

    python -m dt.controller.guard_process --config FILE --socket-dir DIR [--until-stdin-closes]

As a service of systemd it says when it is ready, and by `WATCHDOG=1` that this parent lives.

A dead process leaves a Pi's outputs as they were. So the parent listens to the child's heartbeat: when it falls silent
the parent kills the child, claims the pins itself and drives them to their safe state, all within a second; it holds
them there until a new child is ready to take over. With `--until-stdin-closes` it ends, outputs safe, as soon as the
process that started it is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dt.controller.guard_child import BEAT, EXIT_PINS, GO, GO_STOPPED, READY, STOPPED_BEAT, run_child
from dt.controller.guard_notice import ALIVE, STOPPING, Notice
from dt.controller.guard_notice import READY as IS_READY
from dt.controller.guard_pins import PinError, Pins
from dt.controller.guard_types import GuardConfig, GuardConfigError

SILENCE_S = 0.6
EXIT_BUSY = 3
_START_S = 20.0
_END_S = 1.0
_CLAIM_EVERY_S = 0.05
_BUSY_WAIT_S = 3.0
_LONGEST_PAUSE_S = 5.0
_ALIVE_EVERY_S = 0.1  # also while a child starts, or none does: this parent holds the pins safe

_log = logging.getLogger("dt.controller.guard")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the parent (or, by an inner option, as its child) and return the exit code."""
    options = _parse(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        config = GuardConfig.from_json(options.config.read_text(encoding="utf-8"))
    except (OSError, GuardConfigError) as error:
        sys.stderr.write(f"dt.controller.guard_process: {error}\n")
        return 2
    if options.beat_fd is not None:
        return run_child(config, options.socket_dir, options.beat_fd, sys.stdin.fileno())
    options.socket_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    wait_s = _BUSY_WAIT_S if options.until_stdin_closes else float("inf")  # a supervised one stands by
    with _only_one(options.socket_dir, wait_s) as is_alone:
        if not is_alone:
            _log.info("another guard serves %s", options.socket_dir)
            return EXIT_BUSY
        with Notice(os.environ.get("NOTIFY_SOCKET")) as notice:
            parent = _Parent(
                config, options.config, options.socket_dir, notice, ends_with_stdin=options.until_stdin_closes
            )
            return parent.run()


class _Parent:
    """Holds the pins safe whenever no child does."""

    def __init__(
        self, config: GuardConfig, config_file: Path, folder: Path, notice: Notice, *, ends_with_stdin: bool
    ) -> None:
        self._config = config
        self._notice = notice
        self._command = [sys.executable, "-m", "dt.controller.guard_process", "--config", str(config_file)]
        self._command += ["--socket-dir", str(folder)]
        self._ends_with_stdin = ends_with_stdin
        self._signal_in, self._signal_out = os.pipe()
        self._pins: Pins | None = None
        self._fed: subprocess.Popen[bytes] | None = None  # the child that has the pins, and hears that we live
        self._is_ending = False
        self._is_stopped = False  # the emergency stop, as the last heartbeat told: the disk may not have it yet

    def run(self) -> int:
        """Keep a child running until told to end; the outputs are safe when this returns."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        pause_s = 0.0
        self._hold_pins()
        self._notice.say(IS_READY)  # outputs are held safe from here on, with or without a child
        while self._goes_on(pause_s):
            lived_s = self._watch_one_child()
            pause_s = 0.0 if lived_s > _LONGEST_PAUSE_S else min(_LONGEST_PAUSE_S, pause_s * 2 + 0.1)
        self._notice.say(STOPPING)
        self._hold_pins()
        self._give_pins_back()
        return 0

    def _goes_on(self, pause_s: float) -> bool:
        self._listen([], pause_s)
        return not self._is_ending

    def _end(self, *_: object) -> None:
        self._is_ending = True
        os.write(self._signal_out, b"!")

    def _hold_pins(self) -> None:
        """Claim every pin in its safe state, however long that takes; when ending, for a second at most."""
        said, give_up_s = "", time.monotonic() + _END_S
        while self._pins is None:
            try:
                self._pins = Pins(self._config.outputs)
            except PinError as error:
                if str(error) != said:
                    said = str(error)
                    _log.warning("%s; trying again", said)
                if self._is_ending and time.monotonic() > give_up_s:
                    return
                if self._is_ending:
                    time.sleep(_CLAIM_EVERY_S)
                else:
                    self._listen([], _CLAIM_EVERY_S)

    def _give_pins_back(self) -> None:
        if self._pins is not None:
            self._pins.close()
            self._pins = None

    def _watch_one_child(self) -> float:
        """Start a child, hand over the pins when it is ready, and return after it is gone and the pins are safe."""
        beat_in, beat_out = os.pipe()
        started_s = time.monotonic()
        child = subprocess.Popen(
            [*self._command, "--beat-fd", str(beat_out)], stdin=subprocess.PIPE, pass_fds=[beat_out], bufsize=0
        )
        os.close(beat_out)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
        try:
            why = self._follow(child, beat_in)
        finally:
            self._fed = None
            self._end_child(child)
            os.close(beat_in)
            self._hold_pins()
        if not self._is_ending:
            _log.error("%s; outputs are safe, starting it again", why)
        return time.monotonic() - started_s

    def _follow(self, child: subprocess.Popen[bytes], beat_in: int) -> str:
        """Return why the child has to go: it fell silent, ended, or we are told to end."""
        patience_s = _START_S
        while beat_in in self._listen([beat_in], patience_s):
            beats = os.read(beat_in, 4096)
            if not beats:
                return "the guard ended" if child.poll() != EXIT_PINS else "the guard lost its pins"
            if beats.startswith(READY):
                self._give_pins_back()
                self._tell(child, GO_STOPPED if self._is_stopped else GO)
                self._fed = child
            else:
                patience_s = SILENCE_S
                self._is_stopped = beats.endswith(STOPPED_BEAT)
        return f"the guard was silent for {patience_s:g} s"

    @staticmethod
    def _tell(child: subprocess.Popen[bytes], word: bytes) -> None:
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError, BlockingIOError):
                os.write(child.stdin.fileno(), word)

    def _end_child(self, child: subprocess.Popen[bytes]) -> None:
        """Let the child end in good order when we were told to, else kill it: a hung one keeps the pins claimed."""
        if self._is_ending and child.stdin is not None:
            child.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_END_S)
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_END_S)
        if child.stdin is not None:
            child.stdin.close()

    def _listen(self, files: list[int], timeout_s: float) -> list[int]:
        """Return which files can be read; none of them after the time-out, or when it is time to end."""
        give_up_s = time.monotonic() + timeout_s
        while not self._is_ending:
            self._say_alive()
            readable = self._wait(files, min(_ALIVE_EVERY_S, max(0.0, give_up_s - time.monotonic())))
            if readable or time.monotonic() >= give_up_s:
                return [] if self._is_ending else readable
        return []

    def _say_alive(self) -> None:
        """Tell systemd and the child, from the loop that would reclaim the pins: no thread speaks for a hung one."""
        self._notice.say(ALIVE)
        if self._fed is not None:
            self._tell(self._fed, BEAT)

    def _wait(self, files: list[int], timeout_s: float) -> list[int]:
        stdin = [sys.stdin.fileno()] if self._ends_with_stdin else []
        readable, _, _ = select.select([*files, *stdin, self._signal_in], [], [], timeout_s)
        if any(fd in readable and not os.read(fd, 4096) for fd in stdin):
            self._is_ending = True
        return [fd for fd in files if fd in readable]


@contextlib.contextmanager
def _only_one(folder: Path, wait_s: float) -> Iterator[bool]:
    """Yield True as soon as no other guard serves the folder, False when one still does after `wait_s`."""
    give_up_s = time.monotonic() + wait_s
    with (folder / "guard.lock").open("w", encoding="ascii") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_s:
                    yield False
                    return
                time.sleep(_CLAIM_EVERY_S)
        yield True


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m dt.controller.guard_process", description="Owns the actuators' pins."
    )
    parser.add_argument("--config", type=Path, required=True, help="JSON file of outputs, limits, budgets and ledger")
    parser.add_argument("--socket-dir", type=Path, required=True, help="folder of the two Unix sockets")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end, outputs safe, at the end of stdin")
    parser.add_argument("--beat-fd", type=int, default=None, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
