"""Soil temperature: the thermometer inside a seesaw probe."""

from __future__ import annotations

from typing import ClassVar

from dt.collector.kinds.base_sensor import RawReading
from dt.collector.kinds.seesaw import SeesawSensor
from dt.utils.quantities import Quantity, Unit


class SoilTemperatureSensor(SeesawSensor):
    """Temperature of the probe's head in degC; frost has its sign."""

    quantity: ClassVar[Quantity] = Quantity.SOIL_TEMPERATURE
    unit: ClassVar[Unit] = Unit.DEGREE_CELSIUS

    def read_sensor(self) -> RawReading:
        """Return the probe's temperature."""
        return RawReading(self.probe().degc())
