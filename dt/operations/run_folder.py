"""DATA_DIR/run: who runs, by pid file and one state file, and which services a person stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from dt.utils.config import Settings
from dt.utils.exceptions import DTError

SUPERVISOR = "supervisor"


class RunFolder:
    """The folder that supervisor and commands meet in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of(cls, settings: Settings) -> RunFolder:
        """Return the folder of an installation."""
        return cls(settings.data_dir / "run")

    def write_pid(self, name: str, pid: int) -> None:
        """Remember a process."""
        write_whole(self.path / f"{name}.pid", f"{pid}\n")

    def forget_pid(self, name: str) -> None:
        """Forget a process that ended."""
        (self.path / f"{name}.pid").unlink(missing_ok=True)

    def process(self, name: str, mark: str) -> psutil.Process | None:
        """Return the living process of a pid file, unless the number went to a stranger."""
        try:
            pid = int((self.path / f"{name}.pid").read_text("ascii"))
        except (OSError, ValueError):
            return None
        return living(pid, mark)

    def supervisor(self) -> psutil.Process | None:
        """Return the living supervisor."""
        return self.process(SUPERVISOR, "dt.operations.supervisor")

    def write_state(self, state: dict[str, Any]) -> None:
        """Keep what the supervisor knows."""
        write_whole(self.path / "state.json", json.dumps(state))

    def state(self) -> dict[str, Any]:
        """Return what the supervisor wrote last; empty when it never ran."""
        try:
            found = json.loads((self.path / "state.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def hold(self, name: str) -> None:
        """Have a service stay stopped."""
        (self.path / f"{name}.hold").touch()

    def release(self, name: str) -> None:
        """Let a service run again."""
        (self.path / f"{name}.hold").unlink(missing_ok=True)

    def is_held(self, name: str) -> bool:
        """Return whether a person stopped this service."""
        return (self.path / f"{name}.hold").exists()

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep others out; raises DTError when one is in already."""
        with (self.path / f"{name}.lock").open("w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DTError(f"another dt {name} is at work in {self.path}") from error
            yield


def living(pid: int, mark: str) -> psutil.Process | None:
    """Return the process with this number if it lives and its command line holds the mark."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not any(mark in part for part in process.cmdline()):
            return None
    except psutil.Error:
        return None
    return process


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, never half."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, "utf-8")
    aside.replace(path)
