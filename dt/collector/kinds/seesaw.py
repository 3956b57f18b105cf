"""Adafruit's capacitive soil probe (STEMMA, seesaw): one chip, two quantities."""

from __future__ import annotations

import statistics
import struct
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self, cast

from adafruit_seesaw.seesaw import Seesaw

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor, chip_errors
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import SensorError

DEFAULT_ADDRESS = 0x36  # AD0 and AD1 open; 0x37 to 0x39 by the jumpers
LOWEST_COUNTS, HIGHEST_COUNTS = 200, 1023  # air gives about 300; the touch engine has 10 bits
LOWEST_DEGC, HIGHEST_DEGC = -20.0, 60.0
_LOOKS = 3
_MOST_TRIES = 9
_GARBAGE_COUNTS = 0xFFFF
_STATUS, _TEMPERATURE = 0x00, 0x04  # module and register
_READ_DELAY_S = 0.005  # the driver's own for this register
_FLOATING_BUS = b"\xff\xff\xff\xff"  # nothing drove the data line


class SoilProbe:
    """The chip; every value is the median of three looks that can be, so that garbage never reaches an average."""

    def __init__(self, bus: Any, address: int) -> None:
        self._name = f"soil probe at {address:#04x}"
        with chip_errors(self._name):
            self._chip = Seesaw(bus, addr=address)

    def counts(self) -> tuple[float, bool]:
        """Return raw counts, and whether they are at the end of the range: seldom more than 25 ms."""
        good = self._plausible(self._look_at_counts, LOWEST_COUNTS, HIGHEST_COUNTS, "counts")
        return float(statistics.median(good)), HIGHEST_COUNTS in good

    def degc(self) -> float:
        """Return the chip's own temperature: about a degree off, says its maker."""
        return statistics.median(self._plausible(self._look_at_degc, LOWEST_DEGC, HIGHEST_DEGC, "degC"))

    def _plausible(self, look: Callable[[], float], low: float, high: float, what: str) -> list[float]:
        """Look until three values lie within limits; raises `SensorError` with those that do not."""
        good: list[float] = []
        strange: list[float] = []
        for _ in range(_MOST_TRIES):
            value = look()
            (good if low <= value <= high else strange).append(value)
            if len(good) == _LOOKS:
                return good
        seen = ", ".join(f"{value:.7g}" for value in strange[:4])
        msg = f"{self._name}: {what} must lie from {low:g} to {high:g}, and were {seen}"
        raise SensorError(msg)

    def _look_at_counts(self) -> float:
        with chip_errors(self._name):
            try:
                return int(self._chip.moisture_read())
            except RuntimeError:  # the driver's word for five values above 4095 in a row
                return _GARBAGE_COUNTS

    def _look_at_degc(self) -> float:
        """Read the register by the driver's `read`: its `get_temp` masks the sign away, and frost becomes 16383."""
        register = bytearray(4)
        with chip_errors(self._name):
            self._chip.read(_STATUS, _TEMPERATURE, register, _READ_DELAY_S)
        return float("inf") if register == _FLOATING_BUS else degc_of(bytes(register))


class SeesawSensor(Sensor):
    """One quantity of a probe; shares the chip with the other sensor at its address."""

    def __init__(self, descriptor: SensorDescriptor, hardware: Hardware) -> None:
        super().__init__(descriptor)
        self._hardware = hardware
        self.probe()

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> Self:
        """Open the chip at the descriptor's address, or join who opened it."""
        return cls(descriptor, hardware)

    def probe(self) -> SoilProbe:
        """Return the chip, opened anew when somebody closed it."""
        address = self._address()
        return cast("SoilProbe", self._hardware.shared(self._key(), lambda: SoilProbe(self._hardware.i2c(), address)))

    @abstractmethod
    def read_sensor(self) -> RawReading:
        """Take one look at this sensor's quantity."""

    def close(self) -> None:
        """Let the chip be opened anew."""
        self._hardware.forget(self._key())

    def _address(self) -> int:
        return self.descriptor.address or DEFAULT_ADDRESS

    def _key(self) -> str:
        return f"seesaw:{self._address():#04x}"


def degc_of(register: bytes) -> float:
    """Return the temperature of the chip's register: signed 16.16 fixed point, in degC.

    >>> degc_of(bytes.fromhex("00158000")), degc_of(bytes.fromhex("fffb0000"))
    (21.5, -5.0)
    """
    (counts,) = struct.unpack(">i", register)
    return float(counts / 65_536.0)
