"""Which guard a controller gets: a process of its own wherever pins are real, or one in this process (the demo)."""

from __future__ import annotations

from pathlib import Path

from gpiozero.pins import Factory

from dt.controller.guard_client import GuardClient, InProcessGuard
from dt.controller.guard_pins import Pins
from dt.controller.guard_spawn import SpawnedGuard
from dt.controller.rig_limits import CONFIG_FILE, guard_config, guard_environment, guard_folder
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.hardware import is_simulated
from dt.utils.rig import Rig


def open_guard_process(settings: Settings, folder: Path) -> tuple[GuardClient, SpawnedGuard]:
    """Return a client for the guard of a folder, and what starts that guard, once its configuration is written."""
    is_simulated(settings)  # raises where nobody said which
    return GuardClient(folder), SpawnedGuard(folder / CONFIG_FILE, folder, guard_environment(settings))


def open_guard_here(
    settings: Settings, rig: Rig, clock: Clock, pin_factory: Factory, *, threaded: bool = True
) -> InProcessGuard:
    """Return a guard in this process, its pins through a gpiozero factory such as `WireFactory(wire)`.

    One with threads of its own answers at the sockets of the settings' folder as well.
    """
    folder = guard_folder(settings)
    config = guard_config(rig, folder)
    pins = Pins(config.outputs, pin_factory, config.stop_input)
    guard = InProcessGuard(
        config=config, set_pin=pins.set, clock=clock, threaded=threaded, on_close=pins.close,
        read_button=pins.is_button_pressed,
    )  # fmt: skip
    if threaded:
        guard.open_doors(folder)
    return guard
