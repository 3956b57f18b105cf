"""gpiozero, unmodified, on the wire: outputs, PWM, buttons, and what is left when a process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpiozero import Button, OutputDevice, PWMOutputDevice
from gpiozero.exc import BadPinFactory, GPIOPinInUse

from dt.communication.wire import WireServer
from dt.communication.wire_pins import WireFactory
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.spec import PLANT, PUMP, BoxSpec
from dt.utils.clock import ManualClock

PUMP_PIN, BUTTON_PIN, FREE_PIN = 17, 22, 12
ROOT = Path(__file__).parents[2]
Eventually = Callable[[Callable[[], object], str], None]

HOLDER = """
import sys
from gpiozero import OutputDevice
pump = OutputDevice(17)
pump.on()
print("on", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def board(clock: ManualClock) -> BoxWire:
    """Return a box with its wiring."""
    return BoxWire(Box(BoxSpec(), clock.wall()), clock)


@pytest.fixture
def factory(board: BoxWire) -> Iterator[WireFactory]:
    """Return a factory on the box, in this process."""
    with WireFactory(board) as factory:
        yield factory


@pytest.fixture
def path(board: BoxWire, tmp_path: Path) -> Iterator[Path]:
    """Return the socket of a server of the box."""
    server = WireServer(board, tmp_path / "wire.sock")
    server.start()
    yield tmp_path / "wire.sock"
    server.stop()


def hold_pump_on(path: Path) -> subprocess.Popen[bytes]:
    """Start a process that switches the pump on by gpiozero's own choice of factory, and wait until it is."""
    environment = {**os.environ, "GPIOZERO_PIN_FACTORY": "wire", "WIRE_SOCKET": str(path), "PYTHONPATH": str(ROOT)}
    code = "from gpiozero import Device\nfrom dt.communication.wire_pins import WireFactory\n"
    code += "Device.pin_factory = WireFactory()\n" + HOLDER
    holder = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"on\n"
    return holder


def end(holder: subprocess.Popen[bytes]) -> None:
    """Wait for a process and close its pipes."""
    holder.wait(10)
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.close()
    holder.stdout.close()


def test_output_device_runs_the_pump(factory: WireFactory, board: BoxWire, clock: ManualClock) -> None:
    """On for two seconds gives two seconds of flow."""
    pump = OutputDevice(PUMP_PIN, pin_factory=factory)

    pump.on()
    clock.advance(2.0)
    pump.off()

    assert board.box.pots[PLANT].soil.poured_ml == pytest.approx(40.0, rel=0.25)
    assert pump.value == 0
    pump.close()


def test_active_low_output_is_off_at_high_level(factory: WireFactory, board: BoxWire) -> None:
    """The inversion of gpiozero reaches the wire as a level."""
    relay = OutputDevice(FREE_PIN, active_high=False, pin_factory=factory)

    relay.off()

    assert board.pin_read(FREE_PIN) is True
    relay.close()


def test_pwm_output_reaches_the_box_as_a_duty(factory: WireFactory, board: BoxWire) -> None:
    """A duty of 30 % drives the actuator at 30 %."""
    pump = PWMOutputDevice(PUMP_PIN, pin_factory=factory)

    pump.value = 0.3

    assert board.box.devices[PUMP].level == pytest.approx(0.3)
    assert pump.value == pytest.approx(0.3)
    pump.close()
    assert board.box.devices[PUMP].level == 0.0


def test_button_is_pressed_and_released(factory: WireFactory, board: BoxWire) -> None:
    """A button to ground, with the pin's own pull-up, calls back at both edges."""
    pressed, released = threading.Event(), threading.Event()
    button = Button(BUTTON_PIN, pin_factory=factory)
    button.when_pressed = pressed.set
    button.when_released = released.set
    assert not button.is_pressed

    board.push(BUTTON_PIN, False)
    assert pressed.wait(5)
    assert button.is_pressed
    board.push(BUTTON_PIN, None)

    assert released.wait(5)
    button.close()


def test_pin_in_use_is_refused(factory: WireFactory) -> None:
    """Reservations of gpiozero work: two devices never share a pin."""
    pump = OutputDevice(PUMP_PIN, pin_factory=factory)

    with pytest.raises(GPIOPinInUse):
        OutputDevice(PUMP_PIN, pin_factory=factory)

    pump.close()


def test_killed_process_leaves_the_pump_running(board: BoxWire, path: Path, eventually: Eventually) -> None:
    """Kill -9 resets nothing: who watches the process has to drive the pin."""
    holder = hold_pump_on(path)

    holder.send_signal(signal.SIGKILL)
    end(holder)

    assert board.pin_read(PUMP_PIN) is True


def test_process_that_ends_in_order_lets_go_of_the_pump(board: BoxWire, path: Path) -> None:
    """At a normal end gpiozero makes its pins inputs, and the pump stops."""
    holder = hold_pump_on(path)
    assert holder.stdin is not None

    holder.stdin.write(b"\n")
    holder.stdin.flush()
    end(holder)

    assert holder.returncode == 0
    assert board.pin_read(PUMP_PIN) is False


def test_closing_without_a_box_is_quiet(board: BoxWire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that is gone has no pins to reset."""
    server = WireServer(board, tmp_path / "wire.sock")
    server.start()
    monkeypatch.setenv("WIRE_SOCKET", str(tmp_path / "wire.sock"))
    factory = WireFactory()
    pump = OutputDevice(PUMP_PIN, pin_factory=factory)
    server.stop()

    pump.close()
    factory.close()


def test_factory_without_a_socket_says_which_setting_is_missing() -> None:
    """GPIOZERO_PIN_FACTORY=wire alone is not enough."""
    with pytest.raises(BadPinFactory, match="WIRE_SOCKET"):
        WireFactory()
