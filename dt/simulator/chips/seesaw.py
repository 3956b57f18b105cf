"""Adafruit seesaw soil probe (4026): registers of a SAMD09 with the soil firmware."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from dt.simulator.sensing import Senses

_STATUS, _TOUCH = 0x00, 0x0F  # modules
_HW_ID, _VERSION, _OPTIONS, _TEMPERATURE, _RESET = 0x01, 0x02, 0x03, 0x04, 0x7F
_MOISTURE = 0x10
_SAMD09 = 0x55
_PRODUCT = 4026
_FIRMWARE_DATE = 0x2A93
_OPTION_BITS = 1 << _STATUS | 1 << _TOUCH
_TEMPERATURE_UNIT = 1 << 16  # degC in 16.16 fixed point

_NOWHERE = (0xFF, 0xFF)


@dataclass(slots=True)
class SeesawChip:
    """A write of two bytes points at a register; a read answers from there."""

    senses: Senses
    _register: tuple[int, int] = _NOWHERE

    def transfer(self, out: bytes, count: int) -> bytes:
        """One I2C transaction with the chip."""
        if len(out) >= 2:
            self._register = (out[0], out[1])
        if self._register == (_STATUS, _RESET):
            self._register = _NOWHERE
        return self._answer()[:count].ljust(count, b"\xff") if count else b""

    def _answer(self) -> bytes:
        read = _READERS.get(self._register)
        return b"" if read is None else read(self.senses)  # what nobody drives reads as ones


_READERS: dict[tuple[int, int], Callable[[Senses], bytes]] = {
    (_STATUS, _HW_ID): lambda _: bytes([_SAMD09]),
    (_STATUS, _VERSION): lambda _: struct.pack(">HH", _PRODUCT, _FIRMWARE_DATE),
    (_STATUS, _OPTIONS): lambda _: struct.pack(">I", _OPTION_BITS),
    (_STATUS, _TEMPERATURE): lambda senses: struct.pack(">i", round(senses.soil_degc() * _TEMPERATURE_UNIT)),
    (_TOUCH, _MOISTURE): lambda senses: struct.pack(">H", senses.moisture_counts()),
}
