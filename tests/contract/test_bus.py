"""One suite over every way to a simulated box: the unmodified drivers, in one process and over the socket.

The drivers sleep for real (seesaw 0.5 s at reset, BH1750 0.2 s a setting, DHT 0.25 s a look), so each is opened once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dt.collector.hardware import SimulatedHardware
from dt.collector.mocks.bus import WireBus
from dt.communication.wire import Wire, WireClient, WireServer
from dt.simulator.board import BoxWire, Place, Wiring
from dt.simulator.box import Box
from dt.simulator.chips.sht31 import words
from dt.simulator.sensing import Senses
from dt.simulator.spec import PLANT, ZONE, BoxSpec, PotSpec
from dt.utils.clock import ManualClock

SHT31 = 0x44
STATUS = words(0x8010)  # as after a reset: nobody asked for anything yet
NOON = 1_800_014_400.0  # 2027-01-15 12:00 UTC


class Bench(NamedTuple):
    """A box, and a way to it."""

    wire: Wire
    board: BoxWire
    clock: ManualClock

    @property
    def bus(self) -> WireBus:
        return WireBus(self.wire)


@pytest.fixture(scope="module", params=["in one process", "over the socket"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Return a box and one way to it."""
    clock = ManualClock(wall=NOON)
    wires = Wiring(i2c={**Wiring().i2c, SHT31: Place(kind="sht31")})
    board = BoxWire(Box(BoxSpec(pots=(PotSpec(initial_vwc=0.30),)), NOON - 6 * 3600), clock, wires)
    if request.param == "in one process":
        yield Bench(board, board, clock)
        return
    path: Path = tmp_path_factory.mktemp("wire") / "wire.sock"
    server = WireServer(board, path)
    server.start()
    client = WireClient(path)
    yield Bench(client, board, clock)
    client.close()
    server.stop()


@pytest.fixture(scope="module")
def seesaw(bench: Bench) -> Any:
    """Return Adafruit's driver of the soil probe, opened once."""
    from adafruit_seesaw.seesaw import Seesaw

    return Seesaw(bench.bus, addr=0x36)


def test_scan_finds_the_chips_of_the_rig(bench: Bench) -> None:
    """The bus shows what hangs on it, and nothing else."""
    assert bench.bus.scan() == [0x23, 0x36, SHT31]


def test_bus_slices_buffers_as_busio_does(bench: Bench) -> None:
    """`start` and `end` name the part that travels; the rest of a buffer is left alone."""
    buffer = bytearray(b"\xaa" * 5)

    bench.bus.writeto(SHT31, bytearray(b"xx\xf3\x2dxx"), start=2, end=4)
    bench.bus.readfrom_into(SHT31, buffer, start=1, end=4)

    assert buffer == bytearray(b"\xaa" + STATUS + b"\xaa")


def test_write_then_read_is_one_transaction(bench: Bench) -> None:
    """The command that was just written is the one that is answered."""
    buffer = bytearray(3)

    bench.bus.writeto_then_readfrom(SHT31, b"\xf3\x2d", buffer)

    assert buffer == STATUS


def test_absent_chip_raises_the_errors_of_linux(bench: Bench) -> None:
    """OSError 121 for a transaction; the driver's own ValueError when it probes."""
    import adafruit_bh1750

    with pytest.raises(OSError, match="0x40") as caught:
        bench.bus.writeto(0x40, b"\x00")
    assert caught.value.errno == 121
    with pytest.raises(ValueError, match="No I2C device at address: 0x5c"):
        adafruit_bh1750.BH1750(bench.bus, 0x5C)


def test_seesaw_driver_reads_moisture(bench: Bench, seesaw: Any) -> None:
    """The driver's counts are those of the probe's curve at the soil's water content, within its noise."""
    expected = Senses.of(bench.board.box, ZONE, PLANT, "0x36").expected_counts()

    assert seesaw.moisture_read() == pytest.approx(expected, abs=15)


def test_seesaw_driver_reads_its_temperature(bench: Bench, seesaw: Any) -> None:
    """The fixed-point register decodes to the soil's temperature."""
    assert seesaw.get_temp() == pytest.approx(bench.board.box.pots[PLANT].soil_degc, abs=1.0)


def test_seesaw_driver_knows_the_product(seesaw: Any) -> None:
    """Hardware id and product are those of Adafruit's soil probe (4026, SAMD09)."""
    assert seesaw.chip_id == 0x55
    assert seesaw.get_version() >> 16 == 4026


def test_bh1750_driver_reads_light(bench: Bench) -> None:
    """The driver reads the light in the box, within the chip's 5 % spread."""
    import adafruit_bh1750

    chip = adafruit_bh1750.BH1750(bench.bus)
    chip.resolution = adafruit_bh1750.Resolution.MID

    assert chip.lux == pytest.approx(bench.board.box.zones[ZONE].light_lux, rel=0.09)
    assert chip.lux > 100.0


def test_dht_driver_reads_temperature_and_humidity(bench: Bench) -> None:
    """Forty bits of pulses decode to the air's state, through the pulse input of the simulation."""
    pin = SimulatedHardware(bench.wire).pin("GPIO4")
    import adafruit_dht

    chip = adafruit_dht.DHT22(pin)

    assert chip.temperature == pytest.approx(bench.board.box.zones[ZONE].air_degc, abs=0.8)
    assert chip.humidity == pytest.approx(bench.board.box.zones[ZONE].humidity_pct, abs=3.5)
    chip.exit()


def test_dht_driver_finds_no_chip_on_an_empty_pin(bench: Bench) -> None:
    """A pin with nothing on it stays silent, and the driver says to check the wiring."""
    pin = SimulatedHardware(bench.wire).pin("GPIO5")
    import adafruit_dht

    with pytest.raises(RuntimeError, match="not found, check wiring"):
        _ = adafruit_dht.DHT22(pin).temperature


def test_pump_wets_the_probe_within_seconds(bench: Bench, seesaw: Any) -> None:
    """Six seconds of pump show in the driver's counts at once."""
    from gpiozero import OutputDevice

    from dt.communication.wire_pins import WireFactory

    before = seesaw.moisture_read()
    with WireFactory(bench.wire) as factory, OutputDevice(17, pin_factory=factory) as pump:
        pump.on()
        bench.clock.advance(6.0)
        pump.off()
        bench.clock.advance(5.0)
        after = seesaw.moisture_read()

    assert after > before + 80
