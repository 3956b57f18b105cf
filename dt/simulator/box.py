"""The box: one pot, its air, lamp and pump, stepped through time. Pure, seeded, deterministic."""

from __future__ import annotations

import math
from bisect import insort
from typing import Any

from dt.simulator.air import (
    evaporation_ml_s,
    saturation_kpa,
    transpiration_ml_s,
    vapour_g_m3,
    vapour_pressure_kpa,
)
from dt.simulator.soil import Soil
from dt.simulator.spec import BoxSpec
from dt.simulator.weather import Weather

MAX_STEP_S = 60.0
_WET_STEP_S = 1.0  # while water runs or stands on the soil
_LONGEST_GAP_S = 30 * 86_400.0
_SOIL_LAG_S = 2.5 * 3600
_SMALLEST_STEP_S = 1e-3

_SOIL_STATE = (
    *("top_ml", "bottom_ml", "pond_ml", "saucer_ml"),
    *("poured_ml", "transpired_ml", "evaporated_ml", "spilled_ml"),
)
_AIR_STATE = ("now_s", "reservoir_ml", "air_degc", "soil_degc", "vapour_g_m3")

PUMP = "pump"
LAMP = "lamp"


class Box:
    """The truth of one rig; nobody but evaluation may look at `state()`."""

    def __init__(self, spec: BoxSpec, start_s: float) -> None:
        self.spec = spec
        self.now_s = start_s
        self.soil = Soil.of(spec.pot)
        self.reservoir_ml = spec.pump.reservoir_ml
        self.levels = {PUMP: 0.0, LAMP: 0.0}
        self._weather = Weather(spec.site, spec.seed)
        self._pours: list[tuple[float, float]] = []
        outside = self._weather.at(start_s)
        self.air_degc = outside.temperature_degc
        self.soil_degc = outside.temperature_degc
        self.vapour_g_m3 = outside.vapour_g_m3
        self.light_lux = 0.0
        self.daylight_lux = 0.0
        self.transpiration_ml_s = 0.0
        self._see_light(start_s)

    def drive(self, name: str, level: float) -> None:
        """Set an actuator, 0 off to 1 full, from `now_s` on."""
        self.levels[name] = min(1.0, max(0.0, level))

    def pour(self, at_s: float, amount_ml: float) -> None:
        """Water by hand at a time to come."""
        insort(self._pours, (max(at_s, self.now_s), amount_ml))

    def advance(self, to_s: float) -> None:
        """Let time pass until `to_s`; a clock that was set back moves nothing."""
        if to_s - self.now_s > _LONGEST_GAP_S:
            self.now_s = to_s - _LONGEST_GAP_S
        while to_s - self.now_s > _SMALLEST_STEP_S:
            is_wet = self.soil.pond_ml > 0.0 or self.levels[PUMP] > 0.0
            end_s = min(to_s, self.now_s + (_WET_STEP_S if is_wet else MAX_STEP_S))
            poured_ml = 0.0
            while self._pours and self._pours[0][0] < end_s:
                at_s, amount_ml = self._pours.pop(0)
                if at_s > self.now_s + _SMALLEST_STEP_S:
                    self._pours.insert(0, (at_s, amount_ml))
                    end_s = at_s
                    break
                poured_ml += amount_ml
                end_s = min(end_s, self.now_s + _WET_STEP_S)
            self._step(end_s - self.now_s, poured_ml)
            self.now_s = end_s

    @property
    def humidity_pct(self) -> float:
        """Relative humidity of the air."""
        return min(100.0, 100.0 * vapour_pressure_kpa(self.vapour_g_m3, self.air_degc) / saturation_kpa(self.air_degc))

    @property
    def is_lamp_on(self) -> bool:
        """True when timer plug or pin switch the lamp on."""
        return self._lamp_level(self.now_s) > 0.0

    def state(self) -> dict[str, object]:
        """Return the truth, for evaluation only."""
        soil = self.soil
        return {
            "timestamp": self.now_s,
            "soil": {
                "vwc_top": soil.vwc_top,
                "vwc_bottom": soil.vwc_bottom,
                "vwc": soil.vwc,
                "water_ml": soil.stored_ml,
                "pond_ml": soil.pond_ml,
                "saucer_ml": soil.saucer_ml,
                "temperature_degc": self.soil_degc,
            },
            "air": {"temperature_degc": self.air_degc, "humidity_pct": self.humidity_pct},
            "light": {"lux": self.light_lux, "daylight_lux": self.daylight_lux, "lamp": self.is_lamp_on},
            "plant": {"ks": soil.stress(), "transpiration_ml_h": 3600.0 * self.transpiration_ml_s},
            "actuators": dict(self.levels),
            "reservoir_ml": self.reservoir_ml,
            "totals_ml": {
                "poured": soil.poured_ml,
                "transpired": soil.transpired_ml,
                "evaporated": soil.evaporated_ml,
                "spilled": soil.spilled_ml,
            },
        }

    def snapshot(self) -> dict[str, object]:
        """Return what must be kept for the box to live on after a restart; outputs are not: restart means off."""
        soil = {name: getattr(self.soil, name) for name in _SOIL_STATE}
        return {"soil": soil, **{name: getattr(self, name) for name in _AIR_STATE}}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take up what `snapshot` returned; raises KeyError, TypeError or ValueError when it is something else."""
        soil = {name: float(snapshot["soil"][name]) for name in _SOIL_STATE}
        air = {name: float(snapshot[name]) for name in _AIR_STATE}
        if not all(map(math.isfinite, [*soil.values(), *air.values()])):
            msg = "a box holds finite amounts"
            raise ValueError(msg)
        for name, value in soil.items():
            setattr(self.soil, name, value)
        for name, value in air.items():
            setattr(self, name, value)

    def _step(self, dt_s: float, poured_ml: float) -> None:
        spec, soil = self.spec, self.soil
        short_wave, target_degc, outside_g_m3 = self._see_light(self.now_s + 0.5 * dt_s)
        self.air_degc += (target_degc - self.air_degc) * -math.expm1(-dt_s / spec.air.thermal_lag_s)
        self.soil_degc += (self.air_degc - self.soil_degc) * -math.expm1(-dt_s / _SOIL_LAG_S)
        full_kpa = saturation_kpa(self.air_degc)
        vpd_kpa = max(0.0, full_kpa - vapour_pressure_kpa(self.vapour_g_m3, self.air_degc))
        wanted = transpiration_ml_s(short_wave, vpd_kpa, spec.pot.leaf_area_index, spec.pot.canopy_m2)
        self.transpiration_ml_s = wanted * soil.stress()
        evaporation = evaporation_ml_s(vpd_kpa, spec.pot.surface_m2) * soil.evaporation_share()
        before_ml = soil.transpired_ml + soil.evaporated_ml
        soil.step(
            dt_s,
            poured_ml=poured_ml + self._pumped_ml(dt_s),
            transpired_ml=self.transpiration_ml_s * dt_s,
            evaporated_ml=evaporation * dt_s,
        )
        gained_g_s = (soil.transpired_ml + soil.evaporated_ml - before_ml) / dt_s
        self._mix_vapour(dt_s, outside_g_m3, gained_g_s, full_kpa)

    def _mix_vapour(self, dt_s: float, outside_g_m3: float, gained_g_s: float, full_kpa: float) -> None:
        """Exchange with the room; what exceeds saturation condenses on the walls."""
        air = self.spec.air
        rate = air.exchange_per_h / 3600.0
        balance = outside_g_m3 + gained_g_s / (air.volume_m3 * rate)
        self.vapour_g_m3 += (balance - self.vapour_g_m3) * -math.expm1(-rate * dt_s)
        self.vapour_g_m3 = min(self.vapour_g_m3, vapour_g_m3(full_kpa, self.air_degc))

    def _pumped_ml(self, dt_s: float) -> float:
        level = self.levels[PUMP]
        if level == 0.0:
            return 0.0
        amount_ml = min(self.reservoir_ml, level * self.spec.pump.flow_ml_s * dt_s)
        self.reservoir_ml -= amount_ml
        return amount_ml

    def _see_light(self, time_s: float) -> tuple[float, float, float]:
        """Return short wave at the leaves, the temperature that the air tends to, and the room's vapour."""
        spec = self.spec
        outside = self._weather.at(time_s)
        sun = outside.sun_w_m2 * spec.air.window_share
        lamp = self._lamp_level(time_s)
        self.daylight_lux = outside.daylight_lux * spec.air.window_share
        self.light_lux = self.daylight_lux + lamp * spec.lamp.lux
        warmth = sun * spec.air.warming_k_per_w_m2 + lamp * spec.air.lamp_warming_k
        short_wave = sun + lamp * spec.lamp.lux / spec.lamp.lux_per_w_m2
        return short_wave, outside.temperature_degc + warmth, outside.vapour_g_m3

    def _lamp_level(self, time_s: float) -> float:
        hour = self._weather.local_hour(time_s)
        on_h, off_h = self.spec.site.lamp_on_h, self.spec.site.lamp_off_h
        timed = on_h <= hour < off_h if on_h <= off_h else hour >= on_h or hour < off_h
        return 1.0 if timed else self.levels[LAMP]
