"""Soil: Adafruit's capacitive probe (STEMMA, seesaw)."""

from __future__ import annotations

import statistics
from typing import Any, ClassVar

from adafruit_seesaw.seesaw import Seesaw

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor, chip_errors
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import SensorError
from dt.utils.quantities import Quantity, Unit

DEFAULT_ADDRESS = 0x36  # AD0 and AD1 open
LOWEST_COUNTS, HIGHEST_COUNTS = 200, 1023  # air gives about 300; the touch engine has 10 bits
_LOOKS = 3
_MOST_TRIES = 9
_GARBAGE = 0xFFFF


class SoilMoistureSensor(Sensor):
    """Raw counts of the probe, the median of three looks that can be."""

    quantity: ClassVar[Quantity] = Quantity.SOIL_MOISTURE
    unit: ClassVar[Unit] = Unit.COUNT

    def __init__(self, descriptor: SensorDescriptor, bus: Any, address: int = DEFAULT_ADDRESS) -> None:
        super().__init__(descriptor)
        self._name = f"soil probe at {address:#04x}"
        with chip_errors(self._name):
            self._chip = Seesaw(bus, addr=address)

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> SoilMoistureSensor:
        """Open the chip at the descriptor's address."""
        return cls(descriptor, hardware.i2c(), descriptor.address or DEFAULT_ADDRESS)

    def read_sensor(self) -> RawReading:
        """Look until three values are plausible (seldom more than 25 ms); 65535 and its like never reach the median."""
        good: list[int] = []
        strange: list[int] = []
        for _ in range(_MOST_TRIES):
            counts = self._look()
            (good if LOWEST_COUNTS <= counts <= HIGHEST_COUNTS else strange).append(counts)
            if len(good) == _LOOKS:
                return RawReading(float(statistics.median(good)), saturated=HIGHEST_COUNTS in good)
        seen = ", ".join(map(str, strange[:4]))
        msg = f"{self._name}: counts must lie from {LOWEST_COUNTS} to {HIGHEST_COUNTS}, and were {seen}"
        raise SensorError(msg)

    def _look(self) -> int:
        with chip_errors(self._name):
            try:
                return int(self._chip.moisture_read())
            except RuntimeError:  # the driver's word for five values above 4095 in a row
                return _GARBAGE
