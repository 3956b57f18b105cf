"""Soil moisture: raw counts of a seesaw probe."""

from __future__ import annotations

from typing import ClassVar

from dt.collector.kinds.base_sensor import RawReading
from dt.collector.kinds.seesaw import SeesawSensor
from dt.utils.dataclasses import Quality, Verdict
from dt.utils.quantities import Quantity, Unit

_DRIEST_COUNTS = 320  # nominal counts of 0.04 m3/m3, in which nothing lives; air gives about 300


class SoilMoistureSensor(SeesawSensor):
    """Raw counts of the probe, the median of three looks that can be; calibration makes water content of them."""

    quantity: ClassVar[Quantity] = Quantity.SOIL_MOISTURE
    unit: ClassVar[Unit] = Unit.COUNT

    def read_sensor(self) -> RawReading:
        """Return the probe's counts."""
        counts, is_at_end = self.probe().counts()
        return RawReading(counts, saturated=is_at_end, doubt=_IN_AIR if counts < _DRIEST_COUNTS else None)


_IN_AIR = Quality(
    verdict=Verdict.SUSPECT,
    check="in_air",
    why=f"fewer than {_DRIEST_COUNTS} counts, as in air: is the probe still in the soil?",
)
