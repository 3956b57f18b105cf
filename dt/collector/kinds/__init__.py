"""The kinds of sensors: a table of our own, and entry points `dt.sensors` of other packages.

An entry point is named by its kind, or by `kind.quantity` where one chip measures several. A kind's module, and the
hardware library that it imports, is loaded when a sensor of that kind is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from dt.collector.kinds.base_sensor import Sensor
from dt.collector.kinds.options import Rule, flag, number, one_of, text, whole
from dt.plant.light import LightSource
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity

GROUP = "dt.sensors"
_PLACE = "dt.collector.kinds"


@dataclass(frozen=True, slots=True)
class KindSpec:
    """One row of the table: where the class is, and which options its rows in `rig.toml` may have.

    Options are names, or names with the rules for their values; `options_check` names who checks them together.
    """

    place: str
    options: Collection[str] | Mapping[str, Rule] = frozenset()
    options_check: str = ""


_MQTT_OPTIONS = frozenset(
    {"topic", "json", "unit", "scale", "offset", "time", "timezone", "stale_after_s", "availability", "offline"}
)


def _mqtt(name: str) -> KindSpec:
    return KindSpec(f"{_PLACE}.mqtt:{name}", _MQTT_OPTIONS, f"{_PLACE}.mqtt_options:check_options")


# Where the probe sits in the soil: 0 top layer to 1 bottom layer. A simulated box puts it there.
_PROBE: Mapping[str, Rule] = {"depth": number(0.0, 1.0)}

KINDS: Mapping[tuple[str, Quantity], KindSpec] = {
    ("dht22", Quantity.TEMPERATURE): KindSpec(f"{_PLACE}.temperature:TemperatureSensor", {"power_pin": text}),
    ("dht22", Quantity.HUMIDITY): KindSpec(f"{_PLACE}.humidity:HumiditySensor", {"power_pin": text}),
    ("sht31", Quantity.TEMPERATURE): KindSpec(f"{_PLACE}.sht31:Sht31Temperature"),
    ("sht31", Quantity.HUMIDITY): KindSpec(f"{_PLACE}.sht31:Sht31Humidity"),
    ("bh1750", Quantity.LIGHT_INTENSITY): KindSpec(
        f"{_PLACE}.light_intensity:LightSensor",
        {
            "resolution": one_of("high", "mid", "low"),
            "measurement_time": whole(31, 254),
            "auto_range": flag,
            "light_source": one_of(*LightSource),  # what processing makes photons of lux with
        },
    ),
    ("seesaw", Quantity.SOIL_MOISTURE): KindSpec(f"{_PLACE}.soil_moisture:SoilMoistureSensor", _PROBE),
    ("seesaw", Quantity.SOIL_TEMPERATURE): KindSpec(f"{_PLACE}.soil_temperature:SoilTemperatureSensor", _PROBE),
    ("camera", Quantity.CAMERA_IMAGE): KindSpec(
        f"{_PLACE}.camera:CameraSensor",
        {
            "device": text,
            "width": whole(64, 4096),
            "height": whole(64, 4096),
            "timeout_s": number(1.0, 120.0),
            "dark_below": number(0.0, 255.0),
            "sharp_above": number(0.0, 10.0),
        },
    ),
    ("mqtt", Quantity.TEMPERATURE): _mqtt("MqttTemperature"),
    ("mqtt", Quantity.HUMIDITY): _mqtt("MqttHumidity"),
    ("mqtt", Quantity.SOIL_MOISTURE): _mqtt("MqttSoilMoisture"),
    ("mqtt", Quantity.SOIL_TEMPERATURE): _mqtt("MqttSoilTemperature"),
    ("mqtt", Quantity.LIGHT_INTENSITY): _mqtt("MqttLight"),
}


def find_kind(descriptor: SensorDescriptor) -> EntryPoint:
    """Return where the class of a sensor is, without loading it; raises `ConfigError` for an unknown kind or option."""
    spec = KINDS.get((descriptor.kind, descriptor.data_type))
    if spec is not None:
        _check_each_option(descriptor, spec)
        return EntryPoint(descriptor.kind, spec.place, GROUP)
    names = {descriptor.kind, f"{descriptor.kind}.{descriptor.data_type}"}
    found = [point for point in entry_points(group=GROUP) if point.name in names]
    if not found:
        known = sorted({f"{kind} ({quantity})" for kind, quantity in KINDS})
        msg = (
            f"sensor {descriptor.sensor_id}: no kind {descriptor.kind!r} measures {descriptor.data_type}; "
            f"there are {', '.join(known)}"
        )
        raise ConfigError(msg)
    return max(found, key=lambda point: len(point.name))


def check_options(descriptor: SensorDescriptor) -> None:
    """Let the kind look at its options' values, where it has a check; raises `ConfigError`."""
    spec = KINDS.get((descriptor.kind, descriptor.data_type))
    if spec is not None and spec.options_check:
        EntryPoint(descriptor.kind, spec.options_check, GROUP).load()(descriptor)


def load_kind(descriptor: SensorDescriptor) -> type[Sensor]:
    """Load the class of a sensor; raises `ConfigError` when it does not fit its descriptor."""
    point = find_kind(descriptor)
    try:
        kind = point.load()
    except ImportError as error:
        msg = f"sensor {descriptor.sensor_id}: {point.value} cannot be loaded: {error}"
        raise ConfigError(msg) from error
    if not (isinstance(kind, type) and issubclass(kind, Sensor) and kind.quantity == descriptor.data_type):
        msg = f"sensor {descriptor.sensor_id}: {point.value} is no sensor of {descriptor.data_type}"
        raise ConfigError(msg)
    return kind


def _check_each_option(descriptor: SensorDescriptor, spec: KindSpec) -> None:
    for name, value in descriptor.options.items():
        if name not in spec.options:
            known = f"; it has {', '.join(sorted(spec.options))}" if spec.options else ""
            msg = f"sensor {descriptor.sensor_id}: {name} is no option of kind {descriptor.kind}{known}"
            raise ConfigError(msg)
        wrong = spec.options[name](value) if isinstance(spec.options, Mapping) else None
        if wrong is not None:
            msg = f"sensor {descriptor.sensor_id}: {name} {wrong}"
            raise ConfigError(msg)
