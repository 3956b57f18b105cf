"""What systemd is told (sd_notify(3)): ready, alive, stopping; nothing where nobody listens."""

from __future__ import annotations

import contextlib
import socket
from types import TracebackType
from typing import Self

READY, ALIVE, STOPPING = b"READY=1", b"WATCHDOG=1", b"STOPPING=1"


class Notice:
    """One datagram a word to the socket that `NOTIFY_SOCKET` names; never waits, and bears a listener that is gone."""

    def __init__(self, address: str | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()

    def say(self, word: bytes) -> None:
        """Send a word."""
        if self._socket is not None and self._address is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(word, self._address)
