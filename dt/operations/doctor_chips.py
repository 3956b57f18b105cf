"""Which chips may sit at which I2C address, as Adafruit's list has it (learn.adafruit.com/i2c-addresses).

Chips of weather, soil, light, gas and clocks; what else may be there is in the list itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from dt.collector.kinds import KINDS

FIRST_ADDRESS, LAST_ADDRESS = 0x08, 0x77  # what lies outside is reserved by the bus

_RANGES: tuple[tuple[int, int, str], ...] = (
    (0x10, 0x10, "VEML7700 light or VEML6075 UV"),
    (0x18, 0x1F, "MCP9808 temperature"),
    (0x20, 0x20, "Chirp soil"),
    (0x20, 0x27, "MCP23008/23017 GPIO expander"),
    (0x23, 0x23, "BH1750 light"),
    (0x27, 0x27, "LCD backpack (PCF8574)"),
    (0x29, 0x29, "TSL2591/TSL2561 light"),
    (0x29, 0x29, "TCS34725 colour or VL53L0X distance"),
    (0x36, 0x39, "seesaw soil probe"),
    (0x38, 0x38, "AHT20/DHT20 humidity"),
    (0x39, 0x39, "AS7341 or TSL2561 light"),
    (0x3C, 0x3D, "SSD1306/SH1106 display"),
    (0x40, 0x40, "Si7021/HTU21D/HDC1008 humidity"),
    (0x40, 0x4F, "INA219 current"),
    (0x44, 0x45, "SHT31 humidity"),
    (0x44, 0x44, "SHT40/SHT45 humidity"),
    (0x48, 0x4B, "ADS1115 converter or TMP117 temperature"),
    (0x50, 0x57, "EEPROM"),
    (0x53, 0x53, "LTR390 UV"),
    (0x58, 0x58, "SGP30 gas"),
    (0x59, 0x59, "SGP40 gas"),
    (0x5A, 0x5B, "CCS811 gas"),
    (0x5A, 0x5A, "MLX90614 infrared temperature"),
    (0x5C, 0x5C, "BH1750 light (ADDR high) or AM2320 humidity"),
    (0x5D, 0x5D, "LPS22/LPS25 pressure"),
    (0x61, 0x61, "SCD30 CO2"),
    (0x60, 0x67, "MCP9600 thermocouple"),
    (0x62, 0x62, "SCD4x CO2"),
    (0x68, 0x68, "DS3231/DS1307/PCF8523 clock"),
    (0x70, 0x77, "TCA9548 multiplexer"),
    (0x70, 0x70, "SHTC3 humidity"),
    (0x76, 0x77, "BME280/BMP280/BME680 climate"),
)

# Where the chips of our own kinds can be set to.
ADDRESSES_OF_KIND: Mapping[str, frozenset[int]] = {
    kind: frozenset(spec.addresses) for (kind, _), spec in KINDS.items() if spec.addresses
}


def probable_chips(address: int) -> tuple[str, ...]:
    """Return what an address probably is, the narrowest guess first.

    >>> probable_chips(0x23)
    ('BH1750 light', 'MCP23008/23017 GPIO expander')
    """
    fitting = [(last - first, name) for first, last, name in _RANGES if first <= address <= last]
    return tuple(name for _, name in sorted(fitting, key=lambda row: row[0]))


def chip_words(address: int) -> str:
    """Return an address with what it probably is, for people.

    >>> chip_words(0x36), chip_words(0x09)
    ('0x36 (seesaw soil probe)', '0x09 (unknown)')
    """
    return f"{address:#04x} ({' or '.join(probable_chips(address)[:2]) or 'unknown'})"
