"""A running controller with its REST, on a log in memory and a guard in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from dt.communication.memory import MemoryMessaging
from dt.controller.app import ControllerService, create_service
from dt.controller.opening import open_guard_here
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.rig import load_rig
from tests.controller.rest_box import Rest

Eventually = Callable[[Callable[[], object], str], None]
_RIG = """
[zones.box]
[plants.basil]
zone = "box"
pot_volume_l = 1.0
"""
_PUMP = """
[[actuators]]
id = "{name}"
kind = "pump"
plant = "basil"
pin = "GPIO{pin}"
flow_ml_s = 50.0
"""
_OTHERS = """
[[actuators]]
id = "fan"
kind = "fan"
zone = "box"
pin = "GPIO23"
pwm_hz = 0
[[actuators]]
id = "heater"
kind = "heater"
zone = "box"
pin = "GPIO24"
"""


@pytest.fixture
def service(settings: Settings, messaging: MemoryMessaging, tmp_path: Path) -> Iterator[ControllerService]:
    """A running controller with two pumps of 50 ml/s on mock pins."""
    rig_file = tmp_path / "rig.toml"
    rig_file.write_text(_RIG + _PUMP.format(name="one", pin=17) + _PUMP.format(name="two", pin=18) + _OTHERS)
    made = settings.model_copy(update={"rig_file": rig_file, "flask_controller_url": "http://127.0.0.1:0"})
    clock = SystemClock()
    guard = open_guard_here(made, load_rig(rig_file), clock, MockFactory())
    controller = create_service(made, messaging, clock, guard)
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def rest(service: ControllerService, eventually: Eventually) -> Rest:
    """Return the controller's REST once it is ready."""
    eventually(lambda: service.ready() is None, "the controller is ready")
    return Rest(service)
