"""The whole product against the simulated box, on one thread, by a clock of its own, without a network.

Collector, processing, rules, alerts, controller and guard are the services' own objects. Time leaps from one reading to
the next; while water moves it goes in steps of a half lease. A lamp that is on for hours needs none of these steps: the
renewals of a loop that lives are taken as done.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

from dt.collector.hardware import SimulatedHardware
from dt.collector.main import sensor_sources
from dt.collector.sensor_turn import SensorSource
from dt.communication.topics import Topics
from dt.communication.wire import Disk, Ending, HostState, Link
from dt.data.database.registry_messages import plant_record, sensor_record
from dt.evaluation.lockstep_clock import ChipClock, MachineClock, TrueClock
from dt.evaluation.lockstep_collector import LockstepCollector
from dt.evaluation.lockstep_control import RENEWS_EVERY_S, LockstepControl
from dt.evaluation.lockstep_messaging import LockstepMessaging
from dt.evaluation.lockstep_services import LockstepServices
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.spec import BoxSpec
from dt.simulator.wiring import wiring
from dt.utils.clock import Clock, ManualClock, SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig

_MEMORY = Path("/dev/shm")  # noqa: S108 - the ledger is synced at each dose; a run of minutes needs no disk for that
_TOKEN = "lockstep"  # noqa: S105 - nothing listens


class Watcher(Protocol):
    """Who looks at the run from outside at every step."""

    def look(self) -> None:
        """See the present moment."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LockstepRequest:
    """What is run: a rig in a box from an instant on; every sensor is read each `reads_every_s`, air less often.

    `drivers` reads by the genuine drivers, which sleep for real.
    """

    rig: Rig
    spec: BoxSpec
    start_s: float
    reads_every_s: float = 300.0
    air_every_s: float = 300.0
    drivers: bool = False
    prepare: Callable[[Box], None] = lambda _box: None


class Lockstep:
    """One run; `advance_to` lets time pass."""

    def __init__(self, request: LockstepRequest) -> None:
        self.request = request
        self.rig = replace(request.rig, sensors=_at_cadence(request))
        self._folder = Path(tempfile.mkdtemp(prefix="plant-twin-lockstep-", dir=_MEMORY if _MEMORY.is_dir() else None))
        self.true = TrueClock(wall=request.start_s)
        self.clock = MachineClock(self.true)
        self.box = Box(request.spec, request.start_s)
        request.prepare(self.box)
        self.wire = BoxWire(
            self.box, self.true, wiring(self.rig), chip_clock=_chip_clock(request, self.true), is_one_process=False
        )
        self.messaging = LockstepMessaging(self.clock)
        self._announce()
        self.host = HostState()
        self.restarts = 0
        self.controller_gone_since_s: float | None = None
        self._begin_stack()
        self.watchers: list[Watcher] = []

    @property
    def now_s(self) -> float:
        """Return the true time."""
        return self.true.wall()

    def advance_to(self, at_s: float) -> None:
        """Let time pass, with all that happens in it."""
        while at_s - self.now_s > 1e-6:
            self._step(at_s)

    def pass_time(self, seconds: float, *, controls: bool = True) -> None:
        """Let a short time pass in steps of a half lease; without `controls` the controller hangs meanwhile."""
        end_s = self.now_s + seconds
        while end_s - self.now_s > 1e-6:
            self.true.advance(min(RENEWS_EVERY_S, end_s - self.now_s))
            self.control.tick()
            if controls:
                self._react()
            self._look()

    def kill_controller(self, away_s: float = 2.0) -> None:
        """Kill the controller; it is started again after a while."""
        self._lose_controller()
        self.pass_time(away_s, controls=False)
        self._regain_controller()

    def kill_guard(self, reclaimed_after_s: float = 0.5, away_s: float = 2.0) -> None:
        """Kill the guard; its parent reclaims the pins, and a new one begins with the ledger."""
        self._lose_controller()
        self.control.kill_guard()
        self._leap(reclaimed_after_s)
        self.control.restart_guard()
        self.restarts += 1
        self._look()
        self._leap(away_s)
        self._regain_controller()

    def cut_power(self, away_s: float = 60.0) -> None:
        """Cut the power: every pin falls, every service begins anew from what disk and log have."""
        self.control.end_controller()
        self.control.kill_guard()
        self.services.end()
        self.control._pins.close()
        self.box.release()
        self._look()
        self._leap(away_s)
        self._begin_stack()
        self._look()

    def close(self) -> None:
        """Switch off and leave nothing."""
        self.control.close()
        self.messaging.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # --- One step --------------------------------------------------------------------------------------------------

    def _step(self, at_s: float) -> None:
        left_s = at_s - self.now_s
        to_reading_s = self.collector.next_due_s - self.true.monotonic()
        seconds = min(left_s, max(0.0, to_reading_s))
        if self.control.is_busy:
            seconds = min(seconds, self.control.seconds_to_end())
            if self.control.is_watering:
                seconds = min(seconds, RENEWS_EVERY_S)
            self.control.live_on(seconds)
        self.true.advance(seconds)
        self.control.tick()
        if self.collector.next_due_s <= self.true.monotonic():
            self._read()
        else:
            self._react()
        self._look()

    def _read(self) -> None:
        """Let the sensors be read, and everybody act upon it."""
        self._meet_host(self.wire.host())
        self.control.renew()  # nothing starts without a lease
        self.collector.read_due(self.host)
        self.messaging.drain()
        if not self.messaging.is_away:
            self.services.watch()
        self._react()

    def _react(self) -> None:
        self.messaging.drain()
        self.control.step()
        self.messaging.drain()

    def _meet_host(self, host: HostState) -> None:
        """Let befall the machine what the box's faults say (F15 to F17)."""
        self.host = host
        self.clock.shift_s = host.clock_shift_s
        self.messaging.is_away = host.broker in (Link.AWAY, Link.HALF_OPEN)
        self.control.set_disk(is_fine=host.disk is Disk.FINE)
        if host.ending is Ending.KILL:
            self.kill_controller()
        elif host.ending is Ending.POWER_CUT:
            self.cut_power()

    def _lose_controller(self) -> None:
        self.control.end_controller()
        self.controller_gone_since_s = self.now_s

    def _regain_controller(self) -> None:
        self.control.start_controller()
        self.controller_gone_since_s = None

    def _leap(self, seconds: float) -> None:
        """Let time pass in which nobody does anything."""
        self.true.advance(seconds)
        self.wire.now_s()

    def _look(self) -> None:
        self.wire.now_s()  # the box lives until now, faults and all
        for watcher in self.watchers:
            watcher.look()

    # --- Assembly --------------------------------------------------------------------------------------------------

    def _begin_stack(self) -> None:
        self.restarts += 1
        zone = next(iter(self.rig.zones.values()))
        self.services = LockstepServices(self.messaging, self.clock, zone.timezone)
        settings = _settings(self._folder, self.request.rig.path)
        self.control = LockstepControl(
            self.rig, settings, self.messaging, self.clock, self.wire, lambda: self.clock.shift_s == 0.0
        )
        self.collector = LockstepCollector(
            self._sources(), self.messaging, self.clock, boot_id=f"boot-{self.restarts}", seed=self.request.spec.seed
        )
        self.messaging.drain()

    def _sources(self) -> list[SensorSource]:
        """Return how each sensor is opened; nothing in the loop looks at pictures."""
        sensors = [sensor for sensor in self.rig.sensors if sensor.data_type is not Quantity.CAMERA_IMAGE]
        if not self.request.drivers:
            from dt.collector.kinds.quick_chips import quick_sources  # which loads the drivers' modules

            return quick_sources(sensors, self.wire, self.clock)
        return sensor_sources(sensors, SimulatedHardware(self.wire, clock=self.clock))

    def _announce(self) -> None:
        """Say in the registry what the database would say of the rig."""
        now = self.clock.wall()
        records = [
            *(plant_record(plant, now) for plant in self.rig.plants.values()),
            *(sensor_record(sensor, now) for sensor in self.rig.sensors),
        ]
        for record in records:
            self.messaging.publish(Topics.REGISTRY, record, key=record.record_id)


def _at_cadence(request: LockstepRequest) -> tuple[SensorDescriptor, ...]:
    """Return the rig's sensors at the run's cadence."""
    soil_s, air_s = request.reads_every_s, request.air_every_s
    intervals = {Quantity.SOIL_MOISTURE: soil_s, Quantity.SOIL_TEMPERATURE: max(soil_s, air_s)}
    return tuple(
        replace(sensor, read_interval=intervals.get(sensor.data_type, air_s)) for sensor in request.rig.sensors
    )


def _chip_clock(request: LockstepRequest, true: ManualClock) -> Clock:
    return SystemClock() if request.drivers else ChipClock(true)


def _settings(folder: Path, rig_file: Path) -> Settings:
    return load_settings(
        env_file=None,
        data_dir=folder / "data",
        log_dir=folder / "logs",
        rig_file=rig_file,
        dt_token=_TOKEN,
        hardware="simulated",
        messaging="memory",
    )
