"""One supervised process: started, watched, started again with growing pauses, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from dt.operations.plan import Command
from dt.operations.run_folder import RunFolder
from dt.utils.clock import Clock
from dt.utils.logger import get_logger
from dt.utils.service import STOPS_WITHIN_S

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STEADY_AFTER_S = 20.0
CRASH_LOOP_AT = 5
_WRONG_SETTINGS = 2
_LARGEST_LOG = 5 * 1024 * 1024

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before the next start, from how long the last lives were."""

    quick_deaths: int = 0

    @property
    def pause_s(self) -> float:
        """Seconds until the next start."""
        return 0.0 if not self.quick_deaths else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self.quick_deaths - 1))

    @property
    def is_looping(self) -> bool:
        """Whether it dies again and again."""
        return self.quick_deaths >= CRASH_LOOP_AT

    def after(self, lived_s: float, code: int | None) -> Backoff:
        """Return what follows a death; wrong settings cure themselves no sooner than a crash loop."""
        if code == _WRONG_SETTINGS:
            return Backoff(quick_deaths=max(CRASH_LOOP_AT + 2, self.quick_deaths + 1))
        return Backoff(quick_deaths=1 if lived_s >= STEADY_AFTER_S else self.quick_deaths + 1)


class Child:
    """A process of the stack."""

    def __init__(self, command: Command, folder: RunFolder, log_dir: Path, clock: Clock) -> None:
        self.command = command
        self._folder = folder
        self._log = log_dir / f"{command.name}.log"
        self._clock = clock
        self._process: psutil.Popen | psutil.Process | None = folder.process(command.name, command.mark)
        self._began = clock.monotonic()
        self._next_start = self._began
        self._backoff = Backoff()
        self._asked_at: float | None = None
        self._why = ""
        self.restarts = 0

    @property
    def name(self) -> str:
        """The service's name."""
        return self.command.name

    def tick(self) -> bool:
        """Start, restart or hold it, whatever is due; return whether anything changed."""
        if self._process is not None and not is_running(self._process):
            self._note_death()
            return True
        if self._folder.is_held(self.name):
            return self._end()
        if self._process is None and self._clock.monotonic() >= self._next_start:
            self._start()
            return True
        return False

    def state(self) -> dict[str, Any]:
        """Return what `dt status` shows."""
        state = "running" if self._process is not None else "waiting"
        if self._backoff.is_looping and self._clock.monotonic() - self._began < STEADY_AFTER_S:
            state = "crash loop"
        if self._process is None and self._folder.is_held(self.name):
            state = "stopped"
        pid = None if self._process is None else self._process.pid
        return {"pid": pid, "state": state, "restarts": self.restarts, "why": self._why}

    def terminate(self) -> psutil.Process | None:
        """Ask it to end; return what has to be waited for."""
        process = self._process
        if process is not None:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGTERM)
        return process

    def forget(self) -> None:
        """It was stopped on purpose."""
        self._process = None
        self._folder.forget_pid(self.name)

    def _end(self) -> bool:
        """Ask a held process to end, and insist after five seconds."""
        if self._process is None:
            return False
        if self._asked_at is None:
            self._asked_at = self._clock.monotonic()
            self.terminate()
            return True
        if self._clock.monotonic() - self._asked_at > STOPS_WITHIN_S:
            with suppress(psutil.Error):
                self._process.kill()
        return False

    def _start(self) -> None:
        make_room(self._log)
        with self._log.open("ab") as output:
            self._process = psutil.Popen(
                self.command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment_with(self.command.environment),
            )
        self._began = self._clock.monotonic()
        self._folder.write_pid(self.name, self._process.pid)
        log.info("%s started as process %d", self.name, self._process.pid)

    def _note_death(self) -> None:
        code = exit_code(self._process)
        now = self._clock.monotonic()
        self._asked_at = None
        self.forget()
        if self._folder.is_held(self.name):
            self._why, self._backoff, self._next_start = "stopped by a person", Backoff(), now
            log.info("%s stopped", self.name)
            return
        self._backoff = self._backoff.after(now - self._began, code)
        self._next_start = now + self._backoff.pause_s
        self._why = f"{ending(code)}{_last_line(self._log)}"
        self.restarts += 1
        log.warning("%s %s; starting it again in %.1f s", self.name, self._why, self._backoff.pause_s)
        if self._backoff.is_looping:
            log.error("%s dies again and again: see %s", self.name, self._log)


def is_running(process: psutil.Process) -> bool:
    """Return whether a process lives; collects it when it is a child of ours that ended."""
    if isinstance(process, psutil.Popen):
        return process.poll() is None
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def exit_code(process: object) -> int | None:
    """Return the exit code, where it is known: an adopted process keeps it to itself."""
    return process.returncode if isinstance(process, psutil.Popen) else None


def ending(code: int | None) -> str:
    """Return in words how a process ended.

    >>> ending(-9), ending(1), ending(None)
    ('was killed by SIGKILL', 'ended with exit code 1', 'ended')
    """
    if code is None:
        return "ended"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def wait_or_kill(processes: list[psutil.Process], timeout_s: float) -> list[int]:
    """Wait for processes that were asked to end, kill those that do not, and return the killed ones' numbers."""
    _gone, left = psutil.wait_procs(processes, timeout_s)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, 1.0)
    return [process.pid for process in left]


def environment_with(more: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with some names set."""
    return {**os.environ, **more}


def make_room(path: Path) -> None:
    """Put a log that grew large aside, so that two of them are the most."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(path.with_suffix(".1.log"))


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 2048))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return f": {lines[-1][:300]}" if lines else ""
