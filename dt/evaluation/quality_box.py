"""The simulated box for weeks, read register by register, with and without the faults of a plan."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dt.communication.wire_calls import NoAcknowledgeError
from dt.simulator.chip_rack import ChipRack
from dt.simulator.chips.dht22 import Frame
from dt.simulator.chips.seesaw import MOISTURE, TEMPERATURE
from dt.simulator.faults.desk import FaultDesk
from dt.simulator.from_rig import box_spec
from dt.simulator.history import prepare_demo_box
from dt.simulator.sensing import BH1750_COUNTS_PER_LUX
from dt.simulator.wiring import chip_of, wiring
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import SensorData, SensorDescriptor
from dt.utils.ids import derived_id
from dt.utils.quantities import Quantity, Unit
from dt.utils.rig import Rig, pin_number

EVERY_S = 60.0
_DAY_S = 86_400.0
_CONVERTS_S = 0.2
_TOUCHES_S = 0.005
_ONCE_HIGH = b"\x20"  # BH1750: one conversion in H-resolution mode
_ONE_LONGER_THAN_US = 50
_BITS = 40
_FIRST_DAY = 5.0
_LASTS_DAYS = 0.5
_EVERY_DAYS = 2.5

# Every fault that a reading can show, by what it befalls; days and parameters where the defaults say too little.
_ORDERS: Mapping[Quantity, tuple[Mapping[str, object], ...]] = {
    Quantity.TEMPERATURE: (
        {"fault": "F5", "mode": "halved"},
        {"fault": "F11", "mode": "spike"},
        {"fault": "F7"},
        {"fault": "F11", "mode": "stuck"},
        {"fault": "F5", "mode": "doubled"},
        {"fault": "F11", "mode": "noise"},
        {"fault": "F11", "mode": "jump"},
    ),
    Quantity.HUMIDITY: (
        {"fault": "F11", "mode": "jump"},
        {"fault": "F5", "mode": "halved"},
        {"fault": "F11", "mode": "noise"},
        {"fault": "F5", "mode": "doubled"},
        {"fault": "F11", "mode": "spike"},
        {"fault": "F11", "mode": "stuck"},
    ),
    Quantity.LIGHT_INTENSITY: (
        {"fault": "F8"},
        {"fault": "F11", "mode": "spike"},
        {"fault": "F11", "mode": "stuck"},
    ),
    Quantity.SOIL_MOISTURE: (
        {"fault": "F1"},
        {"fault": "F3"},
        {"fault": "F10", "mode": "pulled_out"},
        {"fault": "F11", "mode": "spike"},
        {"fault": "F11", "mode": "stuck"},
        {"fault": "F10", "mode": "air_gap"},
        {"fault": "F11", "mode": "noise"},
        {"fault": "F12"},
        {"fault": "F11", "mode": "jump"},
        {"fault": "F10", "mode": "moved"},
        {"fault": "F10", "mode": "drift"},
    ),
    Quantity.SOIL_TEMPERATURE: (
        {"fault": "F2"},
        {"fault": "F11", "mode": "stuck"},
        {"fault": "F11", "mode": "spike"},
        {"fault": "F11", "mode": "jump"},
        {"fault": "F11", "mode": "noise"},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One fault of one sensor, from `since` to `until` (epoch seconds); `name` is how the table calls it."""

    name: str
    sensor_id: str
    since: float
    until: float
    order: Mapping[str, object]


def plan(rig: Rig, since: float, days: float) -> list[PlannedFault]:
    """Return faults for every sensor, half a day each, with two quiet days between them.

    Probes of one quantity share the list: the second begins where the first is after a third of it.
    """
    faults = []
    for quantity, orders in _ORDERS.items():
        sensors = [sensor for sensor in rig.sensors if sensor.data_type is quantity]
        for number, sensor in enumerate(sensors):
            first = number * len(orders) // max(1, len(sensors))
            turn = itertools.cycle((*orders[first:], *orders[:first]))
            begins = _FIRST_DAY + 0.1 * number
            while begins + _LASTS_DAYS < days:
                order = next(turn)
                name = "_".join(str(order[key]).lower() for key in ("fault", "mode") if key in order)
                at = since + begins * _DAY_S
                until = at + _LASTS_DAYS * _DAY_S
                faults.append(
                    PlannedFault(
                        name=f"{name}_{quantity}", sensor_id=sensor.sensor_id, since=at, until=until, order=order
                    )
                )
                begins += _EVERY_DAYS
    return faults


def box_readings(
    rig: Rig, seed: int, since: float, days: float, faults: Sequence[PlannedFault] = ()
) -> Iterator[SensorData]:
    """Yield what a collector would have published: a look at every sensor of the rig each minute.

    The box, its chips and their noise depend on the seed alone, so that two runs differ by the faults alone.
    """
    box = prepare_demo_box(
        box_spec(rig, seed),
        since,
        since + days * _DAY_S,
        probes={s.plant_id: chip_of(s) for s in rig.sensors if s.data_type is Quantity.SOIL_MOISTURE and s.plant_id},
    )
    clock, wires = ManualClock(since, since), wiring(rig)
    desk = FaultDesk(wires.targets, seed=seed, is_one_process=True)
    for fault in faults:
        desk.add({**fault.order, "target": fault.sensor_id, "since": fault.since, "until": fault.until}, since)
    looks = _Looks(ChipRack(box, desk, clock, wires), clock)
    sensors = [sensor for sensor in rig.sensors if sensor.data_type in _ORDERS]
    for index in range(int(days * _DAY_S / EVERY_S)):
        at = since + index * EVERY_S
        clock.advance(at - clock.monotonic())
        box.advance(at)
        values = looks.at(sensors)
        for sensor in sensors:
            value = values.get(sensor.sensor_id)
            if value is not None:
                yield _reading(sensor, at, index, *value, seed)


def _reading(sensor: SensorDescriptor, at: float, index: int, value: float, unit: Unit, seed: int) -> SensorData:
    return SensorData(
        sensor_id=sensor.sensor_id,
        data_type=sensor.data_type,
        value=value,
        unit=unit,
        timestamp=at,
        correlation_id=derived_id("box", seed, sensor.sensor_id, index, at=at),
        zone_id=sensor.zone_id,
        plant_id=sensor.plant_id,
        boot_id=f"box-{seed}",
        sequence=index + 1,
    )


class _Looks:
    """Speaks to the chips as their drivers do."""

    def __init__(self, rack: ChipRack, clock: ManualClock) -> None:
        self._rack = rack
        self._clock = clock

    def at(self, sensors: Sequence[SensorDescriptor]) -> dict[str, tuple[float, Unit]]:
        """Return the value of every sensor that answers."""
        values: dict[str, tuple[float, Unit]] = {}
        frames: dict[str, tuple[float, float] | None] = {}
        for sensor in sensors:
            if sensor.kind == "dht22" and sensor.pin is not None:
                frame = frames[sensor.pin] if sensor.pin in frames else self._frame(pin_number(sensor.pin))
                frames[sensor.pin] = frame
                if frame is not None:
                    is_warmth = sensor.data_type is Quantity.TEMPERATURE
                    values[sensor.sensor_id] = (
                        (frame[0], Unit.DEGREE_CELSIUS) if is_warmth else (frame[1], Unit.PERCENT)
                    )
            elif sensor.address is not None:
                value = self._register(sensor.address, sensor.data_type)
                if value is not None:
                    values[sensor.sensor_id] = value
        return values

    def _frame(self, pin: int) -> tuple[float, float] | None:
        """Return temperature and humidity, or None for a frame whose checksum is wrong or that broke off."""
        chip = self._rack.dht22(pin)
        lengths = [] if chip is None else chip.pulses(1000, 200)[3:-1:][1::2]
        if len(lengths) != _BITS:
            return None
        bits = sum((length > _ONE_LONGER_THAN_US) << (_BITS - 1 - place) for place, length in enumerate(lengths))
        data = bits.to_bytes(_BITS // 8, "big")
        return Frame(data).values() if sum(data[:4]) & 0xFF == data[4] else None

    def _register(self, address: int, quantity: Quantity) -> tuple[float, Unit] | None:
        chip = self._rack.i2c(address)
        if chip is None:
            return None
        try:
            if quantity is Quantity.LIGHT_INTENSITY:
                chip.transfer(_ONCE_HIGH, 0)
                self._clock.advance(_CONVERTS_S)
                return struct.unpack(">H", chip.transfer(b"", 2))[0] / BH1750_COUNTS_PER_LUX, Unit.LUX
            is_soil = quantity is Quantity.SOIL_MOISTURE
            chip.transfer(MOISTURE if is_soil else TEMPERATURE, 0)
            self._clock.advance(_TOUCHES_S)
            if is_soil:
                return float(struct.unpack(">H", chip.transfer(b"", 2))[0]), Unit.COUNT
            return (struct.unpack(">I", chip.transfer(b"", 4))[0] & 0x3FFFFFFF) / 65536.0, Unit.DEGREE_CELSIUS
        except NoAcknowledgeError:
            return None
