"""ROHM BH1750FVI light sensor: opcodes, modes and conversion times of its datasheet.

A conversion takes 120 ms (H, H2) or 16 ms (L) typically, in proportion to the measurement time register. The data
register keeps the last finished conversion: who reads too early gets the old value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from dt.simulator.chip_memory import Shift, checked, finite, plain
from dt.simulator.sensing import BH1750_COUNTS_PER_LUX, Senses
from dt.utils.clock import Clock, SystemClock

_POWER_DOWN, _POWER_ON, _RESET = 0x00, 0x01, 0x07
_TIME_HIGH, _TIME_LOW = 0x40, 0x60  # 01000 MT[7:5], 011 MT[4:0]
_DEFAULT_TIME = 69
_SHORTEST_TIME, _LONGEST_TIME = 31, 254
_LOW_STEP = 4  # counts are multiples of 4 in L-resolution mode
_ONE_TIME = 0x20


@dataclass(frozen=True, slots=True)
class _Mode:
    """What one resolution means: counts per lux beside H mode's, seconds a conversion, steps of the counts."""

    gain: float
    takes_s: float
    step: int = 1


_H, _H2, _L = _Mode(1.0, 0.120), _Mode(2.0, 0.120), _Mode(1.0, 0.016, _LOW_STEP)
_MODES = {0x10: _H, 0x11: _H2, 0x13: _L, 0x20: _H, 0x21: _H2, 0x23: _L}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """`done_s` is the chip clock's."""

    senses: Any
    opcode: int | None
    is_on: bool
    data: Annotated[int, Meta(ge=0, le=0xFFFF)]
    time: Annotated[int, Meta(ge=0, le=0xFF)]
    done_s: float | None


class Bh1750Chip:
    """One-byte opcodes in, two bytes of counts out; without power it keeps its last conversion, reset clears it."""

    def __init__(self, senses: Senses, clock: Clock | None = None, address: int = 0x23) -> None:  # noqa: ARG002 - every chip of the table is made alike
        self._senses = senses
        self._clock = clock or SystemClock()
        self._opcode: int | None = None
        self._is_on = False
        self._data = 0
        self._time = _DEFAULT_TIME
        self._done_s = float("inf")

    def transfer(self, out: bytes, count: int) -> bytes:
        """One I2C transaction with the chip."""
        now_s = self._clock.monotonic()
        self._finish(now_s)
        for opcode in out:
            self._obey(opcode, now_s)
        return struct.pack(">H", self._data)[:count].ljust(count, b"\xff") if count else b""

    def snapshot(self) -> Any:
        """Return its registers and senses as plain JSON."""
        memory = _Memory(
            senses=self._senses.snapshot(),
            opcode=self._opcode,
            is_on=self._is_on,
            data=self._data,
            time=self._time,
            done_s=finite(self._done_s),
        )
        return plain(memory)

    def restoring(self, kept: object, shift: Shift) -> Callable[[], None]:
        """Check what `snapshot` returned, and return what takes it up; ValueError when it cannot be."""
        memory = checked(kept, _Memory)
        if memory.opcode is not None and memory.opcode not in _MODES:
            msg = f"chips: a BH1750 has no mode {memory.opcode:#x}"
            raise ValueError(msg)
        take_senses = self._senses.restoring(memory.senses)
        done_s = shift.moment(memory.done_s, float("inf"))

        def take() -> None:
            take_senses()
            self._opcode, self._is_on, self._data = memory.opcode, memory.is_on, memory.data
            self._time, self._done_s = memory.time, done_s

        return take

    def _obey(self, opcode: int, now_s: float) -> None:
        if opcode in _MODES:
            self._is_on, self._opcode = True, opcode
            self._done_s = now_s + self._takes_s(opcode)
        elif opcode == _POWER_DOWN:
            self._is_on, self._opcode, self._done_s = False, None, float("inf")
        elif opcode == _POWER_ON:
            self._is_on = True
        elif opcode == _RESET and self._is_on:  # datasheet: not accepted in power-down mode
            self._data = 0
        elif opcode & 0xF8 == _TIME_HIGH:
            self._time = (opcode & 0x07) << 5 | self._time & 0x1F
        elif opcode & 0xE0 == _TIME_LOW:
            self._time = self._time & 0xE0 | opcode & 0x1F

    def _finish(self, now_s: float) -> None:
        """Take over a conversion that is done; a continuous mode goes on to the next, a one-time mode powers down."""
        if self._opcode is None or now_s < self._done_s:
            return
        mode = _MODES[self._opcode]
        per_lux = BH1750_COUNTS_PER_LUX * mode.gain * self._measurement_time / _DEFAULT_TIME
        counts = self._senses.light_counts(per_lux)
        self._data = counts - counts % mode.step
        if self._opcode & _ONE_TIME:
            self._is_on, self._opcode, self._done_s = False, None, float("inf")
        else:
            takes_s = self._takes_s(self._opcode)
            self._done_s += takes_s * (1 + (now_s - self._done_s) // takes_s)

    def _takes_s(self, opcode: int) -> float:
        return _MODES[opcode].takes_s * self._measurement_time / _DEFAULT_TIME

    @property
    def _measurement_time(self) -> int:
        return min(max(self._time, _SHORTEST_TIME), _LONGEST_TIME)
