"""The pins through gpiozero on a wire: levels, safe states, what is read back, and the emergency-stop button."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.communication.wire import Direction, Pull
from dt.communication.wire_pins import WireFactory
from dt.controller.guard_client import InProcessGuard
from dt.controller.guard_pins import PinError, Pins
from dt.controller.guard_types import GuardUnreachableError, OutputConfig, StopInput
from dt.utils.clock import ManualClock
from tests.controller.guard_box import PinBoard, order
from tests.controller.outputs import mixed_config

FAN = OutputConfig(actuator_id="fan", pin=12, output_class="fan", pwm_hz=100.0, max_on_s=600.0, pause_s=0.0)
LOW_LAMP = OutputConfig(actuator_id="lamp", pin=13, output_class="light", pwm_hz=200.0, active_high=False)
PUMP = OutputConfig(actuator_id="pump", pin=17)
LOW_PUMP = OutputConfig(actuator_id="low", pin=27, active_high=False)


@pytest.fixture
def board() -> PinBoard:
    """A board of pins on which a normally closed button connects GPIO5 to ground."""
    board = PinBoard()
    board.pulled_low.add(5)
    return board


@pytest.fixture
def pins(board: PinBoard) -> Iterator[Pins]:
    """Outputs of every sort, and the button."""
    pins = Pins([FAN, LOW_LAMP, PUMP, LOW_PUMP], WireFactory(board), StopInput(pin=5))
    yield pins
    pins.close()


def test_every_output_is_claimed_in_its_safe_state(board: PinBoard, pins: Pins) -> None:
    """Low, or high for one that is on when its pin is low."""
    assert (board.duties[12], board.duties[13], board.duties[17], board.duties[27]) == (0.0, 1.0, 0.0, 1.0)
    assert pins.read() == {"fan": 0.0, "lamp": 0.0, "pump": 0.0, "low": 0.0}


def test_a_level_is_a_duty_where_the_output_has_pwm(board: PinBoard, pins: Pins) -> None:
    """And is read back as a level, whichever way round the pin works."""
    for name, level in (("fan", 0.25), ("lamp", 0.25), ("pump", 1.0), ("low", 1.0)):
        pins.set(name, level)

    assert (board.duties[12], board.duties[13], board.duties[17], board.duties[27]) == (0.25, 0.75, 1.0, 0.0)
    assert pins.read() == {"fan": 0.25, "lamp": 0.25, "pump": 1.0, "low": 1.0}
    for name in ("fan", "lamp", "pump", "low"):
        pins.set(name, 0.0)
    assert set(pins.read().values()) == {0.0}


def test_a_claim_ends_what_a_dead_process_left_on(board: PinBoard) -> None:
    """Its PWM too."""
    board.pin_setup(12, Direction.OUT, Pull.NONE)
    board.pwm(12, 0.7, 100.0)

    pins = Pins([FAN], WireFactory(board))

    assert board.duties[12] == 0.0
    pins.close()


@pytest.mark.parametrize("level", [-0.5, 1.5])
def test_a_level_that_is_none_is_an_error_of_the_pin(pins: Pins, level: float) -> None:
    """The one error that the guard knows."""
    with pytest.raises(PinError, match="fan"):
        pins.set("fan", level)


@pytest.mark.parametrize("normally_closed", [True, False])
def test_s09_a_button_is_read_by_what_it_does_when_pressed(normally_closed: bool) -> None:
    """A normally closed one opens, and a broken wire looks the same; the other one closes."""
    board = PinBoard()
    pins = Pins([], WireFactory(board), StopInput(pin=5, normally_closed=normally_closed))
    seen = []
    for is_closed in (True, False):
        (board.pulled_low.add if is_closed else board.pulled_low.discard)(5)
        seen.append(pins.is_button_pressed())

    assert seen == [not normally_closed, normally_closed]
    pins.close()


class Desk:
    """A guard of the mixed box with a button on the board."""

    def __init__(self, folder: Path, board: PinBoard, clock: ManualClock) -> None:
        self.board, self.clock = board, clock
        config = mixed_config(folder)
        self.pins = Pins(config.outputs, WireFactory(board), StopInput(pin=5))
        self.guard = InProcessGuard(
            config=config, set_pin=self.pins.set, clock=clock, threaded=False, is_synced=lambda: False,
            read_button=self.pins.is_button_pressed, on_close=self.pins.close,
        )  # fmt: skip
        self.guard.renew()

    def turn(self, seconds: float) -> None:
        """Let time pass, and the pin thread have a turn."""
        self.clock.advance(seconds)
        self.guard.renew()
        self.guard.tick()


@pytest.fixture
def desk(tmp_path: Path, board: PinBoard, clock: ManualClock) -> Iterator[Desk]:
    """A guard whose pump runs."""
    desk = Desk(tmp_path, board, clock)
    desk.turn(0.05)
    assert desk.guard.run(order("a", "pump-0", now=clock.monotonic())).accepted
    desk.turn(0.05)
    assert board.levels[17]
    yield desk
    desk.guard.close()


def test_s09_a_pressed_button_stops_everything_within_200_ms_and_latches(desk: Desk) -> None:
    """Three turns of the pin thread; it stays stopped when the button is let out, until a person releases it."""
    desk.board.pulled_low.discard(5)
    began = desk.clock.monotonic()
    while desk.board.levels[17]:
        desk.turn(0.05)

    assert desk.clock.monotonic() - began <= 0.15
    assert desk.guard.status()["stopped_by"] == "the button"
    desk.board.pulled_low.add(5)
    desk.turn(0.05)
    assert desk.guard.status()["stopped_by"] == "the button"
    desk.guard.release_stop("anna")
    desk.turn(1.0)
    assert desk.guard.status()["stopped_by"] is None


def test_s09_a_spike_on_the_buttons_wire_stops_nothing(desk: Desk) -> None:
    """What is gone at the next reading was no press."""
    desk.board.pulled_low.discard(5)
    desk.turn(0.001)
    desk.board.pulled_low.add(5)
    for _ in range(5):
        desk.turn(0.05)

    assert desk.guard.status()["stopped_by"] is None
    assert desk.board.levels[17]


def test_s09_no_stop_is_released_while_the_button_is_pressed(desk: Desk) -> None:
    """Else something could start between the release and the next reading."""
    desk.board.pulled_low.discard(5)
    for _ in range(3):
        desk.turn(0.05)

    with pytest.raises(GuardUnreachableError, match="button is pressed"):
        desk.guard.release_stop("anna")

    assert desk.guard.status()["stopped_by"] == "the button"


def test_s09_a_button_that_is_pressed_at_the_start_lets_nothing_start(
    tmp_path: Path, board: PinBoard, clock: ManualClock
) -> None:
    """Not even before the second reading."""
    board.pulled_low.discard(5)
    desk = Desk(tmp_path, board, clock)

    desk.guard.tick()

    denial = desk.guard.run(order("a", "pump-0", now=clock.monotonic())).denial
    assert denial is not None
    assert denial.invariant == "S9"
    desk.guard.close()
