"""What the controller knows of plants, soil and air."""

from __future__ import annotations

from dataclasses import dataclass

from dt.controller.live_readings import ReadingBook
from dt.controller.moisture import MoistureBook
from dt.controller.records import PlantBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Plants with their limits, the last moisture of each pot, the last readings of air and light."""

    plants: PlantBook
    moisture: MoistureBook
    air: ReadingBook
