"""Adafruit seesaw soil probe (4026): registers of a SAMD09 with the soil firmware.

The firmware answers a register some time after it was written to (Adafruit_Seesaw: 250 us, 1-5 ms for touch); who reads
earlier gets ones. A software reset takes a few hundred milliseconds, in which the chip does not acknowledge.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dt.communication.wire_calls import NoAcknowledgeError
from dt.simulator.chip_memory import Shift, checked, finite, plain
from dt.simulator.sensing import Senses
from dt.utils.clock import Clock, SystemClock

STATUS, TOUCH = 0x00, 0x0F  # modules
_HW_ID, _VERSION, _OPTIONS, _TEMPERATURE, _RESET = 0x01, 0x02, 0x03, 0x04, 0x7F
_CHANNEL = 0x10
MOISTURE = bytes([TOUCH, _CHANNEL])
TEMPERATURE = bytes([STATUS, _TEMPERATURE])
RESET = bytes([STATUS, _RESET])
_SAMD09 = 0x55
_PRODUCT = 4026
_FIRMWARE_DATE = 0x2A93
_OPTION_BITS = 1 << STATUS | 1 << TOUCH
_TEMPERATURE_UNIT = 1 << 16  # degC in 16.16 fixed point
_RESET_BYTE = 0xFF
_BOOTS_S = 0.25
_READY_S = 0.000_25
_TOUCH_READY_S = 0.001
_DEFAULT_ADDRESS = 0x36


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """Instants are the chip clock's."""

    senses: Any
    register: bytes
    ready_s: float | None
    boots_until_s: float | None


class SeesawChip:
    """A write of two bytes points at a register; a read a little later answers from there."""

    def __init__(self, senses: Senses, clock: Clock | None = None, address: int = _DEFAULT_ADDRESS) -> None:
        self._senses = senses
        self._clock = clock or SystemClock()
        self._address = address
        self._register = b""
        self._ready_s = float("-inf")
        self._boots_until_s = float("-inf")

    def transfer(self, out: bytes, count: int) -> bytes:
        """One I2C transaction with the chip; raises `NoAcknowledgeError` while it boots."""
        now_s = self._clock.monotonic()
        if now_s < self._boots_until_s:
            raise NoAcknowledgeError(self._address)
        if len(out) >= 2:
            self._point_at(out, now_s)
        return self._answer(now_s)[:count].ljust(count, b"\xff") if count else b""

    def snapshot(self) -> Any:
        """Return its registers and senses as plain JSON."""
        memory = _Memory(
            senses=self._senses.snapshot(),
            register=self._register,
            ready_s=finite(self._ready_s),
            boots_until_s=finite(self._boots_until_s),
        )
        return plain(memory)

    def restoring(self, kept: object, shift: Shift) -> Callable[[], None]:
        """Check what `snapshot` returned, and return what takes it up; ValueError when it cannot be."""
        memory = checked(kept, _Memory)
        take_senses = self._senses.restoring(memory.senses)
        never_s = float("-inf")
        ready_s, boots_until_s = shift.moment(memory.ready_s, never_s), shift.moment(memory.boots_until_s, never_s)

        def take() -> None:
            take_senses()
            self._register, self._ready_s, self._boots_until_s = memory.register, ready_s, boots_until_s

        return take

    def _point_at(self, out: bytes, now_s: float) -> None:
        self._register = out[:2]
        self._ready_s = now_s + (_TOUCH_READY_S if self._register == MOISTURE else _READY_S)
        if self._register == RESET and out[2:3] == bytes([_RESET_BYTE]):
            self._register = b""
            self._boots_until_s = now_s + _BOOTS_S

    def _answer(self, now_s: float) -> bytes:
        """What nobody drives reads as ones."""
        read = _READERS.get(self._register)
        return b"" if read is None or now_s < self._ready_s else read(self._senses)


_READERS: dict[bytes, Callable[[Senses], bytes]] = {
    bytes([STATUS, _HW_ID]): lambda _: bytes([_SAMD09]),
    bytes([STATUS, _VERSION]): lambda _: struct.pack(">HH", _PRODUCT, _FIRMWARE_DATE),
    bytes([STATUS, _OPTIONS]): lambda _: struct.pack(">I", _OPTION_BITS),
    TEMPERATURE: lambda senses: struct.pack(">i", round(senses.soil_degc() * _TEMPERATURE_UNIT)),
    MOISTURE: lambda senses: struct.pack(">H", senses.moisture_counts()),
}
