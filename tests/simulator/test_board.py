"""The wiring: what the rig declares is what hangs on the box."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.communication.wire import Direction, NoAcknowledgeError, Pull, WireRefusedError
from dt.simulator.board import BoxWire, Output, Wiring, box_spec, wiring
from dt.simulator.box import PUMP, Box
from dt.simulator.sensing import calibration_points
from dt.simulator.spec import BoxSpec
from dt.utils.clock import ManualClock
from dt.utils.exceptions import ConfigError
from dt.utils.rig import load_rig, parse_rig

RIG = Path(__file__).parents[2] / "rig.toml"


@pytest.fixture
def board(clock: ManualClock) -> BoxWire:
    """Return a box with its wiring."""
    return BoxWire(Box(BoxSpec(), clock.wall()), clock)


def test_rig_of_the_repository_is_wired_as_documented() -> None:
    """Seesaw 0x36, BH1750 0x23, DHT22 on GPIO4, camera 0, pump on GPIO17."""
    found = wiring(load_rig(RIG))

    assert found.i2c == {0x36: "seesaw", 0x23: "bh1750"}
    assert found.dht22_pins == (4,)
    assert found.cameras == (0,)
    assert found.outputs[17] == Output(name=PUMP)


def test_box_stands_where_the_rig_says() -> None:
    """Place, pot and pump come from the rig file."""
    spec = box_spec(load_rig(RIG), seed=3)

    assert (spec.site.latitude_deg, spec.site.timezone) == (45.07, "Europe/Rome")
    assert (spec.pot.plant_id, spec.pot.volume_ml) == ("basil", 2000.0)
    assert (spec.pump.flow_ml_s, spec.seed) == (50.0, 3)


def test_rig_is_calibrated_by_the_nominal_curve() -> None:
    """The points in rig.toml are those of the probe in the box."""
    [probe] = [sensor for sensor in load_rig(RIG).sensors if sensor.kind == "seesaw"]
    assert probe.calibration is not None

    assert [tuple(point) for point in probe.calibration["points"]] == calibration_points()


def test_second_pot_is_refused() -> None:
    """One pot is what the box has; a rig with two says so instead of reading one pot twice."""
    text = '[zones.a]\n[plants.x]\nzone = "a"\n[plants.y]\nzone = "a"\n'

    with pytest.raises(ConfigError, match="exactly one pot"):
        box_spec(parse_rig(text))


def test_missing_chip_does_not_acknowledge(clock: ManualClock) -> None:
    """An address without a chip is silent."""
    board = BoxWire(Box(BoxSpec(), clock.wall()), clock, Wiring(i2c={}))

    with pytest.raises(NoAcknowledgeError):
        board.i2c(0x36, b"", 0)


def test_active_low_pump_runs_at_low_level(clock: ManualClock) -> None:
    """A relay board that switches at low is off at high, and off while its pin is an input."""
    low = Wiring(outputs={17: Output(name=PUMP, active_high=False)})
    board = BoxWire(Box(BoxSpec(), clock.wall()), clock, low)
    levels = []

    board.pin_setup(17, Direction.IN, Pull.NONE)
    levels.append(board.box.levels[PUMP])
    board.pin_setup(17, Direction.OUT, Pull.NONE)
    board.pin_write(17, True)
    levels.append(board.box.levels[PUMP])
    board.pin_write(17, False)
    levels.append(board.box.levels[PUMP])

    assert levels == [0.0, 0.0, 1.0]


def test_pin_made_an_input_stops_the_pump(board: BoxWire) -> None:
    """A floating relay input releases."""
    board.pin_setup(17, Direction.OUT, Pull.NONE)
    board.pin_write(17, True)

    board.pin_setup(17, Direction.IN, Pull.NONE)

    assert board.box.levels[PUMP] == 0.0


def test_writing_to_an_input_is_refused(board: BoxWire) -> None:
    """A level needs an output."""
    with pytest.raises(WireRefusedError, match="no output"):
        board.pin_write(17, True)


@pytest.mark.parametrize(("duty", "frequency_hz"), [(1.5, 100.0), (-0.1, 100.0), (0.5, 0.0)])
def test_impossible_pwm_is_refused(board: BoxWire, duty: float, frequency_hz: float) -> None:
    """Duty lies between 0 and 1, frequency above 0."""
    board.pin_setup(17, Direction.OUT, Pull.NONE)

    with pytest.raises(WireRefusedError):
        board.pwm(17, duty, frequency_hz)


def test_unknown_camera_is_refused(board: BoxWire) -> None:
    """The error names the camera."""
    with pytest.raises(WireRefusedError, match="no camera 3"):
        board.capture(3)


def test_box_catches_up_with_the_clock_at_every_call(board: BoxWire, clock: ManualClock) -> None:
    """Between calls the box needs no thread of its own."""
    clock.advance(3600.0)

    assert board.state()["timestamp"] == pytest.approx(clock.wall())


def test_pull_up_reads_high_until_somebody_pushes(board: BoxWire) -> None:
    """An input follows its resistor, and whoever drives it."""
    board.pin_setup(22, Direction.IN, Pull.UP)
    levels = [board.pin_read(22)]

    board.push(22, False)
    levels.append(board.pin_read(22))
    board.push(22, None)
    levels.append(board.pin_read(22))

    assert levels == [True, False, True]
