"""One pot: its soil, its plant, and what they give to the air of their zone."""

from __future__ import annotations

import math
from functools import lru_cache

from dt.simulator.air import evaporation_ml_s, transpiration_ml_s
from dt.simulator.growth import Growth
from dt.simulator.soil import Soil
from dt.simulator.spec import PotSpec
from dt.simulator.zone import ZoneBox

_SOIL_LAG_S = 2.5 * 3600  # of two litres; it grows with the square of the pot's size


class Pot:
    """The truth of one pot."""

    __slots__ = (
        *("_ground_m2", "_lag_s", "_surface_m2", "growth", "poured_by_hand_ml", "soil", "soil_degc", "spec"),
        *("transpiration_ml_s", "zone"),
    )

    def __init__(self, spec: PotSpec, zone: ZoneBox) -> None:
        self.spec = spec
        self.zone = zone
        self.soil = Soil.of(spec)
        self.growth = Growth.of(spec)
        self.soil_degc = zone.air_degc
        self.transpiration_ml_s = 0.0
        self.poured_by_hand_ml = 0.0
        self._ground_m2, self._surface_m2 = spec.ground_m2, spec.surface_m2
        self._lag_s = _SOIL_LAG_S * math.pow(spec.volume_ml / 2000.0, 2.0 / 3.0)

    @property
    def plant_id(self) -> str:
        """The plant that grows in it."""
        return self.spec.plant_id

    def step(self, dt_s: float, poured_ml: float) -> None:
        """Let one step pass in the air that the zone has now."""
        zone, soil, growth = self.zone, self.soil, self.growth
        self.soil_degc += (zone.air_degc - self.soil_degc) * _lag_share(dt_s, self._lag_s)
        stress = soil.stress() * growth.oxygen
        light, vpd = zone.short_wave_w_m2, zone.vpd_kpa
        wanted = transpiration_ml_s(light, vpd, growth.leaf_area_index, growth.cover, self._ground_m2)
        wanted *= growth.openness(stress)
        self.transpiration_ml_s = wanted
        given_ml = soil.step(
            dt_s,
            poured_ml=poured_ml,
            transpired_ml=wanted * dt_s,
            evaporated_ml=evaporation_ml_s(vpd, self._surface_m2) * soil.evaporation_share() * dt_s,
        )
        growth.step(dt_s, zone.photons_umol_m2_s, zone.air_degc, stress, soil.aeration(), soil.root_vwc)
        zone.gained_ml += given_ml


@lru_cache(maxsize=256)
def _lag_share(dt_s: float, lag_s: float) -> float:
    return -math.expm1(-dt_s / lag_s)
