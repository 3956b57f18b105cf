"""One zone: the air, light and warmth that its plants share.

Heat: C dT/dt = (wall + exchange)(T_out - T) + surface (T_mass - T) + lamps + heaters - latent heat of what evaporates;
the sun warms the mass, the mass the air (two nodes, as in Bot 1983). Vapour: V dx/dt = E + exchange (x_out - x)
- condensation on the cold wall (Stanghellini 1987). Both are integrated exactly over a step with constant inputs.
"""

from __future__ import annotations

import math

from dt.plant.light import PPFD_PER_LUX, LightSource
from dt.simulator.air import AIR_J_M3_K, LATENT_HEAT_J_G, saturation_kpa, vapour_g_m3, vapour_pressure_kpa
from dt.simulator.devices import Fan, Heater, Lamp
from dt.simulator.spec import ZoneSpec
from dt.simulator.weather import SUNLIGHT_LUX_PER_W_M2, Weather

_SUN_UMOL_PER_LUX = PPFD_PER_LUX[LightSource.SUNLIGHT]  # with the lux per W/m2: 2.03 umol/J (Meek et al. 1984: 2.02)


class ZoneBox:
    """The truth of one zone's air."""

    def __init__(self, spec: ZoneSpec, weather: Weather, start_s: float) -> None:
        self.spec = spec
        self.weather = weather
        self.lamps: list[Lamp] = []
        self.fans: list[Fan] = []
        self.heaters: list[Heater] = []
        _sun, outside_degc, outside_g_m3 = weather.at(start_s)
        self.air_degc = outside_degc
        self.mass_degc = outside_degc
        self.vapour_g_m3 = outside_g_m3
        self.vpd_kpa = 0.0
        self.light_lux = 0.0
        self.daylight_lux = 0.0
        self.short_wave_w_m2 = 0.0
        self.photons_umol_m2_s = 0.0  # of 400 to 700 nm, whatever shines
        self.gained_ml = 0.0  # by evaporation since the air was last mixed
        self.vapour_in_ml = 0.0
        self.vapour_out_ml = 0.0
        self.condensed_ml = 0.0
        self._air_j_k = spec.air.volume_m3 * AIR_J_M3_K
        self.latent_w = 0.0
        self._rate = self._wall_degc = self._full_kpa = self._outside_g_m3 = 0.0  # of the step

    @property
    def zone_id(self) -> str:
        """The zone's id in the rig."""
        return self.spec.zone_id

    @property
    def humidity_pct(self) -> float:
        """Relative humidity of the air."""
        return min(100.0, 100.0 * vapour_pressure_kpa(self.vapour_g_m3, self.air_degc) / saturation_kpa(self.air_degc))

    @property
    def vapour_ml(self) -> float:
        """Water in the air."""
        return self.vapour_g_m3 * self.spec.air.volume_m3

    @property
    def is_lamp_on(self) -> bool:
        """True when any lamp gives light."""
        return any(lamp.output > 0.0 for lamp in self.lamps)

    def begin(self, now_s: float) -> None:
        """See the light of the first moment."""
        sun, _degc, _vapour = self.weather.at(now_s)
        self.see_light(0.0, sun, now_s)
        self._see_dryness()

    def see_light(self, dt_s: float, sun_w_m2: float, time_s: float) -> tuple[float, float]:
        """Let lamps follow their plugs; return the heat that they give to the air and to surfaces (W)."""
        sun = sun_w_m2 * self.spec.air.window_share
        self.daylight_lux = sun * SUNLIGHT_LUX_PER_W_M2
        heat_w, radiant_w, lux, short_wave = 0.0, 0.0, self.daylight_lux, sun
        photons = _SUN_UMOL_PER_LUX * lux
        for lamp in self.lamps:
            output = lamp.step(dt_s, self.weather.local_hour(time_s))
            if output:
                lux += output * lamp.spec.lux
                photons += output * lamp.spec.lux * lamp.spec.umol_per_lux
                short_wave += output * lamp.spec.lux / lamp.spec.lux_per_w_m2
                heat_w += output * lamp.spec.heat_w
                radiant_w += output * lamp.spec.heat_w * lamp.spec.radiant_share
        self.light_lux, self.short_wave_w_m2, self.photons_umol_m2_s = lux, short_wave, photons
        return heat_w - radiant_w, radiant_w

    def warm(self, dt_s: float, time_s: float) -> None:
        """Let light and warmth of one step pass, with the weather at its middle."""
        air = self.spec.air
        sun, outside_degc, self._outside_g_m3 = self.weather.at(time_s)
        lamps_w, radiant_w = self.see_light(dt_s, sun, time_s)
        heat_w = lamps_w - self.latent_w
        for heater in self.heaters:
            heat_w += heater.step(dt_s)
        self._rate = self._exchange_per_s()
        outwards_w_k = air.wall_w_k + self._rate * self._air_j_k
        total_w_k = outwards_w_k + air.surface_w_k
        balance = (outwards_w_k * outside_degc + air.surface_w_k * self.mass_degc + heat_w) / total_w_k
        share = -math.expm1(-dt_s * total_w_k / self._air_j_k)
        self.air_degc += (balance - self.air_degc) * share
        sunny_w = sun * air.window_share * air.sunlit_m2 * air.absorbed_share + radiant_w
        target = self.air_degc + sunny_w / air.surface_w_k
        self.mass_degc += (target - self.mass_degc) * -math.expm1(-dt_s * air.surface_w_k / air.mass_j_k)
        self._wall_degc = 0.5 * (self.air_degc + outside_degc)
        self._see_dryness()

    def mix(self, dt_s: float) -> None:
        """Take up what plants and soils gave off, exchange with outside, and condense on the wall."""
        air = self.spec.air
        volume, rate = air.volume_m3, self._rate
        before, inflow = self.vapour_g_m3, self.gained_ml / (air.volume_m3 * dt_s)
        wall_g_m3 = vapour_g_m3(saturation_kpa(self._wall_degc), self._wall_degc)
        sticks = air.condensing_m_s * air.cold_wall_m2 / volume if before > wall_g_m3 else 0.0
        total = rate + sticks
        balance = (inflow + rate * self._outside_g_m3 + sticks * wall_g_m3) / total
        gone = -math.expm1(-total * dt_s) / (total * dt_s)
        mean = balance + (before - balance) * gone
        came_ml = rate * volume * dt_s * self._outside_g_m3
        went_ml = rate * volume * dt_s * mean
        stuck_ml = max(0.0, sticks * volume * dt_s * (mean - wall_g_m3))
        after = before + (self.gained_ml + came_ml - went_ml - stuck_ml) / volume
        excess = after - vapour_g_m3(self._full_kpa, self.air_degc)
        if excess > 0.0:  # fog settles
            after -= excess
            stuck_ml += excess * volume
        self.latent_w = self.gained_ml / dt_s * LATENT_HEAT_J_G
        self.vapour_g_m3 = after
        self.vapour_in_ml += came_ml
        self.vapour_out_ml += went_ml
        self.condensed_ml += stuck_ml
        self.gained_ml = 0.0

    def _see_dryness(self) -> None:
        self._full_kpa = saturation_kpa(self.air_degc)
        self.vpd_kpa = max(0.0, self._full_kpa - vapour_pressure_kpa(self.vapour_g_m3, self.air_degc))

    def _exchange_per_s(self) -> float:
        air = self.spec.air
        per_h = air.exchange_per_h
        for fan in self.fans:
            per_h += fan.exchange_per_h
        if air.vent_above_degc is not None:
            opening = (self.air_degc - air.vent_above_degc) / air.vent_band_k
            per_h += air.vent_exchange_per_h * min(1.0, max(0.0, opening))
        return per_h / 3600.0
