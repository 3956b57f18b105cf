"""A controller's core beside soil and air that answer: water raises the probe, a heater warms, a room cools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dt.communication.topics import Topics
from dt.utils.dataclasses import ActionResult, AlertCondition, Grant, Policy, Quality, SensorData, Verdict
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import QUANTITIES, Quantity
from tests.controller.rooms import Room, make_room

RIG = """
[zones.box]
timezone = "Europe/Rome"
latitude = 45.07
longitude = 7.69
[plants.basil]
zone = "box"
pot_volume_l = 1.0
[plants.mint]
zone = "box"
pot_volume_l = 3.0
[[actuators]]
id = "basil-pump"
kind = "pump"
plant = "basil"
pin = "GPIO17"
flow_ml_s = 20.0
reservoir = "can"
reservoir_ml = 2000
[[actuators]]
id = "mint-pump"
kind = "pump"
plant = "mint"
pin = "GPIO27"
flow_ml_s = 20.0
reservoir = "can"
[[actuators]]
id = "heater"
kind = "heater"
zone = "box"
pin = "GPIO22"
pwm_hz = 1.0
[[actuators]]
id = "fan"
kind = "fan"
zone = "box"
pin = "GPIO23"
[[actuators]]
id = "lamp"
kind = "light"
zone = "box"
pin = "GPIO24"
[[exclusions]]
heater = "heater"
fan = "fan"
above = 0.9
"""
_SENSORS = {Quantity.TEMPERATURE: "air-t", Quantity.HUMIDITY: "air-h", Quantity.DLI: "box/dli"}
_BUSY_STEP_S = 0.4  # the lease lasts half a second
_SINKS_IN_S = 300.0


@dataclass(slots=True, kw_only=True)
class Garden:
    """One box; `flows`: which pumps move water, `shares`: what probes show of a rise, `heats`: K/s at full level."""

    room: Room
    moisture: dict[str, float] = field(default_factory=lambda: {"basil": 0.20, "mint": 0.20})
    degc: float = 18.0
    room_degc: float = 18.0
    heats_k_s: float = 0.01
    flows: dict[str, bool] = field(default_factory=lambda: {"basil-pump": True, "mint-pump": True})
    shares: dict[str, float] = field(default_factory=lambda: {"basil-pump": 1.0, "mint-pump": 1.0})
    air: dict[Quantity, float] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    sinking: list[tuple[float, str, float]] = field(default_factory=list)
    verdict: Verdict = Verdict.GOOD
    reads_every_s: float = 10.0
    next_reading_s: float = 0.0
    last_read_s: float = -1.0
    on_step: Callable[[], None] = lambda: None

    def run(self, seconds: float, quiet_step_s: float = 10.0) -> None:
        """Let time pass: small steps while an output is on, larger ones else."""
        clock = self.room.clock
        end_s = clock.monotonic() + seconds
        while clock.monotonic() < end_s - 1e-6:
            is_busy = any(self.room.pins.levels.values()) or self._is_anything_due()
            step_s = min(_BUSY_STEP_S if is_busy else quiet_step_s, end_s - clock.monotonic())
            self._let_pass(step_s)
            self.room.core.step()
            self.room.guard.tick()
            self.on_step()

    def act(
        self, actuator_id: str, policy: str, parameters: dict[str, Any] | None = None, *, grant: bool = True
    ) -> None:
        """Choose a policy, and grant autonomy."""
        core = self.room.core
        plant_id = core.actuators[actuator_id].descriptor.plant_id or ""
        core.decisions.set_policy(
            Policy(
                plant_id=plant_id, zone_id="box", actuator_id=actuator_id, policy=policy, parameters=parameters or {},
                by="anna",
            )
        )  # fmt: skip
        if grant:
            core.decisions.grant(Grant(actuator_id=actuator_id, by="anna", since=self.room.clock.wall()))

    def results(self) -> list[ActionResult]:
        """Everything that was published of commands, in order."""
        self.room.core.publish_now()
        records = self.room.log.read_all(Topics.ACTION_RESULTS)
        return [ActionResult.from_json(record.value or b"") for record in records]

    def conditions(self) -> dict[str, AlertCondition]:
        """The last word on each condition."""
        self.room.core.publish_now()
        records = self.room.log.read_all(Topics.ALERT_CONDITIONS)
        said = [AlertCondition.from_json(record.value or b"") for record in records]
        return {condition.key: condition for condition in said}

    def level(self, actuator_id: str) -> float:
        """What the pin is at."""
        return self.room.pins.levels.get(actuator_id, 0.0)

    def read(self) -> None:
        """Every sensor gives a reading now."""
        self.last_read_s = self.room.clock.monotonic()
        for plant_id, value in self.moisture.items():
            if plant_id not in self.silent:
                self.room.core.see_reading(self._reading(Quantity.SOIL_MOISTURE, value, plant_id))
        for quantity, value in {Quantity.TEMPERATURE: self.degc, **self.air}.items():
            if str(quantity) not in self.silent:
                self.room.core.see_reading(self._reading(quantity, value, None))

    def _is_anything_due(self) -> bool:
        return any(state["desired"] for state in self.room.guard.status()["outputs"].values())

    def _let_pass(self, step_s: float) -> None:
        self.room.clock.advance(step_s)
        now_s = self.room.clock.monotonic()
        for plant_id, litres in (("basil", 1.0), ("mint", 3.0)):
            name = f"{plant_id}-pump"
            if self.level(name) and self.flows[name]:
                rise = self.shares[name] * 20.0 * step_s / (litres * 1000.0)
                self.sinking.append((now_s + _SINKS_IN_S, plant_id, rise))
        for due in [one for one in self.sinking if one[0] <= now_s]:
            self.sinking.remove(due)
            self.moisture[due[1]] += due[2]
        self.degc += step_s * (self.heats_k_s * self.level("heater") - (self.degc - self.room_degc) / 3600.0)
        if now_s >= self.next_reading_s:
            self.next_reading_s = now_s + self.reads_every_s
            self.read()

    def _reading(self, quantity: Quantity, value: float, plant_id: str | None) -> SensorData:
        now = self.room.clock.wall()
        return SensorData(
            sensor_id=f"{plant_id}-soil" if plant_id else _SENSORS.get(quantity, f"air-{quantity}"),
            data_type=quantity,
            value=value,
            unit=QUANTITIES[quantity].unit,
            timestamp=now,
            correlation_id=new_correlation_id(now),
            zone_id="box",
            plant_id=plant_id,
            quality=Quality(verdict=self.verdict),
        )


def make_garden(folder: Path, text: str = RIG) -> Garden:
    """A garden that has been read for a while."""
    garden = Garden(room=make_room(folder, text))
    garden.moisture["basil"] = 0.20
    garden.run(120.0)
    return garden
