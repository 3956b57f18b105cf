"""Frames of the wire: msgpack behind a 4-byte big-endian length, over a Unix stream socket.

The handshake is `{"wire": version}` both ways. A request is `[number, call, arguments]`, its answer
`[number, kind, result]`, in any order; number 0 carries edge events: `[0, "edge", [pin, level]]`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Any

import msgspec

PROTOCOL_VERSION = 2
MAX_FRAME_BYTES = 8 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_SEND_TIMEOUT = struct.pack("ll", 2, 0)  # who does not read is dropped, and never stalls the other end


class Frames:
    """Whole messages over a stream socket; sending is safe from several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._send_lock = threading.Lock()

    def send(self, message: object) -> None:
        """Send one message; raises `OSError`."""
        body = msgspec.msgpack.encode(message)
        with self._send_lock:
            self._socket.sendall(_LENGTH.pack(len(body)) + body)

    def receive(self) -> Any:
        """Return the next message; raises `OSError`, `EOFError` or `msgspec.MsgspecError`."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > MAX_FRAME_BYTES:
            msg = f"a frame of {length} bytes exceeds {MAX_FRAME_BYTES}"
            raise EOFError(msg)
        return msgspec.msgpack.decode(self._exactly(length))

    def bound_sending(self) -> None:
        """Wait for ever when reading, and for two seconds at most when sending."""
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SEND_TIMEOUT)

    def close(self) -> None:
        """Hang up; who waits in `receive` gets an error."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                msg = "the other end hung up"
                raise EOFError(msg)
            parts += part
        return bytes(parts)
