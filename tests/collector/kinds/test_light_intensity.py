"""The BH1750 sensor on the unmodified driver: modes, measurement times, and the end of the range (F8)."""

from __future__ import annotations

from typing import Any

import pytest

from dt.collector.hardware import SimulatedHardware
from dt.collector.kinds.base_sensor import Stamp
from dt.collector.kinds.light_intensity import LightSensor, range_end_lux
from dt.simulator.board import BoxWire, box_spec, wiring
from dt.simulator.box import Box
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import SensorDescriptor, Verdict
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig

STAMP = Stamp(timestamp=1_800_000_000.0, correlation_id="c", boot_id="b", sequence=0)


@pytest.fixture
def still(rig: Rig, clock: ManualClock) -> BoxWire:
    """Return a box in which time, and so light, stands still."""
    return BoxWire(Box(box_spec(rig), clock.wall()), clock, wiring(rig))


def opened(still: BoxWire, lux: float, **options: Any) -> LightSensor:
    """Return a sensor in so much light."""
    still.box.zones["box"].light_lux = lux
    descriptor = SensorDescriptor(
        sensor_id="light", zone_id="box", data_type=Quantity.LIGHT_INTENSITY, kind="bh1750", read_interval=2.0,
        address=0x23, options=options,
    )  # fmt: skip
    return LightSensor.open(descriptor, SimulatedHardware(still))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"resolution": "high"},
        {"resolution": "low"},
        {"resolution": "mid", "measurement_time": 31},
        {"resolution": "high", "measurement_time": 138},
    ],
    ids=str,
)
def test_every_mode_gives_the_same_lux(still: BoxWire, options: dict[str, Any]) -> None:
    """The driver knows nothing of the measurement time; the sensor takes it out again."""
    raw = opened(still, 9_000.0, **options).read_sensor()

    assert raw.value == pytest.approx(9_000.0, rel=0.09)  # the chip's own gain and noise
    assert not raw.saturated


def test_beyond_the_range_it_looks_again_less_sensitively(still: BoxWire) -> None:
    """Full sun is measured, not clipped; when the light is back in the fine range, so is the sensor."""
    sensor = opened(still, 100_000.0, resolution="high")

    in_sun = [sensor.read_sensor(), sensor.read_sensor()]
    still.box.zones["box"].light_lux = 300.0
    in_shade = [sensor.read_sensor(), sensor.read_sensor()]

    for raw in in_sun:
        assert raw.value == pytest.approx(100_000.0, rel=0.09)
        assert not raw.saturated
    assert [raw.value for raw in in_shade] == [pytest.approx(300.0, rel=0.09)] * 2
    assert in_shade[1].value * 2.4 == pytest.approx(round(in_shade[1].value * 2.4))  # whole counts of the fine mode


@pytest.mark.parametrize(
    ("lux", "options", "end"),
    [
        pytest.param(60_000.0, {"auto_range": False, "resolution": "low"}, 54_612.5, marks=pytest.mark.slow),
        pytest.param(30_000.0, {"auto_range": False, "resolution": "high"}, 27_306.25, marks=pytest.mark.slow),
        (150_000.0, {}, 121_557.0),
    ],
)
def test_the_end_of_the_range_is_said(still: BoxWire, lux: float, options: dict[str, Any], end: float) -> None:
    """A clipped value is suspect, never passed on in silence."""
    sensor = opened(still, lux, **options)

    reading = sensor.process_data(sensor.read_sensor(), STAMP)

    assert reading.value == pytest.approx(end, rel=1e-4)
    assert reading.quality is not None
    assert (reading.quality.verdict, reading.quality.check) == (Verdict.SUSPECT, "saturation")


@pytest.mark.slow
def test_a_chip_that_lost_its_power_is_set_up_at_the_next_look(still: BoxWire) -> None:
    """Measurement time and mode are said at every look."""
    sensor = opened(still, 5_000.0, resolution="mid", measurement_time=31)
    for opcode in (b"\x00", b"\x42", b"\x65"):  # off, and the default time again
        still.i2c(0x23, opcode, 0)

    assert sensor.read_sensor().value == pytest.approx(5_000.0, rel=0.09)


def test_the_ranges_are_the_datasheets() -> None:
    """More than 100 klux with the shortest time, 0.11 lux per count with the longest."""
    assert range_end_lux("mid", 31) > 100_000.0
    assert range_end_lux("high", 254) / 0xFFFF == pytest.approx(0.11, abs=0.005)
