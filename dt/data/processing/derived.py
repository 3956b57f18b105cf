"""Readings that follow from others: of one air, of a day's light, of an hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dt.data.processing.air_pairs import Half
from dt.data.processing.sensor_book import SensorEntry
from dt.data.processing.sums import DayOf, Hour, LightDay, LightSum, Mean
from dt.data.processing.zone_state import Zone, place_of
from dt.plant.air import dew_point_c, vapour_pressure_deficit_kpa
from dt.plant.light import LightSource, ppfd_from_lux
from dt.utils.dataclasses import Quality, SensorData, Verdict
from dt.utils.ids import derived_id
from dt.utils.quantities import QUANTITIES, Quantity, Unit

AIR = frozenset({Quantity.TEMPERATURE, Quantity.HUMIDITY})
HOURLY = {Quantity.TEMPERATURE: Quantity.TEMPERATURE_1H, Quantity.SOIL_MOISTURE: Quantity.SOIL_MOISTURE_1H}
_HOURS = frozenset(HOURLY.values())
_HOURLY_UNITS = frozenset({Unit.DEGREE_CELSIUS, Unit.VWC, Unit.FRACTION})
_DRIEST_PERCENT = 0.1  # what hygrometers resolve; the dew point of drier air is nobody's measurement
_OTHER_LAMP_AFTER_S = 3600.0

_LIGHT_SOURCES = frozenset(LightSource)
_RANK: dict[str, int] = {Verdict.GOOD: 0, Verdict.SUSPECT: 1, Verdict.BAD: 2}
_DRY_RANK = 2  # a bad one completes nothing: of air too dry for a dew point any other reading says more
_GOOD = Quality(verdict=Verdict.GOOD)


def local_days(timezone: str) -> DayOf:
    """Return what gives the local day of an instant, daylight saving included.

    >>> since, until = local_days("Europe/Rome")(1_774_780_000.0)  # 2026-03-29: the clock is set forward
    >>> (until - since) / 3600.0
    23.0
    """
    zone = ZoneInfo(timezone)

    def day_of(timestamp: float) -> tuple[float, float]:
        day = datetime.fromtimestamp(timestamp, UTC).astimezone(zone).date()
        midnights = (datetime.combine(day + timedelta(days=n), time(), zone).timestamp() for n in (0, 1))
        return next(midnights), next(midnights)

    return day_of


def of_the_air(zone: Zone, reading: SensorData, quality: Quality, *, is_live: bool) -> list[SensorData]:
    """Take a judged reading and return the deficits and dew points that it completes; a bad one completes nothing."""
    if quality.verdict is Verdict.BAD:
        return []
    half = Half(
        reading.timestamp,
        reading.correlation_id,
        reading.value,
        quality.verdict,
        quality.check,
        quality.why,
        reading.late,
        reading.sensor_id,
        _DRY_RANK if reading.unit is Unit.PERCENT and reading.value < _DRIEST_PERCENT else _RANK[quality.verdict],
    )
    found = zone.air_at(place_of(reading)).accept(reading.data_type, half, is_live=is_live)
    return [new for pair in found for new in _of_pair(reading, *pair)] if found else []


def of_the_light(
    zone: Zone, reading: SensorData, quality: Quality, entry: SensorEntry | None, cadence_s: float, day_of: DayOf
) -> list[SensorData]:
    """Take a reading that is newer than the last; what is not good leaves a gap, which the coverage tells."""
    if quality.verdict is not Verdict.GOOD:
        return []
    key = place_of(reading)
    day = zone.light_at(key, reading.sensor_id)
    if day.sensor_id != reading.sensor_id and reading.timestamp - day.at > _OTHER_LAMP_AFTER_S:
        day = zone.lights[key] = LightDay(sensor_id=reading.sensor_id)
    if day.sensor_id != reading.sensor_id or reading.timestamp <= day.at:
        return []
    source, is_said = _light_source(entry)
    ppfd = reading.value if reading.unit is Unit.PPFD else ppfd_from_lux(reading.value, source)
    is_known = is_said or reading.unit is Unit.PPFD
    return [
        _dli(reading, light, None if is_known else source)
        for light in day.add(reading.timestamp, ppfd, cadence_s, day_of)
    ]


def of_the_hour(zone: Zone, reading: SensorData, quality: Quality, cadence_s: float) -> list[SensorData]:
    """Take a reading into the rolling hour, if it is good."""
    if quality.verdict is not Verdict.GOOD:
        return []
    return _hours(zone, reading, lambda mean: mean.add(reading.timestamp, reading.value, cadence_s))


def without(zone: Zone, reading: SensorData) -> list[SensorData]:
    """Take a good reading out of the rolling hour again: it was a spike."""
    return _hours(zone, reading, lambda mean: mean.remove(reading.timestamp, reading.value))


def _hours(zone: Zone, reading: SensorData, change: Callable[[Mean], list[Hour]]) -> list[SensorData]:
    if reading.data_type not in HOURLY or reading.unit not in _HOURLY_UNITS:
        return []
    key = "|".join((reading.data_type, reading.unit, place_of(reading)))
    return [_hour(reading, hour) for hour in change(zone.mean_at(key))]


def _of_pair(reading: SensorData, temperature: Half, humidity: Half) -> list[SensorData]:
    """Return what one air has at the later of the two instants, as good as the worse of the two readings."""
    quality, parents = _worse(temperature, humidity), (temperature.correlation_id, humidity.correlation_id)
    at, is_late = max(temperature.timestamp, humidity.timestamp), temperature.late or humidity.late
    deficit = vapour_pressure_deficit_kpa(temperature.value, humidity.value)
    revision = temperature.revision + humidity.revision
    vpd = _made(reading, Quantity.VPD, deficit, at, quality, parents, is_late=is_late, revision=revision)
    if humidity.value < _DRIEST_PERCENT:
        return [vpd]
    dew = dew_point_c(temperature.value, humidity.value)
    return [_made(reading, Quantity.DEW_POINT, dew, at, quality, parents, is_late=is_late, revision=revision), vpd]


def _dli(reading: SensorData, light: LightSum, guessed: LightSource | None) -> SensorData:
    why = f"readings cover {100.0 * light.coverage:.0f} % of the day so far"
    if light.is_sparse:
        quality = Quality(verdict=Verdict.SUSPECT, check="coverage", why=f"{why}: at least this much light")
    elif guessed is not None:
        why = f"{why}; no light_source is declared for {reading.sensor_id}: taken as {guessed}"
        quality = Quality(verdict=Verdict.SUSPECT, check="light_source", why=why)
    else:
        quality = Quality(verdict=Verdict.GOOD, check="coverage", why=why)
    return _made(
        reading,
        Quantity.DLI,
        light.total,
        light.timestamp,
        quality,
        (reading.correlation_id,),
    )


def _hour(reading: SensorData, hour: Hour) -> SensorData:
    quality = _GOOD
    if hour.is_sparse:
        why = f"{hour.readings} good readings of about {hour.expected}"
        quality = Quality(verdict=Verdict.SUSPECT, check="coverage", why=why)
    quantity = HOURLY[reading.data_type]
    return _made(
        reading,
        quantity,
        hour.mean,
        hour.end,
        quality,
        (reading.correlation_id,),
        revision=hour.revision,
    )


def _made(
    reading: SensorData,
    quantity: Quantity,
    value: float,
    timestamp: float,
    quality: Quality,
    parents: tuple[str, ...],
    *,
    is_late: bool = False,
    revision: int = 0,
) -> SensorData:
    return SensorData(
        sensor_id=f"{reading.plant_id or reading.zone_id}/{quantity}",
        data_type=quantity,
        value=value,
        unit=reading.unit if quantity in _HOURS else QUANTITIES[quantity].unit,
        timestamp=timestamp,
        correlation_id=derived_id(
            quantity, *parents, *((timestamp, revision) if len(parents) == 1 else ()), at=timestamp
        ),
        zone_id=reading.zone_id,
        plant_id=reading.plant_id,
        quality=quality,
        caused_by=parents,
        late=is_late,
        revision=revision,
        origin=reading.origin,
    )


def _light_source(entry: SensorEntry | None) -> tuple[LightSource, bool]:
    """Return what shines on a sensor by its option `light_source`, and whether anybody said so."""
    said = None if entry is None else entry.descriptor.options.get("light_source")
    return (LightSource(said), True) if said in _LIGHT_SOURCES else (LightSource.SUNLIGHT, False)


def _worse(*halves: Half) -> Quality:
    worst = halves[0] if _RANK[halves[0].verdict] >= _RANK[halves[1].verdict] else halves[1]
    if worst.verdict == Verdict.GOOD:
        return _GOOD
    return Quality(verdict=Verdict(worst.verdict), check=worst.check, why=worst.why)
