"""The guard's two doors: one socket for orders and the lease, one for the emergency stop alone.

One JSON object a line, answered by one JSON object a line. Sockets have mode 0600.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dt.controller.guard_desk import GuardDesk
from dt.controller.guard_types import GuardUnreachableError, Order, is_number

ORDERS_SOCKET = "guard.sock"
STOP_SOCKET = "stop.sock"
MAX_LINE_BYTES = 262_144  # an order's note of 16 KiB characters, each escaped
MAX_CONNECTIONS = 32  # of each socket: orders can never use up what the stop needs
_LONGEST_ADDRESS = 100  # sun_path takes 108 bytes
_QUIET_WAIT_S = 1.0
_TOLD_WAIT_S = 0.5  # a heartbeat comes at once, and half a second without one is the end of a guard
_AGAIN_AFTER_S = 0.05

Handler = Callable[[Mapping[str, Any]], dict[str, Any]]


@contextlib.contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Yield an address for a socket file, however long its path is."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class LineServer:
    """Answers JSON lines on a Unix socket, one thread a connection."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._handler = handler
        self._path = path
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with socket_address(path) as address:
            old_mask = os.umask(0o177)
            try:
                self._socket.bind(address)
            finally:
                os.umask(old_mask)
        self._socket.listen(64)
        self._is_closed = threading.Event()
        self._places = threading.Semaphore(MAX_CONNECTIONS)
        threading.Thread(target=self._accept, name=f"accept {path.name}", daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._is_closed.set()
        self._places.release()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._is_closed.is_set():
            self._places.acquire()
            try:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            except (OSError, RuntimeError):  # no file or thread to be had just now: the door stays open
                self._places.release()
                self._is_closed.wait(_AGAIN_AFTER_S)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as stream, contextlib.suppress(OSError):
                while line := stream.readline(MAX_LINE_BYTES):
                    answer = self._answer(line)
                    while line and not line.endswith(b"\n"):  # the rest of a line is no question of its own
                        line = stream.readline(MAX_LINE_BYTES)
                    stream.write(json.dumps(answer).encode() + b"\n")
                    stream.flush()
        finally:
            self._places.release()

    def _answer(self, line: bytes) -> dict[str, Any]:
        if not line.endswith(b"\n"):
            return {"error": f"a request is one line of at most {MAX_LINE_BYTES} bytes"}
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                return {"error": "a request is a JSON object"}
            return self._handler(request)
        except GuardUnreachableError as error:
            return {"away": str(error)}
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            return {"error": f"{type(error).__name__}: {error}"}


class GuardDoors:
    """Both sockets of a desk, in a folder of mode 0700.

    `told(within_s)` waits until whoever outlives this guard has heard of a stop or its release.
    """

    def __init__(
        self,
        desk: GuardDesk,
        folder: Path,
        reported: Callable[[], Mapping[str, float]],
        told: Callable[[float], bool] = lambda _within_s: True,
    ) -> None:
        self._desk = desk
        self._reported = reported
        self._told = told
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._stop = LineServer(folder / STOP_SOCKET, self._emergency_stop)
        self._orders = LineServer(folder / ORDERS_SOCKET, self._order)

    def close(self) -> None:
        """Close both."""
        self._orders.close()
        self._stop.close()

    def _emergency_stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._desk.emergency_stop(str(request.get("by") or "somebody"))
        is_quiet = self._desk.guard.wait_until_quiet(_QUIET_WAIT_S)
        return {"stopped": True, "quiet": is_quiet, "told": self._told(_TOLD_WAIT_S)}

    def _order(self, request: Mapping[str, Any]) -> dict[str, Any]:
        handler = _OPERATIONS.get(str(request.get("op")))
        if handler is None:
            return {"error": f"unknown op {request.get('op')!r}"}
        answer = handler(self._desk, request)
        if handler is _release_stop:
            self._told(_TOLD_WAIT_S)
        return answer | {"reported": dict(self._reported())} if "outputs" in answer else answer


def _run(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(desk.run(Order(**request["order"]), str(request["owner"])))


def _record(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(desk.record(Order(**request["order"]), str(request["outcome"]), str(request["why"])))


def _renew(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    return desk.renew(str(request["owner"]), [str(one) for one in request.get("published", [])])


def _release(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    desk.guard.release(str(request["owner"]))
    return {"released": True}


def _off(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    return {"was_on": desk.guard.off(str(request["actuator_id"]), str(request.get("why") or "switched off"))}


def _adjust(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(desk.adjust(str(request["actuator_id"]), _number(request, "level"), str(request["owner"])))


def _set_flow(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(desk.set_flow(str(request["actuator_id"]), _number(request, "flow_ml_s"), str(request["by"])))


def _number(request: Mapping[str, Any], name: str) -> float:
    value = request[name]
    if not is_number(value):
        msg = f"{name}: must be a finite number, not {str(value)[:40]!r}"
        raise ValueError(msg)
    return float(value)


def _release_stop(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    desk.release_stop(str(request["by"]))
    return {"stopped": False}


def _refill(desk: GuardDesk, request: Mapping[str, Any]) -> dict[str, Any]:
    desk.refill(str(request["reservoir"]), str(request["by"]))
    return {"refilled": True}


_OPERATIONS: Mapping[str, Callable[[GuardDesk, Mapping[str, Any]], dict[str, Any]]] = {
    "run": _run,
    "record": _record,
    "renew": _renew,
    "release": _release,
    "off": _off,
    "adjust": _adjust,
    "set_flow": _set_flow,
    "release_stop": _release_stop,
    "refill": _refill,
    "status": lambda desk, _request: desk.status(),
    "budget": lambda desk, request: dict(desk.budget(str(request["actuator_id"]))),
    "entries": lambda desk, request: {
        "entries": desk.entries(int(request.get("limit", 200)), str(request.get("actuator_id", "")))
    },
    "entry": lambda desk, request: {"entry": desk.entry(str(request["action_id"]))},
}
