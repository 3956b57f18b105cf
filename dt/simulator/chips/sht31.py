"""Sensirion SHT3x-DIS (SHT31): 16-bit commands in, words with their CRC-8 out, as its datasheet describes them.

Periodic measurement is not simulated: its commands are refused as the chip refuses unknown ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from dt.communication.wire_calls import NoAcknowledgeError
from dt.simulator.chip_memory import Shift, checked, plain
from dt.simulator.sensing import Senses
from dt.utils.clock import Clock

ADDRESS = 0x44  # ADDR pin low; 0x45 when tied high
# Table 9: single shot without and with clock stretching; spread of repeatability from table 1 and 2.
_SINGLE_SHOTS: Mapping[int, str] = {
    0x2400: "high", 0x240B: "medium", 0x2416: "low", 0x2C06: "high", 0x2C0D: "medium", 0x2C10: "low",
}  # fmt: skip
_SPREAD: Mapping[str, tuple[float, float]] = {"high": (0.04, 0.08), "medium": (0.08, 0.15), "low": (0.15, 0.21)}
_BREAK, _SOFT_RESET, _READ_STATUS, _CLEAR_STATUS = 0x3093, 0x30A2, 0xF32D, 0x3041
_HEATER_ON, _HEATER_OFF = 0x306D, 0x3066
_SERIAL_NUMBER = (0x3780, 0x3682)
_HEATER_BIT, _RESET_BIT, _COMMAND_FAILED_BIT, _ALERT_BIT = 1 << 13, 1 << 4, 1 << 1, 1 << 15
_AFTER_RESET = _ALERT_BIT | _RESET_BIT
_CLEARED = _ALERT_BIT | 1 << 11 | 1 << 10 | _RESET_BIT
_HEATER_K = 3.0  # "a few degrees centigrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    senses: Any
    status: Annotated[int, Meta(ge=0, le=0xFFFF)]
    answer: bytes


class Sht31Chip:
    """Answers one read per command, and does not acknowledge a read without an order."""

    def __init__(self, senses: Senses, clock: Clock | None = None, address: int = ADDRESS) -> None:  # noqa: ARG002 - every chip of the table is made alike
        self.senses = senses
        self._address = address
        self._status = _AFTER_RESET
        self._answer = b""

    def transfer(self, out: bytes, count: int) -> bytes:
        """One I2C transaction with the chip."""
        if out:
            self._answer = b""
            self._obey(int.from_bytes(out[:2], "big") if len(out) >= 2 else -1)
        if not count:
            return b""
        if not self._answer:
            raise NoAcknowledgeError(self._address)
        answer, self._answer = self._answer, b""
        return answer[:count].ljust(count, b"\xff")

    def snapshot(self) -> Any:
        """Return its registers and senses as plain JSON."""
        return plain(_Memory(senses=self.senses.snapshot(), status=self._status, answer=self._answer))

    def restoring(self, kept: object, shift: Shift) -> Callable[[], None]:  # noqa: ARG002 - nothing of it takes time
        """Check what `snapshot` returned, and return what takes it up; ValueError when it cannot be."""
        memory = checked(kept, _Memory)
        take_senses = self.senses.restoring(memory.senses)

        def take() -> None:
            take_senses()
            self._status, self._answer = memory.status, memory.answer

        return take

    def _obey(self, command: int) -> None:
        if command == _READ_STATUS:  # tells of the command before it
            self._answer = words(self._status)
            return
        self._status &= ~_COMMAND_FAILED_BIT
        if command in _SINGLE_SHOTS:
            self._answer = self._measured(*_SPREAD[_SINGLE_SHOTS[command]])
        elif command in _SERIAL_NUMBER:
            self._answer = words(0x0F31, self.senses.seed & 0xFFFF)
        elif command == _SOFT_RESET:
            self._status = _AFTER_RESET
        elif command == _CLEAR_STATUS:
            self._status &= ~_CLEARED
        elif command in (_HEATER_ON, _HEATER_OFF):
            self._status = self._status & ~_HEATER_BIT | (_HEATER_BIT if command == _HEATER_ON else 0)
        elif command != _BREAK:
            self._status |= _COMMAND_FAILED_BIT

    def _measured(self, spread_k: float, spread_pct: float) -> bytes:
        """Return temperature and humidity as counts; the spreads are three standard deviations."""
        degc = self.senses.precise_degc(spread_k / 3.0)
        pct = self.senses.precise_pct(spread_pct / 3.0)
        if self._status & _HEATER_BIT:
            degc += _HEATER_K
        return words(temperature_counts(degc), humidity_counts(pct))


def temperature_counts(degc: float) -> int:
    """Return the counts of a temperature: T = -45 + 175 S / (2^16 - 1), datasheet section 4.13.

    >>> temperature_counts(-45.0), temperature_counts(130.0)
    (0, 65535)
    """
    return max(0, min(0xFFFF, round((degc + 45.0) / 175.0 * 0xFFFF)))


def humidity_counts(pct: float) -> int:
    """Return the counts of a relative humidity: RH = 100 S / (2^16 - 1), datasheet section 4.13.

    >>> humidity_counts(50.0)
    32768
    """
    return max(0, min(0xFFFF, round(pct / 100.0 * 0xFFFF)))


def words(*values: int) -> bytes:
    """Return 16-bit words, each with its checksum.

    >>> words(0xBEEF).hex()
    'beef92'
    """
    return b"".join(word + bytes([crc8(word)]) for word in (struct.pack(">H", value) for value in values))


def crc8(data: bytes) -> int:
    """Return the checksum of datasheet section 4.12: polynomial 0x31, start 0xFF, nothing reflected.

    >>> hex(crc8(bytes.fromhex("beef")))
    '0x92'
    """
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc
