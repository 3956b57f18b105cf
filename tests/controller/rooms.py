"""Parts for tests of the controller in one process: a guard that is ticked by hand, a gate, commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dt.communication.memory import MemoryMessaging
from dt.controller.core import ControllerCore
from dt.controller.decisions import Decisions
from dt.controller.gate import Gate
from dt.controller.guard_client import InProcessGuard
from dt.controller.guard_types import GuardConfig
from dt.controller.moisture import MoistureBook
from dt.controller.records import PlantBook
from dt.controller.results import ResultBook
from dt.controller.rig_limits import guard_config
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import ActionCommand, Command, Quality, SensorData, Verdict
from dt.utils.quantities import Quantity, Unit
from dt.utils.rig import Rig, parse_rig

RIG = """
[zones.box]
[plants.basil]
zone = "box"
pot_volume_l = 1.0
[[actuators]]
id = "basil-pump"
kind = "pump"
plant = "basil"
pin = "GPIO17"
flow_ml_s = 5.0
reservoir_ml = 1000
"""


@dataclass(slots=True)
class PinLog:
    """Levels of outputs, 0 to 1, and every change with its monotonic time; `fails` makes the wire break."""

    clock: ManualClock
    levels: dict[str, float] = field(default_factory=dict)
    changes: list[tuple[float, str, float]] = field(default_factory=list)
    fails: bool = False
    on_high: Callable[[str], None] | None = None

    def set(self, actuator_id: str, level: float) -> None:
        """Drive an output."""
        if self.fails:
            raise OSError("the wire is broken")
        self.changes.append((self.clock.monotonic(), actuator_id, level))
        self.levels[actuator_id] = level
        if level > 0 and self.on_high is not None:
            self.on_high(actuator_id)


@dataclass(slots=True, kw_only=True)
class Room:
    """A controller's inner parts on a clock that stands still."""

    clock: ManualClock
    pins: PinLog
    guard: InProcessGuard
    gate: Gate
    moisture: MoistureBook
    plants: PlantBook
    decisions: Decisions
    results: ResultBook
    core: ControllerCore
    log: MemoryMessaging
    rig: Rig
    folder: Path

    def pass_time(self, seconds: float, step_s: float = 0.1) -> None:
        """Let time pass with the lease kept and the guard ticked."""
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            self.gate.take_ended(self.guard.renew(self.results.take_published())["ended"])
            self.guard.tick()
        self.gate.take_ended(self.guard.renew()["ended"])

    def see_moisture(self, *values: float, **changes: Any) -> None:
        """Let the room see readings, half a second apart, up to now."""
        for value in values:
            self.clock.advance(0.1)
            self.moisture.see(replace(reading(self.clock.wall(), value), **changes))
        self.guard.renew()

    def is_on(self) -> bool:
        """True while the pump's pin is high."""
        return self.pins.levels["basil-pump"]


def make_guard(config: GuardConfig, pins: PinLog, clock: ManualClock) -> InProcessGuard:
    """A guard without threads, whose kernel says that the wall clock is not synchronised."""
    guard = InProcessGuard(config=config, set_pin=pins.set, clock=clock, threaded=False, is_synced=lambda: False)
    guard.renew()
    return guard


def make_room(folder: Path, text: str = RIG) -> Room:
    """A room for the rig above, with soil that is known to be dry."""
    clock = ManualClock()
    rig = parse_rig(text)
    pins = PinLog(clock)
    config = guard_config(rig, folder)
    room = room_of(folder, rig, clock, pins, make_guard(config, pins, clock), config)
    room.see_moisture(0.2, 0.2, 0.21)
    return room


def room_of(
    folder: Path, rig: Rig, clock: ManualClock, pins: PinLog, guard: InProcessGuard, config: GuardConfig
) -> Room:
    """A room around a guard that is there already, as after a restart of the controller."""
    log = MemoryMessaging(clock)
    core = ControllerCore(rig=rig, config=config, data_dir=folder, messaging=log, clock=clock, guard=guard)
    return Room(
        clock=clock,
        pins=pins,
        guard=guard,
        gate=core.gate,
        moisture=core.moisture,
        plants=core.plants,
        decisions=core.decisions,
        results=core.results,
        core=core,
        log=log,
        rig=rig,
        folder=folder,
    )


def reading(timestamp: float, value: float) -> SensorData:
    """A good processed reading of basil's soil."""
    return SensorData(
        sensor_id="basil-soil",
        data_type=Quantity.SOIL_MOISTURE,
        value=value,
        unit=Unit.VWC,
        timestamp=timestamp,
        correlation_id=f"c-{timestamp}",
        zone_id="box",
        plant_id="basil",
        quality=Quality(verdict=Verdict.GOOD),
    )


def dose(clock: ManualClock, action_id: str = "a-1", ml: float = 50.0, **changes: Any) -> ActionCommand:
    """A person's command for a dose, issued now."""
    command = ActionCommand(
        action_id=action_id,
        actuator_id="basil-pump",
        plant_id="basil",
        command=Command.DOSE,
        dose_ml=ml,
        issuer="anna",
        timestamp=clock.wall(),
        correlation_id="c-1",
    )
    return replace(command, **changes)
