"""Soil moisture: raw counts of a seesaw probe."""

from __future__ import annotations

from typing import ClassVar

from dt.collector.kinds.base_sensor import RawReading
from dt.collector.kinds.seesaw import SeesawSensor
from dt.utils.quantities import Quantity, Unit


class SoilMoistureSensor(SeesawSensor):
    """Raw counts of the probe, the median of three looks that can be; calibration makes water content of them."""

    quantity: ClassVar[Quantity] = Quantity.SOIL_MOISTURE
    unit: ClassVar[Unit] = Unit.COUNT

    def read_sensor(self) -> RawReading:
        """Return the probe's counts."""
        counts, is_at_end = self.probe().counts()
        return RawReading(counts, saturated=is_at_end)
