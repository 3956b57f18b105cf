"""What a quality gate sees of a reading."""

from __future__ import annotations

from typing import NamedTuple

from dt.plant.calibration import Calibration
from dt.utils.dataclasses import Quality
from dt.utils.quantities import Quantity, Unit
from dt.utils.vocabulary import Origin


class Sample(NamedTuple):
    """A value in the unit that it is stored in, beside what the sensor sent; times in epoch seconds."""

    quantity: Quantity
    value: float
    unit: Unit
    raw_value: float
    timestamp: float
    received_at: float
    is_known: bool
    calibration: Calibration | None
    origin: Origin = Origin.LIVE
    said: Quality | None = None
