"""What hangs where: chips, outputs and cameras on the addresses and pins that a rig declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dt.simulator.chips import I2C_CHIPS
from dt.simulator.faults.order import Targets
from dt.simulator.from_rig import OUTPUT_KINDS
from dt.simulator.spec import LAMP, PLANT, PUMP, ZONE
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig, pin_number

_DHT22, _CAMERA = "dht22", "camera"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a chip is: in a zone's air or, with a plant, in its pot (a camera: above it).

    `sensors` are the ids of its sensors by what they measure, `depth` goes from 0 (top layer of soil) to 1 (bottom).
    """

    kind: str
    zone_id: str = ZONE
    plant_id: str | None = None
    sensors: Mapping[Quantity, str] = field(default_factory=dict)
    depth: float = 0.0
    power_pin: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An actuator on a pin."""

    name: str
    kind: str = PUMP
    active_high: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """The emergency-stop button, from a pin to ground; a normally closed one opens when it is pressed."""

    pin: int
    normally_closed: bool = True

    def drives(self, *, is_pressed: bool) -> bool | None:
        """Return what it does to its pin: low (False) while it is closed, nothing (None) while it is open."""
        is_closed = is_pressed is not self.normally_closed
        return False if is_closed else None


def _usual_i2c() -> dict[int, Place]:
    soil = {Quantity.SOIL_MOISTURE: "seesaw-soil"}
    return {
        0x36: Place(kind="seesaw", sensors=soil, plant_id=PLANT),
        0x23: Place(kind="bh1750", sensors={Quantity.LIGHT_INTENSITY: "bh1750-light"}),
    }


def _usual_dht22() -> dict[int, Place]:
    air = {Quantity.TEMPERATURE: "dht22-temperature", Quantity.HUMIDITY: "dht22-humidity"}
    return {4: Place(kind=_DHT22, sensors=air)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Chips by I2C address, DHT22s and outputs by BCM pin, cameras by number; by default the one-pot rig."""

    i2c: Mapping[int, Place] = field(default_factory=_usual_i2c)
    dht22: Mapping[int, Place] = field(default_factory=_usual_dht22)
    cameras: Mapping[int, Place] = field(
        default_factory=lambda: {0: Place(kind=_CAMERA, sensors={Quantity.CAMERA_IMAGE: "camera"}, plant_id=PLANT)}
    )
    outputs: Mapping[int, Output] = field(
        default_factory=lambda: {17: Output(name=PUMP), 27: Output(name=LAMP, kind="lamp")}
    )
    button: Button | None = None

    @property
    def sites(self) -> tuple[Place, ...]:
        """Every chip."""
        return (*self.i2c.values(), *self.dht22.values(), *self.cameras.values())

    def targets(self) -> Targets:
        """Return what can have a fault."""
        return Targets(
            sensors={sensor_id: site.kind for site in self.sites for sensor_id in site.sensors.values()},
            quantities={name: quantity for site in self.sites for quantity, name in site.sensors.items()},
            actuators={output.name: output.kind for output in self.outputs.values()},
            i2c=frozenset(sensor_id for site in self.i2c.values() for sensor_id in site.sensors.values()),
        )


def wiring(rig: Rig) -> Wiring:
    """Return the wiring that a rig describes; raises ConfigError, with the line, for what cannot hang there."""
    i2c = [sensor for sensor in rig.sensors if sensor.kind in I2C_CHIPS and sensor.address is not None]
    dht22 = [sensor for sensor in rig.sensors if sensor.kind == _DHT22 and sensor.pin is not None]
    cameras = [sensor for sensor in rig.sensors if sensor.kind == _CAMERA]
    return Wiring(
        i2c=_sites(rig, [(sensor.address or 0, sensor) for sensor in i2c], "address"),
        dht22=_sites(rig, [(pin_number(str(sensor.pin)), sensor) for sensor in dht22], "pin"),
        cameras=_sites(rig, [(camera_number(sensor.pin), sensor) for sensor in cameras], "camera"),
        outputs={
            pin_number(actuator.pin): Output(
                name=actuator.actuator_id, kind=actuator.kind, active_high=actuator.active_high
            )
            for actuator in rig.actuators
            if actuator.kind in OUTPUT_KINDS
        },
        button=_button(rig),
    )


def _button(rig: Rig) -> Button | None:
    stop = rig.emergency_stop
    return None if stop is None else Button(pin=pin_number(stop.pin), normally_closed=stop.normally_closed)


def chip_name(address: int | None = None, pin: int | None = None) -> str:
    """Return how a chip is called: its errors are drawn by that name.

    >>> chip_name(0x36), chip_name(pin=4)
    ('0x36', 'GPIO4')
    """
    return f"GPIO{pin}" if address is None else f"{address:#04x}"


def chip_of(sensor: SensorDescriptor) -> str:
    """Return the name of the chip that a sensor reads."""
    return chip_name(sensor.address, None if sensor.pin is None else pin_number(sensor.pin))


def camera_number(pin: str | None) -> int:
    """Return which camera a descriptor's `pin` means.

    >>> camera_number("camera1"), camera_number("usb2"), camera_number(None)
    (1, 2, 0)
    """
    return int(pin.removeprefix("camera").removeprefix("usb")) if pin else 0


def _sites(rig: Rig, sensors: Iterable[tuple[int, SensorDescriptor]], what: str) -> dict[int, Place]:
    found: dict[int, list[SensorDescriptor]] = {}
    for place, sensor in sensors:
        found.setdefault(place, []).append(sensor)
    for place, rows in found.items():
        for row in rows[1:]:
            if (row.kind, row.zone_id, row.plant_id) != (rows[0].kind, rows[0].zone_id, rows[0].plant_id):
                shown = f"{place:#04x}" if what == "address" else place
                msg = f"{rig.place_of(row.sensor_id)}: {what}: {shown} is another chip already ({rows[0].sensor_id})"
                raise ConfigError(msg)
    return {place: _site(rig, rows) for place, rows in found.items()}


def _site(rig: Rig, rows: list[SensorDescriptor]) -> Place:
    first = rows[0]
    power_pin = next((row.options["power_pin"] for row in rows if "power_pin" in row.options), None)
    return Place(
        kind=first.kind,
        sensors={row.data_type: row.sensor_id for row in rows},
        zone_id=first.zone_id,
        plant_id=first.plant_id,
        depth=_depth(rig, first),
        power_pin=None if power_pin is None else pin_number(str(power_pin)),
    )


def _depth(rig: Rig, sensor: SensorDescriptor) -> float:
    """Where a probe sits, 0 top layer to 1 bottom layer."""
    depth = sensor.options.get("depth", 0.0)
    if isinstance(depth, bool) or not isinstance(depth, int | float) or not 0.0 <= depth <= 1.0:
        msg = f"{rig.place_of(sensor.sensor_id)}: depth: must be a number from 0 (top) to 1 (bottom), not {depth!r}"
        raise ConfigError(msg)
    return float(depth)
