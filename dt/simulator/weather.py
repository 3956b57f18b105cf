"""The room outside the box: sun by place and date, clouds, temperature and humidity, all seeded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dt.simulator.noise import SmoothNoise
from dt.simulator.spec import SiteSpec

_DAY_S = 86_400.0
_SOLAR_CONSTANT = 1098.0  # W/m2 of Haurwitz' clear-sky model (1945)
_SUNLIGHT_LUX_PER_W_M2 = 110.0  # global daylight, Littlefair 1985


@dataclass(frozen=True, slots=True)
class Outside:
    """Weather at one instant: sun on a horizontal plane (W/m2), room air (degC, vapour in g/m3)."""

    sun_w_m2: float
    temperature_degc: float
    vapour_g_m3: float

    @property
    def daylight_lux(self) -> float:
        """Illuminance outdoors."""
        return self.sun_w_m2 * _SUNLIGHT_LUX_PER_W_M2


class Weather:
    """Weather as a function of time alone."""

    def __init__(self, site: SiteSpec, seed: int) -> None:
        self._latitude = math.radians(site.latitude_deg)
        self._longitude_s = site.longitude_deg / 360.0 * _DAY_S
        self._zone = ZoneInfo(site.timezone)
        self._clouds = SmoothNoise(seed, "clouds", 3.0 * 3600)
        self._cloudy_days = SmoothNoise(seed, "cloudy days", 1.4 * _DAY_S)
        self._spell = SmoothNoise(seed, "spell", 2.5 * _DAY_S)
        self._draught = SmoothNoise(seed, "draught", 2.0 * 3600)
        self._damp = SmoothNoise(seed, "damp", 1.8 * _DAY_S)
        self._day = -1
        self._sin_part = 0.0
        self._cos_part = 0.0
        self._equation_s = 0.0
        self._offset_hour = -1
        self._offset_s = 0.0

    def at(self, time_s: float) -> Outside:
        """Return the weather at epoch seconds."""
        solar_s = self._solar_time_s(time_s)
        sun = self._sun_w_m2(solar_s, time_s)
        course = math.cos((solar_s / _DAY_S - 15.0 / 24.0) * math.tau)  # warmest at 15 h
        temperature = 20.5 + 1.9 * course + 1.3 * self._spell.at(time_s) + 0.35 * self._draught.at(time_s)
        vapour = 9.2 + 1.4 * self._damp.at(time_s) + 0.3 * course
        return Outside(sun, temperature, max(3.0, vapour))

    def local_hour(self, time_s: float) -> float:
        """Return the hour of the day on the wall, 0..24."""
        hour = int(time_s // 3600)
        if hour != self._offset_hour:
            offset = self._zone.utcoffset(datetime.fromtimestamp(time_s, UTC).astimezone(self._zone))
            self._offset_s = 0.0 if offset is None else offset.total_seconds()
            self._offset_hour = hour
        return ((time_s + self._offset_s) % _DAY_S) / 3600.0

    def _solar_time_s(self, time_s: float) -> float:
        """Seconds since solar midnight; refreshes what changes once a day (FAO-56 eq. 24, 32, 33)."""
        day = int(time_s // _DAY_S)
        if day != self._day:
            year_part = math.tau * (datetime.fromtimestamp(time_s, UTC).timetuple().tm_yday) / 365.0
            declination = 0.409 * math.sin(year_part - 1.39)
            b = year_part - math.tau * 81.0 / 365.0
            self._equation_s = 3600.0 * (0.1645 * math.sin(2 * b) - 0.1255 * math.cos(b) - 0.025 * math.sin(b))
            self._sin_part = math.sin(self._latitude) * math.sin(declination)
            self._cos_part = math.cos(self._latitude) * math.cos(declination)
            self._day = day
        return (time_s + self._longitude_s + self._equation_s) % _DAY_S

    def _sun_w_m2(self, solar_s: float, time_s: float) -> float:
        """Clear sky by Haurwitz (1945), less what clouds take."""
        height = self._sin_part - self._cos_part * math.cos(solar_s / _DAY_S * math.tau)
        if height <= 0.005:
            return 0.0
        clear = _SOLAR_CONSTANT * height * math.exp(-0.057 / height)
        cover = 0.40 + 0.30 * self._cloudy_days.at(time_s) + 0.14 * self._clouds.at(time_s)
        cover = min(1.0, max(0.0, cover))
        return clear * (1.0 - 0.75 * math.pow(cover, 3.4))  # Kasten & Czeplak 1980
