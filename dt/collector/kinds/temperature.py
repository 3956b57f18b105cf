"""Air temperature: DHT22."""

from __future__ import annotations

from typing import ClassVar

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor
from dt.collector.kinds.dht22 import REST_S, chip_key, open_dht22
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.quantities import Quantity, Unit


class TemperatureSensor(Sensor):
    """Air temperature in degC from a DHT22; shares its looks with the other sensor on the pin."""

    quantity: ClassVar[Quantity] = Quantity.TEMPERATURE
    unit: ClassVar[Unit] = Unit.DEGREE_CELSIUS
    rest_s: ClassVar[float] = REST_S

    def __init__(self, descriptor: SensorDescriptor, hardware: Hardware) -> None:
        super().__init__(descriptor)
        self._hardware = hardware
        open_dht22(descriptor, hardware)

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> TemperatureSensor:
        """Open the chip on the descriptor's pin, or join who opened it."""
        return cls(descriptor, hardware)

    def read_sensor(self) -> RawReading:
        """Return the chip's present value: 0.3 s when it is looked at anew."""
        pair = open_dht22(self.descriptor, self._hardware).look()
        return RawReading(pair.temperature_degc, taken_at=pair.at)

    def close(self) -> None:
        """Let the chip be opened anew."""
        self._hardware.forget(chip_key(self.descriptor.pin))
