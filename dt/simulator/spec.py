"""What a simulated box is made of; every number carries its unit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dt.utils.dataclasses import PlantLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSpec:
    """Where the box stands, and the hours (local, 0..24) at which the lamp's timer plug switches."""

    latitude_deg: float = 45.07
    longitude_deg: float = 7.69
    timezone: str = "UTC"
    lamp_on_h: float = 16.0
    lamp_off_h: float = 21.0

    def __post_init__(self) -> None:
        """Refuse places that are not on Earth."""
        if not -90.0 <= self.latitude_deg <= 90.0 or not -180.0 <= self.longitude_deg <= 180.0:
            msg = f"no place on Earth: {self.latitude_deg}, {self.longitude_deg}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class PotSpec:
    """One pot with its plant; water contents in m3/m3.

    Pot capacity 0.50-0.65 and wilting 0.12-0.20 of potting soils: Baas 2004.
    """

    plant_id: str = "plant-1"
    volume_ml: float = 2000.0
    top_share: float = 0.4
    porosity: float = 0.75
    capacity: float = 0.55
    wilting: float = 0.13
    leaf_area_index: float = 2.5
    saucer_ml: float = 300.0
    initial_vwc: float = 0.40
    limits: PlantLimits = field(default_factory=PlantLimits)

    @property
    def canopy_m2(self) -> float:
        """Ground that the leaves cover, growing with the pot's face."""
        return 0.030 * math.pow(self.volume_ml / 1000.0, 2.0 / 3.0)

    @property
    def surface_m2(self) -> float:
        """Bare face of the soil."""
        return 0.0126 * math.pow(self.volume_ml / 1000.0, 2.0 / 3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AirSpec:
    """The box's air: volume, exchange with the room, and how lamp and sun warm it."""

    volume_m3: float = 0.12
    exchange_per_h: float = 25.0
    window_share: float = 0.14
    thermal_lag_s: float = 1200.0
    warming_k_per_w_m2: float = 0.035
    lamp_warming_k: float = 2.2


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpSpec:
    """The pump and its reservoir."""

    flow_ml_s: float = 25.0
    reservoir_ml: float = 5000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LampSpec:
    """The grow lamp at the plant; a white LED gives about 300 lux per W/m2."""

    lux: float = 7000.0
    lux_per_w_m2: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSpec:
    """A whole box with one pot."""

    site: SiteSpec = field(default_factory=SiteSpec)
    pot: PotSpec = field(default_factory=PotSpec)
    air: AirSpec = field(default_factory=AirSpec)
    pump: PumpSpec = field(default_factory=PumpSpec)
    lamp: LampSpec = field(default_factory=LampSpec)
    seed: int = 1
