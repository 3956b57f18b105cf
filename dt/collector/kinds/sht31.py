"""Air temperature and humidity: Sensirion SHT31, two quantities of one chip."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from adafruit_sht31d import SHT31D

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor, chip_errors
from dt.utils.clock import Clock
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.quantities import Quantity, Unit

DEFAULT_ADDRESS = 0x44  # ADDR pin low; 0x45 when tied high
_SHARED_FOR_S = 0.5  # both sensors of a chip are due together: the second takes the look of the first


@dataclass(frozen=True, slots=True)
class Air:
    """Temperature in degC and relative humidity in %, taken at `at` (epoch s)."""

    temperature_degc: float
    humidity_pct: float
    at: float


class Sht31:
    """The chip: one look serves both quantities."""

    def __init__(self, bus: Any, address: int, clock: Clock) -> None:
        self._clock = clock
        self._name = f"SHT31 at {address:#04x}"
        self._lock = threading.Lock()
        self._looked_s = float("-inf")
        self._last: Air | None = None
        with chip_errors(self._name):
            self._driver: Any = SHT31D(bus, address)

    def look(self) -> Air:
        """Return temperature and humidity, 31 ms for two conversions; raises `SensorError` also for a wrong CRC."""
        with self._lock:
            now_s = self._clock.monotonic()
            if self._last is None or now_s - self._looked_s >= _SHARED_FOR_S:
                self._last = None
                at = self._clock.wall()
                with chip_errors(self._name):
                    self._last = Air(self._driver.temperature, self._driver.relative_humidity, at)
                self._looked_s = now_s
            return self._last


class Sht31Sensor(Sensor):
    """One quantity of an SHT31; shares the chip with the other sensor at its address."""

    value_of: ClassVar[Callable[[Air], float]]

    def __init__(self, descriptor: SensorDescriptor, hardware: Hardware) -> None:
        super().__init__(descriptor)
        self._hardware = hardware
        self._chip()

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> Self:
        """Open the chip at the descriptor's address, or join who opened it."""
        return cls(descriptor, hardware)

    def read_sensor(self) -> RawReading:
        """Return the chip's present value."""
        air = self._chip().look()
        return RawReading(type(self).value_of(air), taken_at=air.at)

    def close(self) -> None:
        """Let the chip be opened anew."""
        self._hardware.forget(self._key())

    def _chip(self) -> Sht31:
        address, hardware = self.descriptor.address or DEFAULT_ADDRESS, self._hardware
        chip = hardware.shared(self._key(), lambda: Sht31(hardware.i2c(), address, hardware.clock))
        return cast("Sht31", chip)

    def _key(self) -> str:
        return f"sht31:{self.descriptor.address or DEFAULT_ADDRESS:#04x}"


class Sht31Temperature(Sht31Sensor):
    """Air temperature in degC from an SHT31."""

    quantity: ClassVar[Quantity] = Quantity.TEMPERATURE
    unit: ClassVar[Unit] = Unit.DEGREE_CELSIUS
    value_of: ClassVar[Callable[[Air], float]] = lambda air: air.temperature_degc


class Sht31Humidity(Sht31Sensor):
    """Relative humidity in % from an SHT31."""

    quantity: ClassVar[Quantity] = Quantity.HUMIDITY
    unit: ClassVar[Unit] = Unit.PERCENT
    value_of: ClassVar[Callable[[Air], float]] = lambda air: air.humidity_pct
