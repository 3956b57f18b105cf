"""The software's end of the wire between processes."""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from dt.communication.wire_calls import (
    BusTimeoutError,
    Direction,
    EdgeCallback,
    HostState,
    NoAcknowledgeError,
    Pull,
    WireAwayError,
    WireRefusedError,
    WireVersionError,
)
from dt.communication.wire_frames import PROTOCOL_VERSION, Frames
from dt.utils.exceptions import WireError

log = logging.getLogger(__name__)


class WireClient:
    """A wire whose other end is in another process; connects at the first call, and again after a break.

    After a break it repeats pin set-ups and edge subscriptions, never levels: a box that restarted is off.
    """

    def __init__(self, path: Path, timeout_s: float = 5.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._link: _Link | None = None
        self._setups: dict[int, tuple[Direction, Pull]] = {}
        self._edges: dict[int, list[EdgeCallback]] = {}
        self._edges_lock = threading.Lock()  # never held during a call: the reader needs it to go on reading
        self._events: queue.SimpleQueue[tuple[int, bool] | None] = queue.SimpleQueue()
        self._dispatcher: threading.Thread | None = None
        self._closed = threading.Event()

    def i2c(self, address: int, out: bytes, count: int) -> bytes:
        """Write `out`, then read `count` bytes; raises `NoAcknowledgeError` or `BusTimeoutError`."""
        return cast("bytes", self._call("i2c", address, bytes(out), count))

    def pin_setup(self, pin: int, direction: Direction, pull: Pull) -> None:
        """Make a pin an input or an output."""
        self._call("pin_setup", pin, str(direction), str(pull))
        with self._lock:
            self._setups[pin] = (direction, pull)

    def pin_write(self, pin: int, level: bool) -> None:  # noqa: FBT001 - a level, as every pin library passes it
        """Drive an output pin."""
        self._call("pin_write", pin, bool(level))

    def pwm(self, pin: int, duty: float, frequency_hz: float) -> None:
        """Drive an output pin with a duty of 0..1."""
        self._call("pwm", pin, float(duty), float(frequency_hz))

    def pin_read(self, pin: int) -> bool:
        """Return a pin's level."""
        return cast("bool", self._call("pin_read", pin))

    def pin_edges(self, pin: int, callback: EdgeCallback) -> Callable[[], None]:
        """Call back with the new level, on a thread of this client's own; what is returned ends that."""
        self._call("pin_edges", pin)
        self._start_dispatcher()
        with self._edges_lock:
            self._edges.setdefault(pin, []).append(callback)

        def end() -> None:
            with self._edges_lock, contextlib.suppress(ValueError):
                self._edges.get(pin, []).remove(callback)

        return end

    def pulses(self, pin: int, trigger_us: int, max_pulses: int) -> list[int]:
        """Return the pulses that answer a trigger, in microseconds."""
        return cast("list[int]", self._call("pulses", pin, trigger_us, max_pulses))

    def capture(self, camera: int) -> bytes:
        """Take a picture and return it as JPEG."""
        return cast("bytes", self._call("capture", camera))

    def host(self) -> HostState:
        """Return what befalls this machine."""
        try:
            return msgspec.convert(self._call("host"), HostState)
        except msgspec.ValidationError as error:
            msg = f"the plant box at {self._path} says of this machine what cannot be: {error}"
            raise WireRefusedError(msg) from error

    def close(self) -> None:
        """Hang up for good; pins keep their levels."""
        self._closed.set()
        self._events.put(None)
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _call(self, name: str, *arguments: object) -> object:
        return self._connected().call(name, arguments, self._timeout_s)

    def _connected(self) -> _Link:
        with self._lock:
            if self._closed.is_set():
                msg = f"the wire at {self._path} was closed"
                raise WireAwayError(msg)
            if self._link is None or not self._link.is_alive:
                link = _Link(self._path, self._timeout_s, self._on_edge, self._on_break)
                try:
                    self._repeat_setups(link)
                except Exception:
                    link.close()
                    raise
                self._link = link
            return self._link

    def _repeat_setups(self, link: _Link) -> None:
        for pin, (direction, pull) in self._setups.items():
            link.call("pin_setup", (pin, str(direction), str(pull)), self._timeout_s)
        for pin in self._watched_pins():
            link.call("pin_edges", (pin,), self._timeout_s)

    def _watched_pins(self) -> list[int]:
        with self._edges_lock:
            return [pin for pin, callbacks in self._edges.items() if callbacks]

    def _on_edge(self, pin: int, level: bool) -> None:  # noqa: FBT001 - a level, as every pin library passes it
        self._events.put((pin, level))

    def _start_dispatcher(self) -> None:
        """A callback may call the wire itself, so it never runs on the thread that reads the answers."""
        with self._lock:
            if self._dispatcher is None:
                self._dispatcher = threading.Thread(target=self._dispatch, name="wire-edges", daemon=True)
                self._dispatcher.start()

    def _dispatch(self) -> None:
        while (event := self._events.get()) is not None:
            pin, level = event
            with self._edges_lock:
                callbacks = list(self._edges.get(pin, ()))
            for callback in callbacks:
                try:
                    callback(level)
                except Exception:
                    log.exception("edge callback of pin %d failed", pin)

    def _on_break(self) -> None:
        """Who waits for edges makes no calls, so the connection is sought again for them."""
        while self._watched_pins() and not self._closed.wait(0.5):
            with contextlib.suppress(WireError):
                self._connected()
                return


class _Link:
    """One connection of a client, with the thread that sorts answers to who waits for them."""

    def __init__(
        self, path: Path, timeout_s: float, on_edge: Callable[[int, bool], None], on_break: Callable[[], None]
    ) -> None:
        self._path = path
        self._on_edge = on_edge
        self._on_break = on_break
        self._frames = Frames(_connect(path, timeout_s))
        self._waiting: dict[int, _Pending] = {}
        self._lock = threading.Lock()
        self._number = 0
        self.is_alive = True
        self._hung_up = False
        self._shake_hands()
        threading.Thread(target=self._read, name="wire-reader", daemon=True).start()

    def call(self, name: str, arguments: tuple[object, ...], timeout_s: float) -> object:
        pending = _Pending()
        with self._lock:
            self._number += 1
            number = self._number
            self._waiting[number] = pending
        try:
            self._frames.send([number, name, list(arguments)])
            answered = self.is_alive and pending.done.wait(timeout_s)
        except OSError:
            answered = False
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        if not answered or pending.kind is None:
            self.is_alive = False
            self._frames.close()
            msg = f"the plant box at {self._path} does not answer"
            raise WireAwayError(msg)
        return _result(pending.kind, pending.result)

    def close(self) -> None:
        self._hung_up = True
        self.is_alive = False
        self._frames.close()

    def _shake_hands(self) -> None:
        try:
            self._frames.send({"wire": PROTOCOL_VERSION})
            hello = self._frames.receive()
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            self._frames.close()
            msg = f"the plant box at {self._path} does not answer"
            raise WireAwayError(msg) from error
        self._frames.bound_sending()
        if not isinstance(hello, dict) or "error" in hello or hello.get("wire") != PROTOCOL_VERSION:
            self._frames.close()
            why = hello.get("error", hello) if isinstance(hello, dict) else hello
            msg = f"wire at {self._path} refused: {why}"
            raise WireVersionError(msg)

    def _read(self) -> None:
        try:
            while True:
                number, kind, result = msgspec.convert(self._frames.receive(), tuple[int, str, Any])
                if kind == "edge":
                    self._on_edge(*msgspec.convert(result, tuple[int, bool]))
                else:
                    self._deliver(number, kind, result)
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            log.debug("wire to %s broke: %s", self._path, error)
        self.is_alive = False
        self._frames.close()
        with self._lock:
            for pending in self._waiting.values():
                pending.done.set()
        if not self._hung_up:
            self._on_break()

    def _deliver(self, number: int, kind: str, result: object) -> None:
        with self._lock:
            pending = self._waiting.get(number)
        if pending is not None:
            pending.kind, pending.result = kind, result
            pending.done.set()


class _Pending:
    """A call that waits for its answer."""

    __slots__ = ("done", "kind", "result")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.kind: str | None = None
        self.result: object = None


def _result(kind: str, result: Any) -> object:
    if kind == "ok":
        return result
    if kind == "no_acknowledge":
        raise NoAcknowledgeError(result)
    if kind == "bus_timeout":
        raise BusTimeoutError(result)
    raise WireRefusedError(result)


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        msg = f"no plant box at {path} ({error.strerror or error}); is the simulator running?"
        raise WireAwayError(msg) from error
    return connection
