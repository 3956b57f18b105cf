"""Every fault of sensors, injected by REST while unmodified drivers read over the socket: what the collector does."""

from __future__ import annotations

import statistics

import pytest

from dt.collector.hardware import SimulatedHardware
from dt.collector.kinds.temperature import TemperatureSensor
from dt.simulator.board import BoxWire, Place, Wiring
from dt.simulator.box import Box
from dt.simulator.spec import BoxSpec
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import HealthStatus, SensorDescriptor, Verdict
from dt.utils.exceptions import SensorError
from dt.utils.quantities import Quantity
from tests.faults.field import LeapingClock, Past, Seen, spread
from tests.faults.sensor_faults import HEALTHY, RUNS_S


def middle(seen: Seen) -> float:
    """Return the median of what was published."""
    return statistics.median(seen.values)


@pytest.mark.parametrize("sensor_id", HEALTHY)
def test_no_fault_stops_a_healthy_sensor(sensor_field: Past, sensor_id: str) -> None:
    """Beside twenty-five faulty ones, some of them hanging their bus, each healthy sensor kept its cadence."""
    seen = sensor_field.seen(sensor_id)
    [declared] = [s for s in sensor_field.rig.sensors if s.sensor_id == sensor_id]

    assert len(seen.readings) + len(seen.frames) >= 0.7 * (RUNS_S - 1.0) / declared.read_interval
    assert seen.misses == 0
    assert seen.doubts == []
    assert seen.health["status"] == "ok"


def test_f01_garbage_counts_never_reach_the_median(sensor_field: Past) -> None:
    """65535 is refused look by look; the reading is made of what is left."""
    seen = sensor_field.seen("soil-f1")

    assert middle(seen) == pytest.approx(middle(sensor_field.seen("soil")), abs=12)
    assert max(seen.values) < 1024


def test_f02_stuck_temperature_is_refused_and_the_moisture_goes_on(sensor_field: Past) -> None:
    """16383 degC is no temperature; the other quantity of the same chip is not touched."""
    degc, moisture = sensor_field.seen("soil-f2-degc"), sensor_field.seen("soil-f2")

    assert degc.readings == []
    assert degc.misses >= 3
    assert "degC must lie from -20 to 60" in degc.whys[0]
    assert middle(moisture) == pytest.approx(middle(sensor_field.seen("soil")), abs=12)


def test_f03_twenty_instead_of_six_hundred_is_refused(sensor_field: Past) -> None:
    """Fewer counts than air has are no measurement."""
    seen = sensor_field.seen("soil-f3")

    assert seen.readings == []
    assert "counts must lie from 200 to 1023, and were 20" in seen.whys[0]


def test_f04_a_wrong_checksum_is_tried_again(sensor_field: Past) -> None:
    """A frame with a wrong bit is refused, the next good one is published; never an old value for a new one."""
    seen = sensor_field.seen("air-f4-temperature")

    assert seen.misses > 0
    assert "Checksum did not validate" in seen.whys[0]
    assert [r.value for r in seen.readings] == [
        pytest.approx(middle(sensor_field.seen("air-temperature")), abs=1.5)
    ] * len(seen.readings)


def test_f05_a_halved_value_with_a_valid_checksum_is_refused(sensor_field: Past) -> None:
    """Air does not jump by 11 K between two looks: what does is refused until it stays."""
    seen = sensor_field.seen("air-f5-temperature")

    assert seen.misses >= 2
    assert spread(seen.values) < 2.0
    assert "air does not jump so" in seen.whys[0]


def test_f06_a_dead_dht22_is_said_to_be(sensor_field: Past) -> None:
    """A frame that breaks off is an error with the driver's own words; after three the sensor counts as failed."""
    seen = sensor_field.seen("air-f6-temperature")

    assert seen.readings == []
    assert "A full buffer was not returned" in seen.whys[0]
    assert [report.status for report in seen.reports][-1] is HealthStatus.FAILED


def test_f06_a_power_pin_revives_a_dead_dht22() -> None:
    """With a power_pin in the rig, opening the sensor anew switches the chip off and on, which cures it."""
    places = Wiring(dht22={4: Place(kind="dht22", sensors={Quantity.TEMPERATURE: "air"}, power_pin=9)})
    clock = LeapingClock()
    board = BoxWire(Box(BoxSpec(), clock.wall()), clock, places)
    descriptor = SensorDescriptor(
        sensor_id="air", zone_id="box", data_type=Quantity.TEMPERATURE, kind="dht22", read_interval=2.0, pin="GPIO4",
        options={"power_pin": "GPIO9"},
    )  # fmt: skip
    hardware = SimulatedHardware(board, clock=clock)
    dead = TemperatureSensor.open(descriptor, hardware)
    board.order({"fault": "F6", "target": "air"})
    with pytest.raises(SensorError, match="full buffer"):
        dead.read_sensor()

    dead.close()
    without_power = board.pulses(4, 1000, 81)
    revived = TemperatureSensor.open(descriptor, hardware)

    assert without_power == []
    assert revived.read_sensor().value == pytest.approx(board.box.zones["box"].air_degc, abs=1.0)
    assert board.desk.active(board.box.now_s) == []


def test_f07_an_all_zero_frame_is_no_measurement(sensor_field: Past) -> None:
    """Its checksum is valid, and 0 degC at 0 % is not what air has."""
    for quantity in ("temperature", "humidity"):
        seen = sensor_field.seen(f"air-f7-{quantity}")
        assert seen.readings == []
        assert "all-zero frame" in seen.whys[0]


def test_f08_saturated_light_is_flagged(sensor_field: Past) -> None:
    """The sensor looks again with the least sensitivity, and says when that is not enough either."""
    seen = sensor_field.seen("light-f8")

    assert seen.values
    assert {reading.quality.verdict for reading in seen.readings if reading.quality} == {Verdict.SUSPECT}
    assert seen.doubts == ["suspect: the sensor is at the end of its range"]


@pytest.mark.parametrize(
    ("sensor_id", "why"),
    [
        ("soil-f9-deaf", "No I2C device at address: 0x3b"),
        ("soil-f9-hang", "0x3c"),
        ("soil-f9-clash", "counts must lie from 200 to 1023"),
    ],
)
def test_f09_a_bus_fault_fails_its_own_sensor_alone(sensor_field: Past, sensor_id: str, why: str) -> None:
    """No acknowledge, a bus that hangs, two chips at one address: refused, tried again with back-off, said."""
    seen = sensor_field.seen(sensor_id)

    assert seen.readings == []
    assert 2 <= seen.misses < 10
    assert why in seen.whys[0]


def test_f10_a_probe_in_the_air_is_flagged(sensor_field: Past) -> None:
    """Counts as in air are published, and doubted."""
    seen = sensor_field.seen("soil-f10-out")

    assert middle(seen) == pytest.approx(303, abs=12)
    assert seen.doubts == ["suspect: fewer than 320 counts, as in air: is the probe still in the soil?"]


def test_f10_gap_move_and_drift_are_published_as_measured(sensor_field: Past) -> None:
    """No single look shows them: the collector passes on what the chip says, and what others say stays right."""
    soil, mint = middle(sensor_field.seen("soil")), middle(sensor_field.seen("soil-mint"))

    assert middle(sensor_field.seen("soil-f10-gap")) < soil - 100
    assert middle(sensor_field.seen("soil-f10-drift")) == pytest.approx(soil - 80, abs=15)
    assert middle(sensor_field.seen("soil-f10-moved")) < mint - 30  # water that was just poured is on top
    for sensor_id in ("soil-f10-gap", "soil-f10-drift", "soil-f10-moved"):
        assert sensor_field.seen(sensor_id).misses == 0


def test_f11_a_failing_element_is_published_as_measured(sensor_field: Past) -> None:
    """Stuck, jumping and noisy values lie in the range; a rare spike is taken by the median of three looks."""
    soil = sensor_field.seen("soil")

    assert spread(sensor_field.seen("soil-f11-stuck").values) == 0.0
    assert middle(sensor_field.seen("soil-f11-jump")) == pytest.approx(middle(soil) + 0.2 * 715, abs=15)
    assert statistics.pstdev(sensor_field.seen("soil-f11-noise").values) > 2.0 * statistics.pstdev(soil.values)
    assert middle(sensor_field.seen("soil-f11-spike")) == pytest.approx(middle(soil), abs=12)


def test_f12_a_warm_probe_reads_wetter(sensor_field: Past) -> None:
    """The swing of the sun's warmth looks like a watering, and no single look tells them apart."""
    warm, soil = middle(sensor_field.seen("soil-f12")), middle(sensor_field.seen("soil"))

    assert warm == pytest.approx(soil + 64, abs=15)


def test_two_faults_on_one_sensor_add_up(sensor_field: Past) -> None:
    """Garbage counts and a deaf chip at once: what is published is right, what is not is said."""
    seen = sensor_field.seen("soil-f1-f9")

    assert seen.readings
    assert seen.misses > 0
    assert middle(seen) == pytest.approx(middle(sensor_field.seen("soil")), abs=12)


@pytest.mark.parametrize("mode", ["dark", "blurred", "blocked"])
def test_f18_a_bad_picture_is_published_and_flagged(sensor_field: Past, mode: str) -> None:
    """The picture is kept, with a word that says what is wrong with it."""
    frames = sensor_field.seen(f"camera-{mode}").frames

    assert frames
    assert {frame.flags for frame in frames} == {(mode,)}


def test_f18_a_camera_that_is_gone_fails_alone(sensor_field: Past) -> None:
    """No picture, and the health page says why."""
    seen = sensor_field.seen("camera-gone")

    assert seen.frames == []
    assert "camera 4 does not answer" in seen.whys[0]


def test_a_fault_ends_by_itself(clock: ManualClock) -> None:
    """At `until` the chip answers again; before `since` it did."""
    board = BoxWire(Box(BoxSpec(), clock.wall()), clock)
    now = clock.wall()
    board.order({"fault": "F9", "target": "seesaw-soil", "since": now + 10.0, "until": now + 20.0})
    answers = []

    for _ in range(3):
        try:
            board.i2c(0x36, b"", 0)
            answers.append("yes")
        except OSError as error:
            answers.append(str(error.errno))
        clock.advance(10.0)

    assert answers == ["yes", "121", "yes"]
