"""What is measured, in which unit, and what is physically possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dt.utils.exceptions import MessageError


class Quantity(StrEnum):
    """Every kind of value that a reading can have."""

    TEMPERATURE = "temperature"
    HUMIDITY = "humidity"
    SOIL_MOISTURE = "soil_moisture"
    SOIL_TEMPERATURE = "soil_temperature"
    LIGHT_INTENSITY = "light_intensity"
    VPD = "vpd"
    DEW_POINT = "dew_point"
    DLI = "dli"
    TEMPERATURE_1H = "temperature_1h"
    SOIL_MOISTURE_1H = "soil_moisture_1h"
    CAMERA_IMAGE = "camera_image"


class Unit(StrEnum):
    """Every unit that a reading may arrive in."""

    DEGREE_CELSIUS = "degC"
    DEGREE_FAHRENHEIT = "degF"
    PERCENT = "%"
    FRACTION = "fraction"
    COUNT = "count"
    VWC = "m3/m3"
    LUX = "lux"
    KILOLUX = "klux"
    PPFD = "umol/m2/s"
    KILOPASCAL = "kPa"
    DLI = "mol/m2/d"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantitySpec:
    """One row of the table: canonical unit, and the limits of what can be, in that unit."""

    unit: Unit
    low: float
    high: float
    label: str
    is_derived: bool = False


QUANTITIES: Mapping[Quantity, QuantitySpec] = {
    # DHT22 datasheet (Aosong AM2302): -40..80 degC, 0..100 %RH.
    Quantity.TEMPERATURE: QuantitySpec(unit=Unit.DEGREE_CELSIUS, low=-40.0, high=80.0, label="Air temperature"),
    Quantity.HUMIDITY: QuantitySpec(unit=Unit.PERCENT, low=0.0, high=100.0, label="Relative humidity"),
    # Water cannot fill more than the pore space; peat reaches 0.95 m3/m3.
    Quantity.SOIL_MOISTURE: QuantitySpec(unit=Unit.VWC, low=0.0, high=1.0, label="Soil moisture"),
    Quantity.SOIL_TEMPERATURE: QuantitySpec(unit=Unit.DEGREE_CELSIUS, low=-20.0, high=60.0, label="Soil temperature"),
    # Full sun reaches about 130 klux; the BH1750's lowest sensitivity tops out near 121 klux.
    Quantity.LIGHT_INTENSITY: QuantitySpec(unit=Unit.LUX, low=0.0, high=200_000.0, label="Light intensity"),
    # Saturation at 80 degC is 47.4 kPa (FAO-56 eq. 11).
    Quantity.VPD: QuantitySpec(
        unit=Unit.KILOPASCAL, low=0.0, high=47.5, label="Vapour pressure deficit", is_derived=True
    ),
    # No air that a DHT22 can measure is damper than saturated; 2 % at -40 degC has its dew point near -65 degC.
    Quantity.DEW_POINT: QuantitySpec(
        unit=Unit.DEGREE_CELSIUS, low=-90.0, high=80.0, label="Dew point", is_derived=True
    ),
    # 3,000 umol m-2 s-1 for 24 h are 259 mol; a clear day at the equator has about 60.
    Quantity.DLI: QuantitySpec(unit=Unit.DLI, low=0.0, high=260.0, label="Daily light integral", is_derived=True),
    Quantity.TEMPERATURE_1H: QuantitySpec(
        unit=Unit.DEGREE_CELSIUS, low=-40.0, high=80.0, label="Air temperature, mean of an hour", is_derived=True
    ),
    Quantity.SOIL_MOISTURE_1H: QuantitySpec(
        unit=Unit.VWC, low=0.0, high=1.0, label="Soil moisture, mean of an hour", is_derived=True
    ),
    Quantity.CAMERA_IMAGE: QuantitySpec(unit=Unit.IMAGE, low=0.0, high=0.0, label="Camera"),
}

_SAME: Callable[[float], float] = float

# A relative wetness ("fraction") says where a probe stands in its own range: no water content, so it stays one.
_CONVERSIONS: Mapping[tuple[Quantity, Unit], tuple[Unit, Callable[[float], float]]] = {
    (Quantity.TEMPERATURE, Unit.DEGREE_FAHRENHEIT): (Unit.DEGREE_CELSIUS, lambda f: (f - 32.0) / 1.8),
    (Quantity.SOIL_TEMPERATURE, Unit.DEGREE_FAHRENHEIT): (Unit.DEGREE_CELSIUS, lambda f: (f - 32.0) / 1.8),
    (Quantity.HUMIDITY, Unit.FRACTION): (Unit.PERCENT, lambda x: x * 100.0),
    (Quantity.SOIL_MOISTURE, Unit.PERCENT): (Unit.VWC, lambda p: p / 100.0),
    (Quantity.SOIL_MOISTURE, Unit.FRACTION): (Unit.FRACTION, _SAME),
    (Quantity.LIGHT_INTENSITY, Unit.KILOLUX): (Unit.LUX, lambda k: k * 1000.0),
    (Quantity.LIGHT_INTENSITY, Unit.PPFD): (Unit.PPFD, _SAME),
}

# Units that only a sensor's own calibration can turn into the canonical one.
NEEDS_CALIBRATION = frozenset({(Quantity.SOIL_MOISTURE, Unit.COUNT)})


def to_canonical(quantity: Quantity, value: float, unit: Unit) -> tuple[float, Unit]:
    """Return the value in the unit that the quantity is stored in.

    >>> to_canonical(Quantity.TEMPERATURE, 212.0, Unit.DEGREE_FAHRENHEIT)
    (100.0, <Unit.DEGREE_CELSIUS: 'degC'>)

    Raises MessageError (field `unit`) for a unit that the quantity does not have.
    """
    spec = QUANTITIES[quantity]
    if unit == spec.unit:
        return value, spec.unit
    conversion = _CONVERSIONS.get((quantity, unit))
    if conversion is None:
        known = sorted({spec.unit, *(u for q, u in _CONVERSIONS if q == quantity)})
        raise MessageError("unit", f"{unit} is no unit of {quantity}; use one of {', '.join(known)}")
    return conversion[1](value), conversion[0]


def limits_of(quantity: Quantity, unit: Unit) -> tuple[float, float]:
    """Return the lowest and highest possible value in a unit that `to_canonical` returned."""
    spec = QUANTITIES[quantity]
    if unit == Unit.PPFD:
        return 0.0, 3000.0  # full sun is about 2,000 umol m-2 s-1
    return spec.low, spec.high
