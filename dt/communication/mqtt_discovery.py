"""What Home Assistant wants to know of a reading's topic, so that it shows the sensor by itself.

Source: Home Assistant's MQTT integration, "MQTT discovery" and the `sensor` platform's device classes and units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from dt.utils.dataclasses import SensorData
from dt.utils.quantities import QUANTITIES, Quantity, Unit

_PLAIN = "{{ value_json.value }}"


@dataclass(frozen=True, slots=True)
class _Look:
    """How Home Assistant shows a quantity: its device class, its spelling of the unit, and the value's template."""

    device_class: str | None
    unit: str
    template: str = _PLAIN


_LOOKS: Mapping[tuple[Quantity, Unit], _Look] = {
    (Quantity.TEMPERATURE, Unit.DEGREE_CELSIUS): _Look("temperature", "°C"),
    (Quantity.SOIL_TEMPERATURE, Unit.DEGREE_CELSIUS): _Look("temperature", "°C"),
    (Quantity.HUMIDITY, Unit.PERCENT): _Look("humidity", "%"),
    (Quantity.SOIL_MOISTURE, Unit.VWC): _Look("moisture", "%", "{{ (value_json.value * 100) | round(1) }}"),
    (Quantity.LIGHT_INTENSITY, Unit.LUX): _Look("illuminance", "lx"),
    (Quantity.VPD, Unit.KILOPASCAL): _Look("pressure", "kPa"),
}


def discovery(discovery_prefix: str, prefix: str, topic: str, reading: SensorData) -> tuple[str, bytes]:
    """Return topic and payload of the retained message that announces `topic`, the one of this reading.

    >>> reading = SensorData.from_dict(
    ...     {
    ...         "sensor_id": "s",
    ...         "data_type": "vpd",
    ...         "value": 1,
    ...         "unit": "kPa",
    ...         "timestamp": 0,
    ...         "correlation_id": "c",
    ...         "zone_id": "box",
    ...     }
    ... )
    >>> discovery("homeassistant", "plant-twin", "plant-twin/box/-/vpd", reading)[0]
    'homeassistant/sensor/plant-twin/box_-_vpd/config'
    """
    node, name = _plain(prefix), _plain(topic.removeprefix(f"{prefix}/"))
    look = _LOOKS.get((reading.data_type, reading.unit)) or _Look(None, str(reading.unit))
    place = reading.plant_id or reading.zone_id
    config = {
        "name": QUANTITIES[reading.data_type].label,
        "unique_id": f"{node}_{name}",
        "state_topic": topic,
        "value_template": look.template,
        "unit_of_measurement": look.unit,
        "device_class": look.device_class,
        "state_class": "measurement",
        "availability_topic": f"{prefix}/status",
        "device": {"identifiers": [f"{node}_{_plain(place)}"], "name": place, "manufacturer": "Plant Twin"},
    }
    filled = {key: value for key, value in config.items() if value is not None}
    return f"{discovery_prefix}/sensor/{node}/{name}/config", msgspec.json.encode(filled)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)
