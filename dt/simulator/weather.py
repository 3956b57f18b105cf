"""What surrounds a zone: sun by place and date, clouds, temperature and humidity, all seeded, or replayed from a file.

The weather is worked out every five minutes and joined by straight lines in between, so that it is a function of time
alone and cheap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dt.simulator.air import saturation_kpa, vapour_g_m3
from dt.simulator.noise import SmoothNoise
from dt.simulator.replay import Replay
from dt.simulator.spec import SiteSpec, WeatherSpec

_DAY_S = 86_400.0
_KNOT_S = 300.0
_CLEAR_W_M2, _CLEAR_AIR = 1098.0, 0.059  # Haurwitz 1945: 94.4 cal cm-2 h-1; both as in pvlib.clearsky.haurwitz
_LEAST_HEIGHT = 0.005  # sine of the sun's elevation
SUNLIGHT_LUX_PER_W_M2 = 110.0  # global daylight, Littlefair 1985
_LEAST_VAPOUR_G_M3 = 1.0
_COLDEST_DAY = 20.0  # of the year, north of the equator

# Sun on a horizontal plane (W/m2), air (degC), vapour (g/m3).
Outside = tuple[float, float, float]


def equation_of_time_h(day_of_year: int) -> float:
    """Return how far the sun is ahead of the clock, in hours (FAO-56 eq. 32 and 33; example 19 has 0.1889 on day 274).

    >>> round(equation_of_time_h(274), 4)
    0.1889
    """
    b = math.tau * (day_of_year - 81.0) / 364.0
    return 0.1645 * math.sin(2.0 * b) - 0.1255 * math.cos(b) - 0.025 * math.sin(b)


def clear_sky_w_m2(height: float) -> float:
    """Return the sun on a plane under a clear sky at the sine of the sun's elevation (Haurwitz 1945).

    >>> round(clear_sky_w_m2(1.0)), round(clear_sky_w_m2(0.5))
    (1035, 488)
    """
    return _CLEAR_W_M2 * height * math.exp(-_CLEAR_AIR / height)


class Weather:
    """Weather as a function of time alone."""

    def __init__(self, site: SiteSpec, weather: WeatherSpec | Replay, seed: int) -> None:
        source = weather if isinstance(weather, Replay) else _Synthetic(site, weather, seed)
        self._source: Callable[[float], Outside] = source.at
        self._zone = ZoneInfo(site.timezone)
        self._knot = -1
        self._left: Outside = (0.0, 0.0, 0.0)
        self._right: Outside = (0.0, 0.0, 0.0)
        self._offset_hour = -1
        self._offset_s = 0.0

    def at(self, time_s: float) -> Outside:
        """Return sun (W/m2), temperature (degC) and vapour (g/m3) at epoch seconds."""
        knot = int(time_s // _KNOT_S)
        if knot != self._knot:
            self._left = self._right if knot == self._knot + 1 else self._source(knot * _KNOT_S)
            self._right = self._source((knot + 1) * _KNOT_S)
            self._knot = knot
        part = time_s / _KNOT_S - knot
        left, right = self._left, self._right
        return (
            left[0] + (right[0] - left[0]) * part,
            left[1] + (right[1] - left[1]) * part,
            left[2] + (right[2] - left[2]) * part,
        )

    def local_hour(self, time_s: float) -> float:
        """Return the hour of the day on the wall, 0..24."""
        hour = int(time_s // 900.0)
        if hour != self._offset_hour:
            offset = self._zone.utcoffset(datetime.fromtimestamp(time_s, UTC).astimezone(self._zone))
            self._offset_s = 0.0 if offset is None else offset.total_seconds()
            self._offset_hour = hour
        return ((time_s + self._offset_s) % _DAY_S) / 3600.0


class _Synthetic:
    """Clear-sky sun times cloud; temperature and vapour by day, year and spells of days."""

    def __init__(self, site: SiteSpec, spec: WeatherSpec, seed: int) -> None:
        self._spec = spec
        self._latitude = math.radians(site.latitude_deg)
        self._longitude_s = site.longitude_deg / 360.0 * _DAY_S
        self._clouds = SmoothNoise(seed, "clouds", 3.0 * 3600)
        self._gaps = SmoothNoise(seed, "gaps", 420.0)
        self._cloudy_days = SmoothNoise(seed, "cloudy days", 1.4 * _DAY_S)
        self._spell = SmoothNoise(seed, "spell", 2.5 * _DAY_S)
        self._draught = SmoothNoise(seed, "draught", 2.0 * 3600)
        self._damp = SmoothNoise(seed, "damp", 1.8 * _DAY_S)
        self._day = -1
        self._sin_part = 0.0
        self._cos_part = 0.0
        self._equation_s = 0.0
        self._season = 0.0

    def at(self, time_s: float) -> Outside:
        """Return the weather at epoch seconds."""
        spec = self._spec
        solar_s = self._solar_time_s(time_s)
        course = math.cos((solar_s / _DAY_S - 15.0 / 24.0) * math.tau)  # warmest at 15 h
        temperature = spec.mean_degc + spec.daily_k * course + spec.yearly_k * self._season
        temperature += spec.spell_k * self._spell.at(time_s) + spec.draught_k * self._draught.at(time_s)
        vapour = spec.vapour_g_m3 + spec.yearly_g_m3 * self._season + spec.daily_g_m3 * course
        vapour += spec.damp_g_m3 * self._damp.at(time_s)
        most = vapour_g_m3(saturation_kpa(temperature), temperature)
        return self._sun_w_m2(solar_s, time_s), temperature, min(most, max(_LEAST_VAPOUR_G_M3, vapour))

    def _solar_time_s(self, time_s: float) -> float:
        """Seconds since solar midnight; refreshes what changes once a day (FAO-56 eq. 24, 32, 33)."""
        day = int(time_s // _DAY_S)
        if day != self._day:
            day_of_year = datetime.fromtimestamp(time_s, UTC).timetuple().tm_yday
            year_part = math.tau * day_of_year / 365.0
            declination = 0.409 * math.sin(year_part - 1.39)
            self._equation_s = 3600.0 * equation_of_time_h(day_of_year)
            self._sin_part = math.sin(self._latitude) * math.sin(declination)
            self._cos_part = math.cos(self._latitude) * math.cos(declination)
            hemisphere = 1.0 if self._latitude >= 0.0 else -1.0
            self._season = -hemisphere * math.cos(year_part - math.tau * _COLDEST_DAY / 365.0)
            self._day = day
        return (time_s + self._longitude_s + self._equation_s) % _DAY_S

    def _sun_w_m2(self, solar_s: float, time_s: float) -> float:
        """Clear sky less what clouds take (Kasten & Czeplak 1980)."""
        height = self._sin_part - self._cos_part * math.cos(solar_s / _DAY_S * math.tau)
        if height <= _LEAST_HEIGHT:
            return 0.0
        spec = self._spec
        clear = clear_sky_w_m2(height)
        cover = spec.cloud_cover - spec.yearly_clouds * self._season
        cover += spec.cloudy_days * self._cloudy_days.at(time_s)
        cover = min(1.0, max(0.0, cover + spec.passing_clouds * self._clouds.at(time_s)))
        through = 1.0 - 0.75 * math.pow(cover, 3.4)
        broken = 4.0 * cover * (1.0 - cover)  # no gaps in a clear sky, nor in an overcast one
        return (
            clear
            * through
            * max(0.3, 1.0 + spec.broken_clouds * broken * self._gaps.at(time_s) * (1.0 - 0.5 * through))
        )
