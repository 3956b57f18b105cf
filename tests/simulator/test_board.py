"""The wiring: what the rig declares is what hangs on the box."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.communication.wire import Direction, NoAcknowledgeError, Pull, WireRefusedError
from dt.simulator.board import BoxWire, Output, Place, Wiring, wiring
from dt.simulator.box import Box
from dt.simulator.sensing import calibration_points
from dt.simulator.spec import PUMP, BoxSpec
from dt.utils.clock import ManualClock
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity
from dt.utils.rig import load_rig, parse_rig

RIG = Path(__file__).parents[2] / "rig.toml"


@pytest.fixture
def board(clock: ManualClock) -> BoxWire:
    """Return a box with its wiring."""
    return BoxWire(Box(BoxSpec(), clock.wall()), clock)


def test_rig_of_the_repository_is_wired_as_documented() -> None:
    """Three seesaws, BH1750 0x23, DHT22 on GPIO4, camera 0, three pumps."""
    found = wiring(load_rig(RIG))

    seesaws = {
        at: Place(
            kind="seesaw",
            zone_id="box",
            plant_id=plant,
            sensors={
                Quantity.SOIL_MOISTURE: f"seesaw-soil{suffix}",
                Quantity.SOIL_TEMPERATURE: f"seesaw-soil-temperature{suffix}",
            },
        )
        for at, plant, suffix in ((0x36, "basil", ""), (0x37, "tomato", "-tomato"), (0x38, "lettuce", "-lettuce"))
    }
    light = {Quantity.LIGHT_INTENSITY: "bh1750-light"}
    air = {Quantity.TEMPERATURE: "dht22-temperature", Quantity.HUMIDITY: "dht22-humidity"}
    picture = {Quantity.CAMERA_IMAGE: "camera"}
    assert found.i2c == seesaws | {0x23: Place(kind="bh1750", zone_id="box", sensors=light)}
    assert found.dht22 == {4: Place(kind="dht22", zone_id="box", sensors=air)}
    assert found.cameras == {0: Place(kind="camera", zone_id="box", sensors=picture)}
    assert found.outputs == {
        17: Output(name="pump"), 27: Output(name="pump-tomato"), 22: Output(name="pump-lettuce"),
    }  # fmt: skip


def test_rig_is_calibrated_by_the_nominal_curve() -> None:
    """The points in rig.toml are those of the probe in the box."""
    probes = [sensor for sensor in load_rig(RIG).sensors if sensor.data_type is Quantity.SOIL_MOISTURE]

    assert len(probes) == 3
    for probe in probes:
        assert probe.calibration is not None
        assert [tuple(point) for point in probe.calibration["points"]] == calibration_points()


def test_two_chips_at_one_address_are_refused() -> None:
    """The error names the line and the address."""
    probe = '[[sensors]]\nid = "{0}"\nkind = "seesaw"\nquantity = "soil_moisture"\nplant = "{0}"\n'
    probe += "address = 0x36\nevery_s = 1\n"
    text = '[zones.a]\n[plants.x]\nzone = "a"\n[plants.y]\nzone = "a"\n' + probe.format("x") + probe.format("y")

    with pytest.raises(ConfigError, match=r"rig.toml:13: address: 0x36 is another chip"):
        wiring(parse_rig(text))


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
    levels.append(board.box.devices[PUMP].level)
    board.pin_setup(17, Direction.OUT, Pull.NONE)
    board.pin_write(17, True)
    levels.append(board.box.devices[PUMP].level)
    board.pin_write(17, False)
    levels.append(board.box.devices[PUMP].level)

    assert levels == [0.0, 0.0, 1.0]


def test_pin_made_an_input_stops_the_pump(board: BoxWire) -> None:
    """A floating relay input releases."""
    board.pin_setup(17, Direction.OUT, Pull.NONE)
    board.pin_write(17, True)

    board.pin_setup(17, Direction.IN, Pull.NONE)

    assert board.box.devices[PUMP].level == 0.0


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
