"""ROHM BH1750FVI light sensor: opcodes of its datasheet."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dt.simulator.sensing import BH1750_COUNTS_PER_LUX, Senses

_POWER_DOWN, _POWER_ON, _RESET = 0x00, 0x01, 0x07
_MODES = {0x10: 1.0, 0x11: 2.0, 0x13: 1.0, 0x20: 1.0, 0x21: 2.0, 0x23: 1.0}  # H, H2, L; continuous and one-time
_LOW_RESOLUTION = {0x13, 0x23}
_ONE_TIME = {0x20, 0x21, 0x23}
_TIME_HIGH, _TIME_LOW = 0x40, 0x60  # 01000 MT[7:5], 011 MT[4:0]
_DEFAULT_TIME = 69
_LOW_STEP = 4  # counts are multiples of 4 in L-resolution mode


@dataclass(slots=True)
class Bh1750Chip:
    """One-byte opcodes in, two bytes of counts out; without power it keeps its last conversion, reset clears it."""

    senses: Senses
    _mode: int | None = None
    _is_on: bool = False
    _data: int = 0
    _time: int = _DEFAULT_TIME

    def transfer(self, out: bytes, count: int) -> bytes:
        """One I2C transaction with the chip."""
        for opcode in out:
            self._obey(opcode)
        if not count:
            return b""
        if self._is_on and self._mode is not None and self._mode not in _ONE_TIME:
            self._convert(self._mode)
        return struct.pack(">H", self._data)[:count].ljust(count, b"\xff")

    def _obey(self, opcode: int) -> None:
        if opcode in _MODES:
            self._mode, self._is_on = opcode, True
            self._convert(opcode)
            self._is_on = opcode not in _ONE_TIME
        elif opcode in (_POWER_DOWN, _POWER_ON):
            self._is_on = opcode == _POWER_ON
        elif opcode == _RESET and self._is_on:
            self._data = 0
        elif opcode & 0xF8 == _TIME_HIGH:
            self._time = (opcode & 0x07) << 5 | self._time & 0x1F
        elif opcode & 0xE0 == _TIME_LOW:
            self._time = self._time & 0xE0 | opcode & 0x1F

    def _convert(self, mode: int) -> None:
        per_lux = BH1750_COUNTS_PER_LUX * _MODES[mode] * self._time / _DEFAULT_TIME
        counts = self.senses.light_counts(per_lux)
        self._data = counts - counts % _LOW_STEP if mode in _LOW_RESOLUTION else counts
