"""Daily and hourly reference evapotranspiration: FAO-56 Penman-Monteith and what goes into it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dt.plant.air import saturation_vapour_pressure_kpa

# FAO Irrigation and Drainage Paper 56 (Allen et al. 1998); equation numbers are its own.
_SOLAR_CONSTANT = 0.0820  # MJ m-2 min-1
_STEFAN_BOLTZMANN = 4.903e-9  # MJ K-4 m-2 day-1
ALBEDO = 0.23  # of the grass reference
LEAST_WIND = 0.5  # m/s; still air mixes by its own warmth (chapter 3, wind speed)
_SOIL_HEAT = 0.1  # of net radiation by day (eq. 45)
_KELVIN = 273.16  # as FAO-56 eq. 39 has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where it is: latitude in degrees, elevation in m above the sea, height of the wind's measurement in m."""

    latitude_deg: float
    elevation_m: float
    wind_height_m: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWeather:
    """A day (1 to 366): extremes of temperature, solar radiation in MJ m-2, mean wind in m/s, mean vapour pressure."""

    day_of_year: int
    low_c: float
    high_c: float
    solar_mj_m2: float
    wind_m_s: float
    vapour_pressure_kpa: float


def slope_of_vapour_pressure_kpa_c(temperature_c: float) -> float:
    """Return the slope of the saturation curve (eq. 13; table 2.4 has 0.189 at 25 degC).

    >>> round(slope_of_vapour_pressure_kpa_c(25.0), 3)
    0.189
    """
    return 4098.0 * saturation_vapour_pressure_kpa(temperature_c) / (temperature_c + 237.3) ** 2


def air_pressure_kpa(elevation_m: float) -> float:
    """Return the pressure of the standard atmosphere (eq. 7; table 2.1 has 81.8 kPa at 1,800 m).

    >>> round(air_pressure_kpa(1800.0), 1)
    81.8
    """
    return 101.3 * math.pow((293.0 - 0.0065 * elevation_m) / 293.0, 5.26)


def psychrometric_constant_kpa_c(pressure_kpa: float) -> float:
    """Return gamma (eq. 8; example 2 has 0.054 at 81.8 kPa).

    >>> round(psychrometric_constant_kpa_c(81.8), 3)
    0.054
    """
    return 0.665e-3 * pressure_kpa


def wind_at_2m_m_s(wind_m_s: float, height_m: float) -> float:
    """Return the wind at 2 m over grass (eq. 47; example 14 has 2.4 m/s of 3.2 m/s at 10 m).

    >>> round(wind_at_2m_m_s(3.2, 10.0), 1), wind_at_2m_m_s(2.0, 2.0)
    (2.4, 2.0)
    """
    if height_m == 2.0:
        return wind_m_s
    return wind_m_s * 4.87 / math.log(67.8 * height_m - 5.42)


def extraterrestrial_radiation_mj_m2(day_of_year: int, latitude_deg: float) -> float:
    """Return a day's radiation above the air (eq. 21; example 8 has 32.2 at 20 degrees south on 3 September).

    >>> round(extraterrestrial_radiation_mj_m2(246, -20.0), 1)
    32.2
    """
    angle = 2.0 * math.pi * day_of_year / 365.0
    distance = 1.0 + 0.033 * math.cos(angle)  # eq. 23
    declination = 0.409 * math.sin(angle - 1.39)  # eq. 24
    latitude = math.radians(latitude_deg)
    sunset = math.acos(min(1.0, max(-1.0, -math.tan(latitude) * math.tan(declination))))  # eq. 25; polar day and night
    high = sunset * math.sin(latitude) * math.sin(declination)
    wide = math.cos(latitude) * math.cos(declination) * math.sin(sunset)
    return 24.0 * 60.0 / math.pi * _SOLAR_CONSTANT * distance * (high + wide)


def net_radiation_mj_m2(weather: DayWeather, site: Site) -> float:
    """Return what the grass keeps of a day's radiation (eq. 37 to 40; example 12 has 14.5 - 1.3 less 3.5 or so).

    >>> rio = DayWeather(
    ...     day_of_year=135, low_c=19.1, high_c=25.1, solar_mj_m2=14.5, wind_m_s=2.0, vapour_pressure_kpa=2.1
    ... )
    >>> round(net_radiation_mj_m2(rio, Site(latitude_deg=-22.9, elevation_m=0.0)), 1)
    7.6
    """
    clear = (0.75 + 2e-5 * site.elevation_m) * extraterrestrial_radiation_mj_m2(weather.day_of_year, site.latitude_deg)
    cloudless = min(1.0, max(0.3, weather.solar_mj_m2 / clear)) if clear > 0.0 else 1.0
    kelvin = 0.5 * ((weather.low_c + _KELVIN) ** 4 + (weather.high_c + _KELVIN) ** 4)
    dryness = 0.34 - 0.14 * math.sqrt(max(0.0, weather.vapour_pressure_kpa))
    long_wave = _STEFAN_BOLTZMANN * kelvin * dryness * (1.35 * cloudless - 0.35)
    return (1.0 - ALBEDO) * weather.solar_mj_m2 - long_wave


def reference_evapotranspiration_mm(weather: DayWeather, site: Site) -> float:
    """Return a day's evapotranspiration of the grass reference (eq. 6; example 18 has 3.9 mm in Uccle on 6 July).

    >>> uccle = DayWeather(
    ...     day_of_year=187, low_c=12.3, high_c=21.5, solar_mj_m2=22.07, wind_m_s=2.78, vapour_pressure_kpa=1.409
    ... )
    >>> round(reference_evapotranspiration_mm(uccle, Site(latitude_deg=50.8, elevation_m=100.0, wind_height_m=10.0)), 1)
    3.9
    """
    mean_c = 0.5 * (weather.low_c + weather.high_c)
    slope = slope_of_vapour_pressure_kpa_c(mean_c)
    gamma = psychrometric_constant_kpa_c(air_pressure_kpa(site.elevation_m))
    wind = wind_at_2m_m_s(weather.wind_m_s, site.wind_height_m)
    saturation = 0.5 * (
        saturation_vapour_pressure_kpa(weather.low_c) + saturation_vapour_pressure_kpa(weather.high_c)
    )  # eq. 12
    deficit = saturation - weather.vapour_pressure_kpa
    radiation = 0.408 * slope * net_radiation_mj_m2(weather, site)
    drying = gamma * 900.0 / (mean_c + 273.0) * wind * deficit
    return max(0.0, (radiation + drying) / (slope + gamma * (1.0 + 0.34 * wind)))


def reference_mm_h(temperature_c: float, deficit_kpa: float, net_mj_m2_h: float, wind_m_s: float = LEAST_WIND) -> float:
    """Return what the grass reference gives off by day at sea level (eq. 53; example 19 has 0.63 mm at N'Diaye, 14 h).

    >>> round(reference_mm_h(38.0, 3.180, 1.749, 3.3), 2)
    0.63
    """
    slope = slope_of_vapour_pressure_kpa_c(temperature_c)
    gamma = psychrometric_constant_kpa_c(air_pressure_kpa(0.0))
    radiation = 0.408 * slope * (1.0 - _SOIL_HEAT) * net_mj_m2_h
    drying = gamma * 37.0 / (temperature_c + 273.0) * wind_m_s * deficit_kpa
    return (radiation + drying) / (slope + gamma * (1.0 + 0.34 * wind_m_s))


def vapour_pressure_from_extremes_kpa(low_c: float, high_c: float, lowest_pct: float, highest_pct: float) -> float:
    """Return a day's mean vapour pressure from its extremes (eq. 17; example 5 has 1.70 kPa).

    >>> round(vapour_pressure_from_extremes_kpa(18.0, 25.0, 54.0, 82.0), 2)
    1.7
    """
    damp = saturation_vapour_pressure_kpa(low_c) * highest_pct / 100.0
    dry = saturation_vapour_pressure_kpa(high_c) * lowest_pct / 100.0
    return 0.5 * (damp + dry)
