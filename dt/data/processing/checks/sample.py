"""What a quality gate sees of a reading, and of the series before it."""

from __future__ import annotations

from typing import NamedTuple

from dt.data.processing.arrival import Arrival
from dt.data.processing.course import Course
from dt.data.processing.thresholds import NONE, Thresholds
from dt.plant.calibration import Calibration
from dt.utils.dataclasses import Quality
from dt.utils.quantities import Quantity, Unit
from dt.utils.vocabulary import Origin

_NEW = Course()  # of a series that nothing is known of; nobody changes it


class Sample(NamedTuple):
    """A value in the unit that it is stored in, beside what the sensor sent; times in epoch seconds.

    `past` is the series before this reading, which no gate changes; `elapsed_s` and `step` count from its last possible
    value, `offset` is the sum of steps that nothing explains, `apart` how much further than usual a second sensor is.
    """

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
    limits: Thresholds = NONE
    arrival: Arrival = Arrival.NEXT
    past: Course = _NEW
    elapsed_s: float = 0.0
    step: float = 0.0
    offset: float = 0.0
    apart: float | None = None
