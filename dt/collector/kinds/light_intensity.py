"""Light: BH1750."""

from __future__ import annotations

from typing import Any, ClassVar

import adafruit_bh1750

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor, chip_errors
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.quantities import Quantity, Unit

DEFAULT_ADDRESS = 0x23  # ADDR pin low; 0x5C when tied high
_RESOLUTION: int = adafruit_bh1750.Resolution.MID  # pyright: ignore[reportAttributeAccessIssue] - set at run time
_COUNTS_PER_LUX = 1.2
_SATURATED_LUX = 0xFFFF / _COUNTS_PER_LUX


class LightSensor(Sensor):
    """Illuminance in lux from a BH1750, one conversion per read."""

    quantity: ClassVar[Quantity] = Quantity.LIGHT_INTENSITY
    unit: ClassVar[Unit] = Unit.LUX

    def __init__(self, descriptor: SensorDescriptor, bus: Any, address: int = DEFAULT_ADDRESS) -> None:
        super().__init__(descriptor)
        self._name = f"BH1750 at {address:#04x}"
        with chip_errors(self._name):
            self._chip = adafruit_bh1750.BH1750(bus, address)

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> LightSensor:
        """Open the chip at the descriptor's address."""
        return cls(descriptor, hardware.i2c(), descriptor.address or DEFAULT_ADDRESS)

    def read_sensor(self) -> RawReading:
        """Order a conversion and fetch it: 0.2 s."""
        with chip_errors(self._name):
            # HIGH, the driver's default, tops out at 27,306 lux. Said at every look: a chip that lost its power
            # in between is off and would go on answering 0.
            self._chip.resolution = _RESOLUTION
            lux = self._chip.lux
        return RawReading(lux, saturated=lux >= _SATURATED_LUX)
