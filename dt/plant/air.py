"""Humid air: vapour pressure, its deficit, dew point and absolute humidity."""

from __future__ import annotations

import math

# FAO Irrigation and Drainage Paper 56 (Allen et al. 1998), eq. 11.
_E0_KPA = 0.6108
_SLOPE = 17.27
_OFFSET_C = 237.3
_GAS_CONSTANT_VAPOUR = 461.5  # J kg-1 K-1 (WMO-No. 8)
_ZERO_C_IN_K = 273.15
_VAPOUR_TO_AIR = 0.621945  # ratio of molar masses (ASHRAE)
_STANDARD_KPA = 101.325


def saturation_vapour_pressure_kpa(temperature_c: float) -> float:
    """Return the pressure of saturated vapour over water (FAO-56 eq. 11; table 2.3 has 3.168 kPa at 25 degC).

    >>> round(saturation_vapour_pressure_kpa(25.0), 3)
    3.168
    """
    return _E0_KPA * math.exp(_SLOPE * temperature_c / (temperature_c + _OFFSET_C))


def vapour_pressure_kpa(temperature_c: float, humidity_percent: float) -> float:
    """Return the actual vapour pressure from relative humidity (FAO-56 eq. 10, solved for ea).

    >>> round(vapour_pressure_kpa(25.0, 50.0), 3)
    1.584
    """
    return saturation_vapour_pressure_kpa(temperature_c) * humidity_percent / 100.0


def vapour_pressure_deficit_kpa(temperature_c: float, humidity_percent: float) -> float:
    """Return what the air could still take up: saturation minus actual vapour pressure.

    >>> round(vapour_pressure_deficit_kpa(25.0, 50.0), 3), vapour_pressure_deficit_kpa(18.0, 100.0)
    (1.584, 0.0)
    """
    return saturation_vapour_pressure_kpa(temperature_c) * (1.0 - humidity_percent / 100.0)


def dew_point_c(temperature_c: float, humidity_percent: float) -> float:
    """Return the temperature at which this air is saturated: FAO-56 eq. 11 inverted, as its eq. 3-11.

    >>> round(dew_point_c(25.0, 50.0), 1), round(dew_point_c(20.0, 100.0), 6)
    (13.9, 20.0)

    Raises ValueError for air without any vapour, which has none.
    """
    if humidity_percent <= 0.0:
        msg = f"dry air has no dew point: {humidity_percent:g} %"
        raise ValueError(msg)
    ratio = math.log(vapour_pressure_kpa(temperature_c, humidity_percent) / _E0_KPA)
    return _OFFSET_C * ratio / (_SLOPE - ratio)


def absolute_humidity_g_m3(temperature_c: float, humidity_percent: float) -> float:
    """Return the mass of vapour in the air by the ideal gas law (Rv = 461.5 J kg-1 K-1).

    >>> round(absolute_humidity_g_m3(20.0, 100.0), 1)
    17.3
    """
    pascal = 1000.0 * vapour_pressure_kpa(temperature_c, humidity_percent)
    return 1000.0 * pascal / (_GAS_CONSTANT_VAPOUR * (temperature_c + _ZERO_C_IN_K))


def humidity_ratio(temperature_c: float, humidity_percent: float, pressure_kpa: float = _STANDARD_KPA) -> float:
    """Return kg of vapour per kg of dry air (ASHRAE Fundamentals 2017, ch. 1 eq. 20).

    >>> round(humidity_ratio(20.0, 100.0), 4)
    0.0147
    """
    vapour = vapour_pressure_kpa(temperature_c, humidity_percent)
    return _VAPOUR_TO_AIR * vapour / (pressure_kpa - vapour)
