"""Every kind on the unmodified driver, and the traps that its chip has in the field."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from dt.collector.hardware import SimulatedHardware
from dt.collector.kinds import KINDS, find_kind, load_kind
from dt.collector.kinds.base_sensor import Stamp
from dt.collector.kinds.camera import CameraSensor
from dt.collector.kinds.dht22 import Dht22
from dt.collector.kinds.humidity import HumiditySensor
from dt.collector.kinds.light_intensity import LightSensor
from dt.collector.kinds.soil_moisture import SoilMoistureSensor
from dt.collector.kinds.temperature import TemperatureSensor
from dt.communication.frames import frame_from_headers, is_jpeg
from dt.communication.wire_calls import NoAcknowledgeError
from dt.simulator.board import BoxWire
from dt.simulator.chips.dht22 import encode
from dt.simulator.sensing import Senses
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError, SensorError
from dt.utils.quantities import Quantity, Unit
from dt.utils.rig import Rig

STAMP = Stamp(timestamp=1_800_000_000.123, correlation_id="c-1", boot_id="boot", sequence=4, clock_synced=False)
MOISTURE = b"\x0f\x10"


class Trickster:
    """A wire that lies at one place and is honest everywhere else."""

    def __init__(self, board: BoxWire) -> None:
        self._board = board
        self.moisture: Iterator[int] | None = None
        self.frames: list[bytes | None] = []
        self.silent: set[int] = set()
        self.jpeg: bytes | None = None
        self._register = b""

    def i2c(self, address: int, out: bytes, count: int) -> bytes:
        if address in self.silent:
            raise NoAcknowledgeError(address)
        self._register = out or self._register
        if self.moisture is not None and self._register == MOISTURE and count:
            return next(self.moisture).to_bytes(2, "big")
        return self._board.i2c(address, out, count)

    def pulses(self, pin: int, trigger_us: int, max_pulses: int) -> list[int]:
        if not self.frames:
            return self._board.pulses(pin, trigger_us, max_pulses)
        frame = self.frames.pop(0)
        if frame is None:
            return [80, 80, *[50, 26] * 10]
        bits = [frame[i // 8] >> (7 - i % 8) & 1 for i in range(40)]
        return [length for bit in bits for length in (50, 70 if bit else 26)] + [50]

    def capture(self, camera: int) -> bytes:
        return self._board.capture(camera) if self.jpeg is None else self.jpeg

    def __getattr__(self, name: str) -> object:
        return getattr(self._board, name)


@pytest.fixture
def trickster(board: BoxWire) -> Trickster:
    """Return a wire to the box that can lie."""
    return Trickster(board)


@pytest.fixture
def tricked(trickster: Trickster) -> SimulatedHardware:
    """Return the hardware at the end of that wire."""
    return SimulatedHardware(trickster)  # type: ignore[arg-type]


def declared(rig: Rig, sensor_id: str) -> SensorDescriptor:
    """Return a sensor of the rig."""
    return next(sensor for sensor in rig.sensors if sensor.sensor_id == sensor_id)


def test_soil_probe_gives_raw_counts(rig: Rig, hardware: SimulatedHardware, board: BoxWire) -> None:
    """The value is the chip's own, uncalibrated, in counts."""
    sensor = SoilMoistureSensor.open(declared(rig, "seesaw-soil"), hardware)

    reading = sensor.process_data(sensor.read_sensor(), STAMP)

    assert reading.value == pytest.approx(Senses.of(board.box, "box", "basil", "0x36").expected_counts(), abs=10)
    assert (reading.unit, reading.data_type, reading.plant_id) == (Unit.COUNT, Quantity.SOIL_MOISTURE, "basil")
    assert (reading.timestamp, reading.sequence, reading.boot_id) == (1_800_000_000.123, 4, "boot")
    assert reading.clock_synced is False


def test_soil_probe_rejects_strange_values_before_the_median(
    rig: Rig, tricked: SimulatedHardware, trickster: Trickster
) -> None:
    """65535 (F1) and 20 (F3) never reach the result; values around them do. A chip that is gone says so."""
    sensor = SoilMoistureSensor.open(declared(rig, "seesaw-soil"), tricked)
    trickster.moisture = iter([65535, 612, 20, 65535, 640, 615])
    assert sensor.read_sensor().value == 615.0

    trickster.moisture = iter([20] * 99)
    with pytest.raises(SensorError, match="from 200 to 1023, and were 20"):
        sensor.read_sensor()

    trickster.moisture = iter([65535] * 999)
    with pytest.raises(SensorError, match="65535"):
        sensor.read_sensor()

    trickster.silent = {0x36}
    with pytest.raises(SensorError, match="soil probe at 0x36"):
        sensor.read_sensor()


def test_absent_chip_is_a_sensor_error_that_names_it(
    rig: Rig, tricked: SimulatedHardware, trickster: Trickster
) -> None:
    """Opening a sensor whose chip is not there is an error of that sensor, and may be tried again."""
    trickster.silent = {0x23}

    with pytest.raises(SensorError, match="BH1750 at 0x23") as caught:
        LightSensor.open(declared(rig, "bh1750-light"), tricked)

    assert caught.value.retriable


def test_light_sensor_survives_a_chip_that_lost_its_power(
    rig: Rig, hardware: SimulatedHardware, board: BoxWire
) -> None:
    """A chip that was off in between would answer 0 for ever; each look sets its mode. Saturation is said."""
    sensor = LightSensor.open(declared(rig, "bh1750-light"), hardware)
    board.box.drive("box/lamp", 1.0)
    board.i2c(0x23, b"\x00", 0)
    board.i2c(0x23, b"\x01\x07", 0)

    reading = sensor.process_data(sensor.read_sensor(), STAMP)

    assert reading.value > 1000.0
    assert reading.unit is Unit.LUX
    assert reading.quality is None


def test_one_look_at_a_dht22_serves_both_sensors(rig: Rig, hardware: SimulatedHardware, board: BoxWire) -> None:
    """Temperature and humidity come of the same frame, with the same time, and the chip is opened once."""
    temperature = TemperatureSensor.open(declared(rig, "dht22-temperature"), hardware)
    humidity = HumiditySensor.open(declared(rig, "dht22-humidity"), hardware)

    warm, damp = temperature.read_sensor(), humidity.read_sensor()

    assert warm.taken_at == damp.taken_at is not None
    assert warm.value == pytest.approx(board.box.zones["box"].air_degc, abs=0.8)
    assert damp.value == pytest.approx(board.box.zones["box"].humidity_pct, abs=3.5)
    assert temperature.process_data(warm, STAMP).unit is Unit.DEGREE_CELSIUS
    assert humidity.process_data(damp, STAMP).unit is Unit.PERCENT


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (bytes(5), "all-zero frame"),
        (encode(21.0, 50.0)[:4] + b"\x00", "Checksum did not validate"),
        (None, "full buffer was not returned"),
    ],
)
def test_bad_dht22_frame_is_an_error_and_no_old_value(
    tricked: SimulatedHardware, trickster: Trickster, clock: ManualClock, frame: bytes | None, why: str
) -> None:
    """The driver repeats its old value for 2 s after a failed look; the sensor repeats the error (F4, F6, F7)."""
    chip = Dht22(tricked.pin("GPIO4"), "GPIO4", clock)
    trickster.frames = [frame]

    for _ in range(2):
        with pytest.raises(SensorError, match=why):
            chip.look()


def test_frost_has_its_sign(tricked: SimulatedHardware, trickster: Trickster, clock: ManualClock) -> None:
    """A negative temperature arrives negative."""
    chip = Dht22(tricked.pin("GPIO4"), "GPIO4", clock)
    trickster.frames = [encode(-7.3, 81.0)]

    pair = chip.look()

    assert (pair.temperature_degc, pair.humidity_pct, pair.at) == (-7.3, 81.0, clock.wall())


def test_opening_a_dht22_leaves_signals_alone(tricked: SimulatedHardware) -> None:
    """A service's own SIGTERM handler stays, whatever a driver installs."""

    def mine(*_: object) -> None: ...

    before = signal.signal(signal.SIGTERM, mine)
    try:
        Dht22(tricked.pin("GPIO4"), "GPIO4")
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_camera_publishes_the_jpeg_with_its_description(rig: Rig, hardware: SimulatedHardware) -> None:
    """The record's value is the picture; its headers are the frame; its key the zone."""
    sensor = CameraSensor.open(declared(rig, "camera"), hardware)

    record = sensor.outgoing(sensor.read_sensor(), STAMP)

    assert record.topic == "dt.sensors.camera_image.raw"
    assert record.key == "box"
    assert record.value is not None
    assert is_jpeg(record.value)
    frame = frame_from_headers(record.headers)
    assert (frame.width, frame.height, frame.sensor_id, frame.plant_id) == (640, 480, "camera", None)
    assert (frame.size_bytes, frame.sequence, frame.boot_id) == (len(record.value), 4, "boot")


def test_unusable_picture_is_a_sensor_error(rig: Rig, tricked: SimulatedHardware, trickster: Trickster) -> None:
    """What is no picture is not published."""
    sensor = CameraSensor.open(declared(rig, "camera"), tricked)
    trickster.jpeg = b"no picture"

    with pytest.raises(SensorError, match="10 bytes that are no JPEG"):
        sensor.outgoing(sensor.read_sensor(), STAMP)


@pytest.mark.parametrize(("kind", "quantity"), sorted(KINDS))
def test_every_kind_of_the_table_fits_its_quantity(kind: str, quantity: Quantity) -> None:
    """A row of the table names a class that measures what the row says."""
    descriptor = SensorDescriptor(sensor_id="x", zone_id="z", data_type=quantity, kind=kind, read_interval=1.0)

    assert load_kind(descriptor).quantity is quantity


def test_unknown_kind_is_refused_with_what_there_is() -> None:
    """The error names the sensor, the kind and the kinds that are known."""
    descriptor = SensorDescriptor(
        sensor_id="x", zone_id="z", data_type=Quantity.HUMIDITY, kind="dht23", read_interval=1.0
    )

    with pytest.raises(
        ConfigError, match=r"sensor x: no kind 'dht23' measures humidity; there are .*dht22 \(humidity\)"
    ):
        find_kind(descriptor)


def test_an_option_that_the_kind_does_not_have_is_refused() -> None:
    """A key that was mistyped in the rig does not pass for an option."""
    descriptor = SensorDescriptor(
        sensor_id="x",
        zone_id="z",
        data_type=Quantity.HUMIDITY,
        kind="dht22",
        read_interval=1.0,
        options={"adress": 3},
    )

    with pytest.raises(ConfigError, match="sensor x: adress is no option of kind dht22"):
        find_kind(descriptor)


@pytest.mark.parametrize(
    ("kind", "quantity", "option", "value", "why"),
    [
        ("bh1750", Quantity.LIGHT_INTENSITY, "resolution", "fine", "must be one of high, mid, low, not 'fine'"),
        ("bh1750", Quantity.LIGHT_INTENSITY, "measurement_time", 30, "must be a whole number from 31 to 254, not 30"),
        ("bh1750", Quantity.LIGHT_INTENSITY, "auto_range", "no", "must be true or false, not 'no'"),
        ("camera", Quantity.CAMERA_IMAGE, "width", True, "must be a whole number from 64 to 4096, not True"),
        ("camera", Quantity.CAMERA_IMAGE, "timeout_s", 0.1, "must be a number from 1 to 120, not 0.1"),
        ("camera", Quantity.CAMERA_IMAGE, "device", 0, "must be a text, not 0"),
    ],
)
def test_an_option_with_a_wrong_value_is_refused(
    kind: str, quantity: Quantity, option: str, value: object, why: str
) -> None:
    """The error names the sensor, the option and its limits, before any chip is opened."""
    descriptor = SensorDescriptor(
        sensor_id="x", zone_id="z", data_type=quantity, kind=kind, read_interval=1.0, options={option: value}
    )

    with pytest.raises(ConfigError, match=f"sensor x: {option} {why}"):
        find_kind(descriptor)


def test_known_kind_of_another_quantity_is_refused() -> None:
    """A BH1750 measures no soil."""
    descriptor = SensorDescriptor(
        sensor_id="x", zone_id="z", data_type=Quantity.SOIL_MOISTURE, kind="bh1750", read_interval=1.0
    )

    with pytest.raises(ConfigError, match="no kind 'bh1750' measures soil_moisture"):
        find_kind(descriptor)


def test_kinds_are_found_without_loading_their_libraries() -> None:
    """Checking a rig imports no driver."""
    descriptor = SensorDescriptor(
        sensor_id="x", zone_id="z", data_type=Quantity.LIGHT_INTENSITY, kind="bh1750", read_interval=1.0
    )

    assert find_kind(descriptor) == EntryPoint("bh1750", "dt.collector.kinds.light_intensity:LightSensor", "dt.sensors")
