"""Sees that a guard process serves a folder: the one that runs there already, or one of our own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

_ENDS_WITHIN_S = 3.0


class SpawnedGuard:
    """Starts the guard with a pipe as its stdin: when this process is gone, so is the guard, its outputs safe."""

    def __init__(self, config_file: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self._command = [sys.executable, "-m", "dt.controller.guard_process", "--config", str(config_file.absolute())]
        self._command += ["--socket-dir", str(folder.absolute()), "--until-stdin-closes"]
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def ensure(self) -> None:
        """Start a guard unless ours runs; one that finds another guard at work ends by itself."""
        with self._lock:
            if self._is_closed or (self._process is not None and self._process.poll() is None):
                return
            self._let_go()
            # A session of its own: Ctrl-C at the terminal reaches the controller, which then closes the pipe.
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.PIPE, start_new_session=True
            )

    @property
    def pid(self) -> int | None:
        """Return the process id of the guard's parent that we started, or None."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """Close the pipe and wait until the outputs are safe and the guard is gone."""
        with self._lock:
            self._is_closed = True
            process = self._process
            if process is not None and process.stdin is not None:
                process.stdin.close()
                try:
                    process.wait(_ENDS_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            self._process = None

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
