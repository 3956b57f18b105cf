"""Air temperature: DHT22."""

from __future__ import annotations

from typing import ClassVar

from dt.collector.kinds.base_sensor import RawReading
from dt.collector.kinds.dht22 import Dht22Sensor
from dt.utils.quantities import Quantity, Unit


class TemperatureSensor(Dht22Sensor):
    """Air temperature in degC from a DHT22."""

    quantity: ClassVar[Quantity] = Quantity.TEMPERATURE
    unit: ClassVar[Unit] = Unit.DEGREE_CELSIUS

    def read_sensor(self) -> RawReading:
        """Return the chip's present value."""
        pair = self.look()
        return RawReading(pair.temperature_degc, taken_at=pair.at)
