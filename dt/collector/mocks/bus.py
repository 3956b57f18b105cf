"""An I2C bus with busio's own surface, over a wire."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from dt.communication.wire import NoAcknowledgeError, Wire

Buffer = bytes | bytearray | memoryview

_LOCK_WAIT_S = 0.01  # drivers spin on try_lock; a short wait in it keeps them from burning a core


class WireBus:
    """What `busio.I2C` offers, transaction by transaction; errors are `OSError`s as on Linux."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lock = threading.Lock()

    def try_lock(self) -> bool:
        """Take the bus when it is free, or becomes so in a moment."""
        return self._lock.acquire(timeout=_LOCK_WAIT_S)

    def unlock(self) -> None:
        """Give the bus back."""
        if self._lock.locked():
            self._lock.release()

    def scan(self) -> list[int]:
        """Return the addresses at which something answers."""
        return [address for address in range(0x08, 0x78) if self._answers(address)]

    def writeto(self, address: int, buffer: Buffer, *, start: int = 0, end: int | None = None) -> None:
        """Write `buffer[start:end]`."""
        self._wire.i2c(address, bytes(memoryview(buffer)[start:end]), 0)

    def readfrom_into(self, address: int, buffer: Buffer, *, start: int = 0, end: int | None = None) -> None:
        """Fill `buffer[start:end]`."""
        self._fill(address, b"", memoryview(buffer)[start:end])

    def writeto_then_readfrom(
        self,
        address: int,
        buffer_out: Buffer,
        buffer_in: Buffer,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        """Write, then read without letting go of the bus."""
        out = bytes(memoryview(buffer_out)[out_start:out_end])
        self._fill(address, out, memoryview(buffer_in)[in_start:in_end])

    def deinit(self) -> None:
        """Nothing to free: the wire belongs to who made it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.deinit()

    def _fill(self, address: int, out: bytes, window: memoryview) -> None:
        window[:] = self._wire.i2c(address, out, len(window))

    def _answers(self, address: int) -> bool:
        try:
            self._wire.i2c(address, b"", 0)
        except NoAcknowledgeError:
            return False
        return True
