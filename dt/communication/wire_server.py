"""The box's end of the wire between processes."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dt.communication.wire_calls import (
    BusTimeoutError,
    Direction,
    NoAcknowledgeError,
    Pull,
    Wire,
    WireRefusedError,
)
from dt.communication.wire_frames import PROTOCOL_VERSION, Frames

log = logging.getLogger(__name__)

_MAX_SOCKET_PATH = 107  # sockaddr_un.sun_path on Linux, less its final zero

_ARGUMENTS: Mapping[str, Any] = {
    "i2c": tuple[int, bytes, int],
    "pin_setup": tuple[int, Direction, Pull],
    "pin_write": tuple[int, bool],
    "pwm": tuple[int, float, float],
    "pin_read": tuple[int],
    "pin_edges": tuple[int],
    "pulses": tuple[int, int, int],
    "capture": tuple[int],
    "host": tuple[()],
}
# A bus that hangs or a camera that takes its time delays nothing but its own calls.
_SLOW_CALLS = frozenset({"i2c", "capture"})
_END = object()


class WireServer:
    """Offers a wire to other processes of the same user; any number of them at once."""

    def __init__(self, wire: Wire, path: Path) -> None:
        self._wire = wire
        self._path = path
        self._listener: socket.socket | None = None
        self._sessions: set[_Session] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; raises `WireRefusedError` when another simulator already does so at this path."""
        self._listener = _listen(self._path)
        self._thread = threading.Thread(target=self._accept, args=(self._listener,), name="wire-accept", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and remove the socket; pins keep their levels."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        self._path.unlink(missing_ok=True)
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()
        if self._thread is not None:
            self._thread.join(2.0)

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            session = _Session(self._wire, connection, self._forget)
            with self._lock:
                self._sessions.add(session)
            session.start()

    def _forget(self, session: _Session) -> None:
        with self._lock:
            self._sessions.discard(session)


class _Session:
    """One client of a server: answers its requests, those of the bus and of cameras in lanes of their own."""

    def __init__(self, wire: Wire, connection: socket.socket, on_end: Callable[[_Session], None]) -> None:
        self._wire = wire
        self._frames = Frames(connection)
        self._frames.bound_sending()
        self._on_end = on_end
        self._unsubscribe: dict[int, Callable[[], None]] = {}
        self._lanes: dict[str, queue.SimpleQueue[object]] = {}

    def start(self) -> None:
        threading.Thread(target=self._run, name="wire-session", daemon=True).start()

    def close(self) -> None:
        self._frames.close()

    def _run(self) -> None:
        try:
            if self._shake_hands():
                while True:
                    self._take(self._frames.receive())
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            log.debug("wire client went away: %s", error)
        finally:
            for unsubscribe in self._unsubscribe.values():
                unsubscribe()
            for lane in self._lanes.values():
                lane.put(_END)
            self.close()
            self._on_end(self)

    def _shake_hands(self) -> bool:
        hello = self._frames.receive()
        version = hello.get("wire") if isinstance(hello, dict) else None
        answer: dict[str, object] = {"wire": PROTOCOL_VERSION}
        if version != PROTOCOL_VERSION:
            answer["error"] = f"the box speaks wire version {PROTOCOL_VERSION}, the client {version}"
        self._frames.send(answer)
        return version == PROTOCOL_VERSION

    def _take(self, request: object) -> None:
        name = request[1] if isinstance(request, list) and len(request) > 1 else None
        if name not in _SLOW_CALLS:
            self._frames.send(self._answer(request))
            return
        if name not in self._lanes:
            lane = self._lanes[name] = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(lane,), name=f"wire-{name}", daemon=True).start()
        self._lanes[name].put(request)

    def _serve(self, lane: queue.SimpleQueue[object]) -> None:
        while (request := lane.get()) is not _END:
            try:
                self._frames.send(self._answer(request))
            except OSError:
                self.close()
                return

    def _answer(self, request: object) -> list[object]:
        try:
            number, name, arguments = msgspec.convert(request, tuple[int, str, list[Any]])
        except msgspec.ValidationError as error:
            return [0, "refused", f"no request: {error}"]
        try:
            return [number, "ok", self._perform(name, arguments)]
        except NoAcknowledgeError as error:
            return [number, "no_acknowledge", error.address]
        except BusTimeoutError as error:
            return [number, "bus_timeout", error.address]
        except (WireRefusedError, msgspec.ValidationError) as error:
            return [number, "refused", f"{name}: {error}"]
        except Exception as error:
            log.exception("wire call failed: %s", name)
            return [number, "refused", f"{name} failed in the box: {type(error).__name__}: {error}"]

    def _perform(self, name: str, arguments: list[Any]) -> object:
        if name not in _ARGUMENTS:
            msg = "the box knows no such call"
            raise WireRefusedError(msg)
        checked = msgspec.convert(arguments, _ARGUMENTS[name])
        if name == "pin_edges":
            self._subscribe(checked[0])
            return None
        result: object = getattr(self._wire, name)(*checked)
        return result

    def _subscribe(self, pin: int) -> None:
        if pin not in self._unsubscribe:
            self._unsubscribe[pin] = self._wire.pin_edges(pin, lambda level: self._forward(pin, level))

    def _forward(self, pin: int, level: bool) -> None:  # noqa: FBT001 - a level, as every pin library passes it
        try:
            self._frames.send([0, "edge", [pin, level]])
        except OSError:
            self.close()


def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        msg = f"WIRE_SOCKET is longer than the {_MAX_SOCKET_PATH} bytes that a Unix socket's path may have: {path}"
        raise WireRefusedError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before bind: the file never exists with wider rights
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    msg = f"another simulator already listens at {path}"
    raise WireRefusedError(msg)
