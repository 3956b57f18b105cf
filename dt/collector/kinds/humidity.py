"""Relative humidity: DHT22."""

from __future__ import annotations

from typing import ClassVar

from dt.collector.kinds.base_sensor import RawReading
from dt.collector.kinds.dht22 import Dht22Sensor
from dt.utils.quantities import Quantity, Unit


class HumiditySensor(Dht22Sensor):
    """Relative humidity in % from a DHT22."""

    quantity: ClassVar[Quantity] = Quantity.HUMIDITY
    unit: ClassVar[Unit] = Unit.PERCENT

    def read_sensor(self) -> RawReading:
        """Return the chip's present value."""
        pair = self.look()
        return RawReading(pair.humidity_pct, taken_at=pair.at)
