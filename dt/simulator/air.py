"""Air and plant: warmth, vapour, and the water that leaves and soil give off."""

from __future__ import annotations

import math

LATENT_HEAT_J_G = 2450.0  # of vaporisation at 20 degC, FAO-56
AIR_J_M3_K = 1206.0  # density times heat capacity of air at 20 degC: 1.20 kg/m3, 1005 J/(kg K)
_VAPOUR_G_K_PER_KPA_M3 = 2166.79  # Wallace & Hobbs: 2.16679 g K/J
# Greenhouse pot plants: Baille, Baille & Laury 1994, Scientia Horticulturae 59.
_RADIATION_SHARE = 0.42
EXTINCTION = 0.64
_DAY_W_M2_KPA = 18.0
_NIGHT_W_M2_KPA = 8.0
_SOIL_MM_PER_DAY_KPA = 1.2
_DAYTIME_W_M2 = 5.0


def saturation_kpa(temperature_degc: float) -> float:
    """Return the saturation vapour pressure (FAO-56 eq. 11).

    >>> round(saturation_kpa(20.0), 3)
    2.338
    """
    return 0.6108 * math.exp(17.27 * temperature_degc / (temperature_degc + 237.3))


def vapour_pressure_kpa(vapour_g_m3: float, temperature_degc: float) -> float:
    """Return the pressure that a vapour density means.

    >>> round(vapour_pressure_kpa(17.3, 20.0), 2)
    2.34
    """
    return vapour_g_m3 * (temperature_degc + 273.15) / _VAPOUR_G_K_PER_KPA_M3


def vapour_g_m3(pressure_kpa: float, temperature_degc: float) -> float:
    """Return the vapour density of a pressure.

    >>> round(vapour_g_m3(2.338, 20.0), 1)
    17.3
    """
    return pressure_kpa * _VAPOUR_G_K_PER_KPA_M3 / (temperature_degc + 273.15)


def cover_of(leaf_area_index: float) -> float:
    """Return the share of the ground that leaves cover: light that they catch, by Beer's law (Monsi & Saeki 1953).

    >>> round(cover_of(2.5), 3)
    0.798
    """
    return -math.expm1(-EXTINCTION * leaf_area_index)


def transpiration_ml_s(
    short_wave_w_m2: float, vpd_kpa: float, leaf_area_index: float, cover: float, ground_m2: float
) -> float:
    """Return what an unstressed plant transpires: lE = A (1 - exp(-k LAI)) G + B LAI VPD (Baille 1994).

    >>> round(3600 * transpiration_ml_s(80.0, 1.0, 2.5, cover_of(2.5), 0.05), 2)
    5.28
    """
    by_air = _DAY_W_M2_KPA if short_wave_w_m2 > _DAYTIME_W_M2 else _NIGHT_W_M2_KPA
    by_light = _RADIATION_SHARE * cover * short_wave_w_m2
    return (by_light + by_air * leaf_area_index * vpd_kpa) * ground_m2 / LATENT_HEAT_J_G


def evaporation_ml_s(vpd_kpa: float, surface_m2: float) -> float:
    """Return what a wet soil face gives off under leaves (1 mm on 1 m2 is 1000 ml).

    >>> round(86_400.0 * evaporation_ml_s(1.0, 0.02), 1)
    24.0
    """
    return _SOIL_MM_PER_DAY_KPA * vpd_kpa * surface_m2 * 1000.0 / 86_400.0
