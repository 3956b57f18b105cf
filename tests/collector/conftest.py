"""A rig on a simulated box, in this process."""

from __future__ import annotations

import pytest

from dt.collector.hardware import SimulatedHardware
from dt.simulator.board import BoxWire, box_spec, wiring
from dt.simulator.box import Box
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.rig import Rig, load_rig


@pytest.fixture
def rig(settings: Settings) -> Rig:
    """Return the one-pot rig of the repository."""
    return load_rig(settings.rig_file)


@pytest.fixture
def board(rig: Rig) -> BoxWire:
    """Return a box that lives in real time, as drivers do."""
    clock = SystemClock()
    return BoxWire(Box(box_spec(rig), clock.wall() - 3600.0), clock, wiring(rig))


@pytest.fixture
def hardware(board: BoxWire) -> SimulatedHardware:
    """Return the hardware of that box."""
    return SimulatedHardware(board)
