"""A line to the guard's sockets: one question, one answer, and something useful to do while the disk is slow."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from dt.controller.guard_sockets import socket_address
from dt.controller.guard_types import GuardUnreachableError

Idle = Callable[[], None]
"""Called about every 100 ms while an order waits for the disk, so that the caller's own loop keeps the lease."""

SLICE_S = 0.1
_PATIENCE_S = 5.0


class Waiting:
    """What each thread wants done while it waits."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def idle(self) -> Idle | None:
        """Return what this thread wants done."""
        return getattr(self._local, "idle", None)

    @contextmanager
    def with_idle(self, idle: Idle) -> Iterator[None]:
        """Let this thread want it for as long as the context lasts."""
        self._local.idle = idle
        try:
            yield
        finally:
            self._local.idle = None


class Line:
    """One connection: a question, then its answer; one at a time."""

    def __init__(self, path: Path, waiting: Waiting | None) -> None:
        self._path = path
        self._waiting = waiting
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._rest = b""

    def ask(self, question: Mapping[str, Any], *, timeout_s: float = _PATIENCE_S) -> dict[str, Any]:
        """Return the answer; raises GuardUnreachableError when none comes in time, or the guard cannot give one."""
        give_up_s = time.monotonic() + timeout_s
        self._take_turn(give_up_s)
        try:
            answer = json.loads(self._exchange_again(json.dumps(question).encode() + b"\n", give_up_s))
            if "error" in answer:
                msg = f"the guard refused the question: {answer['error']}"
                raise GuardUnreachableError(msg)
        except (OSError, ValueError) as error:
            self._hang_up()
            msg = f"no answer from the guard at {self._path.name}: {error}"
            raise GuardUnreachableError(msg) from error
        except BaseException:
            self._hang_up()  # a late answer must not be taken for the next one's
            raise
        finally:
            self._lock.release()
        if "away" in answer:
            raise GuardUnreachableError(str(answer["away"]))
        return cast("dict[str, Any]", answer)

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._hang_up()

    def _take_turn(self, give_up_s: float) -> None:
        while not self._lock.acquire(timeout=SLICE_S):
            self._pass_a_slice(give_up_s)

    def _pass_a_slice(self, give_up_s: float) -> None:
        if time.monotonic() > give_up_s:
            msg = f"no answer from the guard at {self._path.name} in time"
            raise GuardUnreachableError(msg)
        idle = self._waiting.idle if self._waiting is not None else None
        if idle is not None:
            idle()

    def _exchange_again(self, line: bytes, give_up_s: float) -> bytes:
        """Ask, and ask once more when the connection turns out to be an old guard's: every question may be repeated."""
        was_connected = self._socket is not None
        try:
            return self._exchange(line, give_up_s)
        except ConnectionError:
            if not was_connected:
                raise
            self._hang_up()
            return self._exchange(line, give_up_s)

    def _exchange(self, line: bytes, give_up_s: float) -> bytes:
        connection = self._socket or self._connect()
        connection.sendall(line)
        while b"\n" not in self._rest:
            try:
                chunk = connection.recv(65_536)
            except TimeoutError:
                self._pass_a_slice(give_up_s)
                continue
            if not chunk:
                msg = "the guard hung up"
                raise ConnectionResetError(msg)
            self._rest += chunk
        answer, _, self._rest = self._rest.partition(b"\n")
        return answer

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(SLICE_S)
        try:
            with socket_address(self._path) as address:
                connection.connect(address)
        except OSError:
            connection.close()
            raise
        self._socket, self._rest = connection, b""
        return connection

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""
