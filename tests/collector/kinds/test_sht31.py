"""The SHT31 kind on the unmodified driver, and its chip command by command."""

from __future__ import annotations

import pytest
from adafruit_sht31d import SHT31D

from dt.collector.hardware import SimulatedHardware
from dt.collector.kinds import load_kind
from dt.collector.kinds.base_sensor import Sensor, Stamp
from dt.collector.kinds.sht31 import Sht31Humidity, Sht31Temperature
from dt.collector.mocks.bus import WireBus
from dt.communication.wire_calls import NoAcknowledgeError
from dt.simulator.board import BoxWire, box_spec, wiring
from dt.simulator.box import Box
from dt.simulator.chips.sht31 import crc8, temperature_counts
from dt.utils.clock import SystemClock
from dt.utils.exceptions import SensorError
from dt.utils.quantities import Unit
from dt.utils.rig import Rig, parse_rig

STAMP = Stamp(timestamp=1_800_000_000.0, correlation_id="c", boot_id="b", sequence=0)
ROWS = """
[zones.box]
name = "Box"
[plants.basil]
zone = "box"
[[sensors]]
id = "air-temperature"
kind = "sht31"
quantity = "temperature"
zone = "box"
address = 0x45
every_s = 5
[[sensors]]
id = "air-humidity"
kind = "sht31"
quantity = "humidity"
zone = "box"
address = 0x45
every_s = 5
"""


class Meddler:
    """A wire that may flip a bit of what the chip says, or lose the chip."""

    def __init__(self, board: BoxWire) -> None:
        self._board = board
        self.flips = self.is_gone = False
        self.orders: list[bytes] = []

    def i2c(self, address: int, out: bytes, count: int) -> bytes:
        if self.is_gone:
            raise NoAcknowledgeError(address)
        self.orders.append(out)
        answer = self._board.i2c(address, out, count)
        return bytes([answer[0] ^ 1, *answer[1:]]) if self.flips and count else answer

    def __getattr__(self, name: str) -> object:
        return getattr(self._board, name)


@pytest.fixture
def rig() -> Rig:
    """Return a rig with an SHT31 whose ADDR pin is tied high."""
    return parse_rig(ROWS)


@pytest.fixture
def board(rig: Rig) -> BoxWire:
    """Return its box."""
    clock = SystemClock()
    return BoxWire(Box(box_spec(rig), clock.wall() - 3600.0), clock, wiring(rig))


@pytest.fixture
def meddler(board: BoxWire) -> Meddler:
    """Return a wire to that box."""
    return Meddler(board)


@pytest.fixture
def sensors(rig: Rig, meddler: Meddler) -> list[Sensor]:
    """Return both sensors, opened as the collector opens them."""
    hardware = SimulatedHardware(meddler)  # type: ignore[arg-type]
    return [load_kind(descriptor).open(descriptor, hardware) for descriptor in rig.sensors]


@pytest.fixture
def driver(board: BoxWire) -> SHT31D:
    """Return the driver itself on the box's chip."""
    return SHT31D(WireBus(board), 0x45)


def test_one_look_serves_both_quantities(sensors: list[Sensor], board: BoxWire, meddler: Meddler) -> None:
    """The chip is opened once, and asked once: both readings bear the same time."""
    temperature, humidity = sensors
    assert isinstance(temperature, Sht31Temperature)
    assert isinstance(humidity, Sht31Humidity)

    warm, damp = temperature.read_sensor(), humidity.read_sensor()

    assert warm.taken_at == damp.taken_at is not None
    assert warm.value == pytest.approx(board.box.zones["box"].air_degc, abs=0.4)
    assert damp.value == pytest.approx(board.box.zones["box"].humidity_pct, abs=2.0)
    assert temperature.process_data(warm, STAMP).unit is Unit.DEGREE_CELSIUS
    assert humidity.process_data(damp, STAMP).unit is Unit.PERCENT
    assert meddler.orders.count(b"\x30\xa2") == 1
    assert meddler.orders.count(b"\x24\x00") == 2


def test_a_wrong_checksum_is_an_error_of_that_look(sensors: list[Sensor], meddler: Meddler) -> None:
    """A bit that flips on the way is noticed; the next look is a new one."""
    meddler.flips = True
    with pytest.raises(SensorError, match="SHT31 at 0x45: CRC mismatch"):
        sensors[0].read_sensor()

    meddler.flips = False
    assert sensors[0].read_sensor().value > 0.0


def test_a_chip_that_vanishes_comes_back(sensors: list[Sensor], meddler: Meddler) -> None:
    """No acknowledge (F9) is a sensor error; closing lets the chip be opened anew."""
    meddler.is_gone = True
    with pytest.raises(SensorError, match="SHT31 at 0x45"):
        sensors[0].read_sensor()

    sensors[0].close()
    meddler.is_gone = False
    assert sensors[1].read_sensor().value > 0.0
    assert meddler.orders.count(b"\x30\xa2") == 2


@pytest.mark.parametrize("repeatability", ["High", "Medium", "Low"])
@pytest.mark.parametrize("stretching", [False, True])
def test_every_single_shot_of_the_driver_works(
    driver: SHT31D, board: BoxWire, repeatability: str, stretching: bool
) -> None:
    """With and without clock stretching."""
    driver.repeatability = repeatability
    driver.clock_stretching = stretching

    assert driver.temperature == pytest.approx(board.box.zones["box"].air_degc, abs=0.5)
    assert driver.relative_humidity == pytest.approx(board.box.zones["box"].humidity_pct, abs=2.0)


def test_heater_and_status_are_the_datasheets(driver: SHT31D) -> None:
    """The heater has its bit and warms; a reset ends it and has a bit too, until the status is cleared."""
    cold = driver.temperature
    driver.heater = True
    assert driver.heater
    assert driver.temperature > cold + 2.0

    driver._reset()
    assert not driver.heater
    assert driver.status & 1 << 4
    driver._command(0x3041)
    assert not driver.status & 1 << 4


def test_an_unknown_command_is_noted_and_a_read_without_an_order_is_not_acknowledged(board: BoxWire) -> None:
    """As the chip does; the serial number comes with its checksums."""
    board.i2c(0x45, b"\x12\x34", 0)
    with pytest.raises(NoAcknowledgeError):
        board.i2c(0x45, b"", 6)
    board.i2c(0x45, b"\xf3\x2d", 0)
    assert board.i2c(0x45, b"", 3)[1] & 1 << 1
    board.i2c(0x45, b"\x30\x66", 0)
    board.i2c(0x45, b"\xf3\x2d", 0)
    assert not board.i2c(0x45, b"", 3)[1] & 1 << 1

    board.i2c(0x45, b"\x37\x80", 0)
    serial = board.i2c(0x45, b"", 6)
    assert [serial[2], serial[5]] == [crc8(serial[:2]), crc8(serial[3:5])]


def test_counts_cover_the_range_of_the_datasheet() -> None:
    """-45 to 130 degC in 16 bits; what lies beyond is clipped."""
    assert [temperature_counts(t) for t in (-60.0, -45.0, 130.0, 200.0)] == [0, 0, 0xFFFF, 0xFFFF]
