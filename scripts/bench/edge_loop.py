"""The loop on a clock that leaps: its sensing half through real drivers, and all of it in lockstep.

Drivers sleep for real, so CPU time alone is counted. The closed loop reads chips that answer at once, every five
minutes, and has everything else: conversion, processing, rules, alerts, controller, guard and ledger, four pots a box.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path

from dt.collector.hardware import SimulatedHardware
from dt.collector.main import sensor_sources
from dt.collector.outbox import Outbox
from dt.collector.sensor_manager import SensorManager
from dt.communication.memory import MemoryMessaging
from dt.evaluation.simulation import Simulation
from dt.evaluation.soak_plan import soak_box
from dt.operations.plan import REPOSITORY
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.from_rig import box_spec
from dt.simulator.wiring import wiring
from dt.utils.clock import ManualClock
from dt.utils.quantities import Quantity
from dt.utils.rig import load_rig

_CADENCE_S = 60.0


def measure_sensing(hours: float) -> dict[str, float]:
    """Return plant-days per core-hour of one reading a minute of each sensor but the camera."""
    rig = load_rig(REPOSITORY / "rig.toml")
    clock = ManualClock()
    wire = BoxWire(Box(box_spec(rig), clock.wall()), clock, wiring(rig))
    hardware = SimulatedHardware(wire)
    each_minute = [
        dataclasses.replace(sensor, read_interval=_CADENCE_S)
        for sensor in rig.sensors
        if sensor.data_type is not Quantity.CAMERA_IMAGE
    ]
    sources = sensor_sources(each_minute, hardware)
    messaging = MemoryMessaging(clock)
    manager = SensorManager(sources, Outbox(messaging, clock, None), clock, clock_synced=lambda: True)
    manager.open()
    began, end = time.process_time(), clock.wall() + hours * 3600.0
    looks = 0
    while clock.wall() < end:
        looks += manager.read_due_sensors()
        clock.advance(max(0.001, manager.seconds_to_next_read()))
    took_s = time.process_time() - began
    manager.close()
    messaging.close()
    hardware.close()
    return {
        "sensing_plant_days_per_hour": hours / 24.0 * len(rig.plants) * 3600.0 / took_s,
        "sensing_looks_per_s": looks / took_s,
    }


def measure_closed_loop(days: int = 7, rounds: int = 3) -> dict[str, float]:
    """Return plant-days per core-hour of the whole loop in lockstep: the best of some boxes without faults."""
    rates = []
    with tempfile.TemporaryDirectory(prefix="plant-twin-loop-") as folder:
        for number in range(rounds):
            box = soak_box(number, 1, Path(folder), faulty=False, days=days)
            began = time.process_time()
            with Simulation(box.scenario, box.rig, spec=box.spec) as simulation:
                simulation.live(days)
            rates.append(3600.0 * box.plant_days / (time.process_time() - began))
    return {"closed_loop_plant_days_per_hour": max(rates)}
