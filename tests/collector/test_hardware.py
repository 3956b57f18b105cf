"""Which hardware is used, and the stand-ins of the simulation."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from dt.collector.hardware import (
    LockedBus,
    PiHardware,
    SharedChips,
    SimulatedHardware,
    open_hardware,
)
from dt.collector.mocks import pulse_input
from dt.collector.mocks.bus import WireBus
from dt.simulator.board import BoxWire
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError, SensorError
from dt.utils.hardware import is_simulated
from dt.utils.kernel_clock import is_clock_synced


def test_hardware_is_what_the_setting_says(settings: Settings) -> None:
    """The setting decides, also on a Pi."""
    assert is_simulated(settings.model_copy(update={"hardware": "simulated"}))
    assert not is_simulated(settings.model_copy(update={"hardware": "pi"}))


def test_hardware_is_simulated_off_a_pi(settings: Settings, tmp_path: Path) -> None:
    """A laptop needs no setting."""
    assert is_simulated(settings.model_copy(update={"hardware": None}), tmp_path / "no-model")


def test_hardware_has_no_default_on_a_pi(settings: Settings, tmp_path: Path) -> None:
    """On a Pi nobody guesses whether the plants are real; the error says what to set."""
    model = tmp_path / "model"
    model.write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\x00")

    with pytest.raises(ConfigError, match=r"HARDWARE: say pi .* or simulated"):
        is_simulated(settings.model_copy(update={"hardware": None}), model)


def test_given_wire_is_used_in_process(settings: Settings, board: BoxWire) -> None:
    """The demo hands its box over without a socket."""
    hardware = open_hardware(settings.model_copy(update={"hardware": "pi"}), board)

    assert isinstance(hardware, SimulatedHardware)


def test_bus_of_a_pi_gets_a_lock_that_holds(board: BoxWire) -> None:
    """Blinka's own lock is a flag; everything else of its bus is passed on."""
    bus = LockedBus(WireBus(board))
    assert bus.try_lock()
    seen: list[bool] = []

    thread = threading.Thread(target=lambda: seen.append(bus.try_lock()))
    thread.start()
    thread.join()
    bus.unlock()

    assert seen == [False]
    assert bus.scan() == [0x23, 0x36, 0x37, 0x38]


def test_pulse_input_is_found_by_its_import_name(hardware: SimulatedHardware) -> None:
    """Drivers `import pulseio`; in simulation they get the one that reads the wire."""
    import pulseio

    assert pulseio.PulseIn is pulse_input.PulseIn
    assert sys.modules["pulseio"].PulseIn is pulse_input.PulseIn


def test_pulse_input_gives_pulses_oldest_first(hardware: SimulatedHardware) -> None:
    """As pulseio does: the frame's last pulses in order, until the buffer is empty."""
    line = hardware.pin("GPIO4")
    pulses = pulse_input.PulseIn(line, maxlen=81, idle_state=True)

    pulses.resume(1000)
    pulses.pause()

    assert (len(pulses), pulses.paused, pulses.maxlen) == (81, True, 81)
    assert pulses[80] == 50
    first = pulses[0]
    assert pulses.popleft() == first
    pulses.clear()
    assert len(pulses) == 0


def test_bus_lock_holds_between_threads(board: BoxWire) -> None:
    """Two drivers never interleave their transactions."""
    bus = WireBus(board)
    assert bus.try_lock()
    seen: list[bool] = []

    thread = threading.Thread(target=lambda: seen.append(bus.try_lock()))
    thread.start()
    thread.join()
    bus.unlock()

    assert seen == [False]
    assert bus.try_lock()


def test_shared_chip_is_opened_once_and_anew_after_it_was_forgotten() -> None:
    """Two sensors on one chip share it; forgetting closes it."""

    class Chip:
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    chips = SharedChips()
    first = chips.shared("dht22:GPIO4", Chip)
    again = chips.shared("dht22:GPIO4", Chip)

    chips.forget("dht22:GPIO4")

    assert again is first
    assert isinstance(first, Chip)
    assert first.is_closed
    assert chips.shared("dht22:GPIO4", Chip) is not first


def test_kernel_can_be_asked_about_its_clock() -> None:
    """The question is answered with yes or no on any machine."""
    assert is_clock_synced() in (True, False)


@pytest.mark.parametrize("name", ["GPIO17", "D17"])
def test_s01_hardware_opens_nothing_on_an_actuators_pin(board: BoxWire, name: str) -> None:
    """Whatever a kind asks for: the guard alone drives the pump, and the pin is not even set up."""
    for hardware in (SimulatedHardware(board), PiHardware()):
        hardware.leave_to_guard({17})
        hardware.leave_to_guard({27})

        for opening in (hardware.switch, hardware.pin):
            with pytest.raises(SensorError, match="GPIO17 is an actuator's pin"):
                opening(name)
    assert "17" not in board.state()["pins"]  # type: ignore[operator]
