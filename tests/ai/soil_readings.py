"""Plants and readings that the tests of the soil rule are made of."""

from __future__ import annotations

from typing import Any

from dt.utils.dataclasses import Plant, PlantLimits, Quality, SensorData, Verdict
from dt.utils.quantities import Quantity, Unit

NOON = 1_800_000_000.0
BASIL = Plant(plant_id="basil", zone_id="box", name="Basil", pot_volume_l=1.5, limits=PlantLimits())


def reading(value: float, at: float, **more: Any) -> SensorData:
    """Return a good live reading of the basil's soil, `at` seconds after noon."""
    fields: dict[str, Any] = {
        "sensor_id": "basil-soil",
        "data_type": Quantity.SOIL_MOISTURE,
        "value": value,
        "unit": Unit.VWC,
        "timestamp": NOON + at,
        "correlation_id": f"reading-{at:g}",
        "zone_id": "box",
        "plant_id": "basil",
        "quality": Quality(verdict=Verdict.GOOD),
    }
    return SensorData(**{**fields, **more})
