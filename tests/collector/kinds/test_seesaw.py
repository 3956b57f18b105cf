"""The soil probe: two quantities of one chip, several probes on one bus, and what its chip gets wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from dt.collector.hardware import SimulatedHardware
from dt.collector.kinds.base_sensor import Stamp
from dt.collector.kinds.soil_moisture import SoilMoistureSensor
from dt.collector.kinds.soil_temperature import SoilTemperatureSensor
from dt.communication.wire_calls import NoAcknowledgeError
from dt.simulator.board import BoxWire, Place, Wiring, box_spec
from dt.simulator.box import Box
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import SensorError
from dt.utils.quantities import Quantity, Unit
from dt.utils.rig import Rig

STAMP = Stamp(timestamp=1_800_000_000.0, correlation_id="c", boot_id="b", sequence=0)
TEMPERATURE = b"\x00\x04"
STUCK = 0x3FFFFFFF  # what the driver's mask makes of ones: 16383.99 degC


class BadWire:
    """A wire to honest probes, of which some are gone and one has strange thermometer counts."""

    def __init__(self, board: BoxWire) -> None:
        self._board = board
        self._register = b""
        self.gone: set[int] = set()
        self.temperatures: Iterator[int] | None = None
        self.openings = 0

    def i2c(self, address: int, out: bytes, count: int) -> bytes:
        if address in self.gone:
            raise NoAcknowledgeError(address)
        self._register = out[:2] or self._register
        self.openings += out[:2] == b"\x00\x7f"
        if self.temperatures is not None and self._register == TEMPERATURE and count:
            return struct.pack(">I", next(self.temperatures) & 0xFFFFFFFF)
        return self._board.i2c(address, out, count)

    def __getattr__(self, name: str) -> object:
        return getattr(self._board, name)


@pytest.fixture
def wire(rig: Rig, clock: ManualClock) -> BadWire:
    """Return a bus with three probes."""
    probe = Place(kind="seesaw", plant_id="basil")
    places = Wiring(i2c={0x36: probe, 0x37: probe, 0x38: probe}, cameras={})
    return BadWire(BoxWire(Box(box_spec(rig), clock.wall()), clock, places))


@pytest.fixture
def hardware(wire: BadWire) -> SimulatedHardware:
    """Return the hardware at the end of that wire."""
    return SimulatedHardware(wire)  # type: ignore[arg-type]


def probe(quantity: Quantity, address: int = 0x36) -> SensorDescriptor:
    """Return one quantity of the probe at an address."""
    return SensorDescriptor(
        sensor_id=f"{quantity}-{address:#x}", zone_id="box", plant_id="basil", data_type=quantity, kind="seesaw",
        read_interval=1.0, address=address,
    )  # fmt: skip


def counts_of(degc: float) -> int:
    """Return a temperature as the chip's 16.16 fixed point."""
    return round(degc * 65_536)


def test_both_quantities_share_one_chip(hardware: SimulatedHardware, wire: BadWire) -> None:
    """The chip is opened, and so reset, once; forgetting it by one sensor opens it anew for both."""
    moisture = SoilMoistureSensor.open(probe(Quantity.SOIL_MOISTURE), hardware)
    temperature = SoilTemperatureSensor.open(probe(Quantity.SOIL_TEMPERATURE), hardware)

    reading = temperature.process_data(temperature.read_sensor(), STAMP)

    assert 300.0 < moisture.read_sensor().value < 1015.0
    assert 5.0 < reading.value < 40.0
    assert (reading.unit, reading.data_type) == (Unit.DEGREE_CELSIUS, Quantity.SOIL_TEMPERATURE)
    assert temperature.topic.raw == "dt.sensors.soil_temperature.raw"
    assert wire.openings == 1
    moisture.close()
    temperature.read_sensor()
    moisture.read_sensor()
    assert wire.openings == 2


def test_frost_has_its_sign(hardware: SimulatedHardware, wire: BadWire) -> None:
    """The driver's own get_temp would say 16380.5; the median of three looks stays the median."""
    sensor = SoilTemperatureSensor.open(probe(Quantity.SOIL_TEMPERATURE), hardware)
    wire.temperatures = iter([counts_of(-3.5), counts_of(-3.25), counts_of(-3.75)])

    assert sensor.read_sensor().value == -3.5


def test_stuck_temperatures_are_rejected_before_the_median(hardware: SimulatedHardware, wire: BadWire) -> None:
    """16383 (F2) and a floating bus never reach the result; a probe that says nothing else is an error."""
    sensor = SoilTemperatureSensor.open(probe(Quantity.SOIL_TEMPERATURE), hardware)
    wire.temperatures = iter([STUCK, counts_of(21.0), -1, STUCK, counts_of(23.0), counts_of(22.0)])
    assert sensor.read_sensor().value == 22.0

    wire.temperatures = iter([STUCK] * 99)
    with pytest.raises(SensorError, match="soil probe at 0x36: degC must lie from -20 to 60, and were 16384"):
        sensor.read_sensor()


@pytest.mark.slow
def test_a_probe_that_vanishes_fails_alone_and_comes_back(hardware: SimulatedHardware, wire: BadWire) -> None:
    """Three pots on one bus: one is pulled out, the others are read on; plugged in again it opens anew."""
    sensors = [SoilMoistureSensor.open(probe(Quantity.SOIL_MOISTURE, a), hardware) for a in (0x36, 0x37, 0x38)]
    wire.gone = {0x37}

    assert sensors[0].read_sensor().value > 300.0
    with pytest.raises(SensorError, match="soil probe at 0x37"):
        sensors[1].read_sensor()
    assert sensors[2].read_sensor().value > 300.0
    sensors[1].close()
    with pytest.raises(SensorError, match="soil probe at 0x37") as caught:
        SoilMoistureSensor.open(probe(Quantity.SOIL_MOISTURE, 0x37), hardware)
    assert caught.value.retriable

    wire.gone = set()
    again = SoilMoistureSensor.open(probe(Quantity.SOIL_MOISTURE, 0x37), hardware)
    assert again.read_sensor().value > 300.0
