"""When the sun rises and sets: NOAA's solar equations, good to about a minute below 72 degrees of latitude."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

# The sun's centre stands at this angle from the zenith when its upper edge appears: 50' of radius and refraction.
_ZENITH_DEG = 90.833
_MIN_PER_DEG = 4.0


def sun_times(day: date, latitude_deg: float, longitude_deg: float) -> tuple[float, float] | None:
    """Return sunrise and sunset of a local day as epoch seconds; None where the sun stays up or down.

    Equations of NOAA's "General solar position calculations" (Spencer 1971). Longitude is positive to the east.

    >>> times = sun_times(date(2026, 6, 21), 51.51, -0.13)  # London: 04:43 and 21:21 BST in every almanac
    >>> [round(((one - 86400.0 * (one // 86400.0)) / 60.0 - minute) / 3.0) for one, minute in zip(times, (223, 1221))]
    [0, 0]
    >>> sun_times(date(2026, 6, 21), 69.65, 18.96) is None  # Tromso
    True
    """
    gamma = math.tau / _days_of(day.year) * (day.timetuple().tm_yday - 1)
    declination = _declination_rad(gamma)
    latitude = math.radians(latitude_deg)
    cos_hour = math.cos(math.radians(_ZENITH_DEG)) / (math.cos(latitude) * math.cos(declination))
    cos_hour -= math.tan(latitude) * math.tan(declination)
    if abs(cos_hour) > 1.0:
        return None
    half_day_deg = math.degrees(math.acos(cos_hour))
    noon_min = 720.0 - _MIN_PER_DEG * longitude_deg - _equation_of_time_min(gamma)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    rise_min, set_min = (noon_min + sign * _MIN_PER_DEG * half_day_deg for sign in (-1.0, 1.0))
    return midnight + 60.0 * rise_min, midnight + 60.0 * set_min


def _equation_of_time_min(gamma: float) -> float:
    terms = 0.000075 + 0.001868 * math.cos(gamma) - 0.032077 * math.sin(gamma)
    return 229.18 * (terms - 0.014615 * math.cos(2 * gamma) - 0.040849 * math.sin(2 * gamma))


def _declination_rad(gamma: float) -> float:
    first = 0.006918 - 0.399912 * math.cos(gamma) + 0.070257 * math.sin(gamma)
    second = -0.006758 * math.cos(2 * gamma) + 0.000907 * math.sin(2 * gamma)
    return first + second - 0.002697 * math.cos(3 * gamma) + 0.00148 * math.sin(3 * gamma)


def _days_of(year: int) -> int:
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days
