"""Light: BH1750."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import adafruit_bh1750

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor, chip_errors
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.quantities import Quantity, Unit

DEFAULT_ADDRESS = 0x23  # ADDR pin low; 0x5C when tied high
# The driver sets these attributes at run time; the number is the range's end in lux at the default measurement time.
_MODES: Mapping[str, tuple[int, float]] = {
    "high": (adafruit_bh1750.Resolution.HIGH, 27_306.25),  # pyright: ignore[reportAttributeAccessIssue]
    "mid": (adafruit_bh1750.Resolution.MID, 54_612.5),  # pyright: ignore[reportAttributeAccessIssue]
    "low": (adafruit_bh1750.Resolution.LOW, 54_612.5),  # pyright: ignore[reportAttributeAccessIssue]
}
# BH1750FVI datasheet, "measurement time register": 31 to 254, sensitivity in proportion, 69 by default.
SHORTEST_TIME, DEFAULT_TIME, LONGEST_TIME = 31, 69, 254
_TIME_HIGH, _TIME_LOW = 0x40, 0x60  # 01000 MT[7:5], 011 MT[4:0]
_CONVERSION_S = 0.180  # the longest at the default time, which the driver waits for
_SATURATED_SHARE = 0xFFFC / 0xFFFF  # L-resolution counts in fours
_BACK_BELOW = 0.8  # of the finer range: no swinging between both


class LightSensor(Sensor):
    """Illuminance in lux; beyond the end of its range it looks again with the least sensitivity (121 klux)."""

    quantity: ClassVar[Quantity] = Quantity.LIGHT_INTENSITY
    unit: ClassVar[Unit] = Unit.LUX

    def __init__(
        self, descriptor: SensorDescriptor, bus: Any, address: int = DEFAULT_ADDRESS, chip: Any = None
    ) -> None:
        super().__init__(descriptor)
        options = descriptor.options
        self._name = f"BH1750 at {address:#04x}"
        self._fine = (str(options.get("resolution", "mid")), int(options.get("measurement_time", DEFAULT_TIME)))
        self._may_range = bool(options.get("auto_range", True))
        self._is_coarse = False
        with chip_errors(self._name):
            self._chip: Any = adafruit_bh1750.BH1750(bus, address) if chip is None else chip

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> LightSensor:
        """Open the chip at the descriptor's address."""
        return cls(descriptor, hardware.i2c(), descriptor.address or DEFAULT_ADDRESS)

    def read_sensor(self) -> RawReading:
        """Order a conversion and fetch it: 0.2 s, twice that when the range changes."""
        with chip_errors(self._name):
            lux = self._look(*_COARSE if self._is_coarse else self._fine)
            is_over = lux >= range_end_lux(*self._fine) * _SATURATED_SHARE
            if self._is_coarse and lux < _BACK_BELOW * range_end_lux(*self._fine):
                self._is_coarse = False
            elif is_over and self._may_range and not self._is_coarse:
                self._is_coarse = True
                lux = self._look(*_COARSE)
        end = range_end_lux(*(_COARSE if self._is_coarse else self._fine))
        return RawReading(lux, saturated=lux >= end * _SATURATED_SHARE)

    def _look(self, mode: str, measurement_time: int) -> float:
        """Set time and mode, wait, fetch. Said at every look: a chip that lost its power in between is off, and 0."""
        with self._chip.i2c_device as chip:
            chip.write(bytes([_TIME_HIGH | measurement_time >> 5]))
            chip.write(bytes([_TIME_LOW | measurement_time & 0x1F]))
        self._chip.resolution = _MODES[mode][0]
        if measurement_time > DEFAULT_TIME:
            time.sleep(_CONVERSION_S * (measurement_time / DEFAULT_TIME - 1.0))
        return float(self._chip.lux) * DEFAULT_TIME / measurement_time


_COARSE = ("mid", SHORTEST_TIME)


def range_end_lux(mode: str, measurement_time: int) -> float:
    """Return the illuminance at which the 16 bits of the counts are full.

    >>> range_end_lux("mid", 69), round(range_end_lux("mid", 31)), round(range_end_lux("high", 254))
    (54612.5, 121557, 7418)
    """
    return _MODES[mode][1] * DEFAULT_TIME / measurement_time
