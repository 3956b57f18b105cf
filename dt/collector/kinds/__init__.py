"""The kinds of sensors: a table of our own, and entry points `dt.sensors` of other packages.

An entry point is named by its kind, or by `kind.quantity` where one chip measures several. A kind's module, and the
hardware library that it imports, is loaded when a sensor of that kind is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from dt.collector.kinds.base_sensor import Sensor
from dt.collector.kinds.options import Rule, camera_pin, flag, header_pin, number, one_of, text, whole
from dt.plant.light import LightSource
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity

GROUP = "dt.sensors"
_PLACE = "dt.collector.kinds"


@dataclass(frozen=True, slots=True)
class KindSpec:
    """One row of the table: where the class is, and which options its rows in `rig.toml` may have.

    Options are names, or names with the rules for their values; `options_check` names who checks them together. A chip
    on a pin has the rule for `pin`, one on the bus its `addresses`; its rows need that, and must not have the other.
    """

    place: str
    options: Collection[str] | Mapping[str, Rule] = frozenset()
    options_check: str = ""
    pin: Rule | None = None
    addresses: Collection[int] = frozenset()


_MQTT_OPTIONS = frozenset(
    {"topic", "json", "unit", "scale", "offset", "time", "timezone", "stale_after_s", "availability", "offline"}
)


def _mqtt(name: str) -> KindSpec:
    return KindSpec(f"{_PLACE}.mqtt:{name}", _MQTT_OPTIONS, f"{_PLACE}.mqtt_options:check_options")


def _dht22(name: str) -> KindSpec:
    return KindSpec(f"{_PLACE}.{name}", {"power_pin": header_pin}, pin=header_pin)


def _seesaw(name: str) -> KindSpec:
    # Where the probe sits in the soil: 0 top layer to 1 bottom layer. A simulated box puts it there.
    return KindSpec(f"{_PLACE}.{name}", {"depth": number(0.0, 1.0)}, addresses=range(0x36, 0x3A))


KINDS: Mapping[tuple[str, Quantity], KindSpec] = {
    ("dht22", Quantity.TEMPERATURE): _dht22("temperature:TemperatureSensor"),
    ("dht22", Quantity.HUMIDITY): _dht22("humidity:HumiditySensor"),
    ("sht31", Quantity.TEMPERATURE): KindSpec(f"{_PLACE}.sht31:Sht31Temperature", addresses=(0x44, 0x45)),
    ("sht31", Quantity.HUMIDITY): KindSpec(f"{_PLACE}.sht31:Sht31Humidity", addresses=(0x44, 0x45)),
    ("bh1750", Quantity.LIGHT_INTENSITY): KindSpec(
        f"{_PLACE}.light_intensity:LightSensor",
        {
            "resolution": one_of("high", "mid", "low"),
            "measurement_time": whole(31, 254),
            "auto_range": flag,
            "light_source": one_of(*LightSource),  # what processing makes photons of lux with
        },
        addresses=(0x23, 0x5C),
    ),
    ("seesaw", Quantity.SOIL_MOISTURE): _seesaw("soil_moisture:SoilMoistureSensor"),
    ("seesaw", Quantity.SOIL_TEMPERATURE): _seesaw("soil_temperature:SoilTemperatureSensor"),
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
        pin=camera_pin,
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


def check_place(descriptor: SensorDescriptor) -> None:
    """Raise `ConfigError` for a pin or an address that a chip of the kind cannot have, or for a missing one."""
    spec = KINDS.get((descriptor.kind, descriptor.data_type))
    if spec is None:
        return
    for field, is_there, is_wanted in (
        ("pin", descriptor.pin is not None, spec.pin is not None),
        ("address", descriptor.address is not None, bool(spec.addresses)),
    ):
        if is_there and not is_wanted:
            raise ConfigError(f"sensor {descriptor.sensor_id}: {field}: is nothing that a {descriptor.kind} has")
    wrong_pin = None if spec.pin is None else spec.pin(descriptor.pin)
    if wrong_pin is not None:
        why = f"is missing; a {descriptor.kind} needs one" if descriptor.pin is None else wrong_pin
        raise ConfigError(f"sensor {descriptor.sensor_id}: pin: {why}")
    if spec.addresses and descriptor.address not in spec.addresses:
        places = " or ".join(f"{address:#04x}" for address in spec.addresses)
        given = (
            "is missing" if descriptor.address is None else f"{descriptor.address:#04x} is none of a {descriptor.kind}"
        )
        raise ConfigError(f"sensor {descriptor.sensor_id}: address: {given}; it must be {places}")


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
