"""S4, S5, S7, S8, S13 and S14 over any order of commands, policies, faults, restarts, clock jumps and stale readings.

The judge looks at the pins and at what it gave itself: readings, grants, releases. It asks the controller nothing.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dt.communication.topics import Topics
from dt.controller.modes import Mode
from dt.controller.rig_limits import guard_config
from dt.utils.dataclasses import ActionCommand, ActionResult, Command, Origin, Outcome, Verdict
from dt.utils.quantities import Quantity
from tests.controller.garden import make_garden
from tests.controller.rooms import dose, make_guard, room_of

_HIGH = 0.45
_NAMES = st.sampled_from(["basil-pump", "mint-pump", "heater", "fan"])
_PUMPS = st.sampled_from(["basil-pump", "mint-pump"])
_POLICIES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "pump": [
        ("soil_water_deficit", {}),
        ("hysteresis", {"on_at": 0.60, "off_at": 0.65, "dose_ml": 80.0}),  # wishes for more than S5 allows
        ("schedule", {"times": ["00:00", "06:00", "12:00", "18:00"], "late_min": 120.0}),
    ],
    "heater": [
        ("pid", {"setpoint": 30.0}),
        ("hysteresis", {"quantity": "temperature", "on_at": 60.0, "off_at": 70.0}),  # never warm enough
    ],
    "fan": [("hysteresis", {"quantity": "temperature", "on_at": 10.0, "off_at": 5.0, "level": 0.5})],
}


class Machine(RuleBasedStateMachine):
    """A garden that everything happens to."""

    @initialize(granted=st.sets(_NAMES), pick=st.integers(0, 2))
    def begin(self, granted: set[str], pick: int) -> None:
        """Readings have come for a while; every output has a policy, some of them a grant."""
        self._folder = tempfile.TemporaryDirectory(prefix="garden-")
        self.garden = make_garden(Path(self._folder.name))
        self.granted: set[str] = set()
        self.readings: dict[str, list[tuple[float, float]]] = {"basil": [], "mint": []}  # good live ones, monotonic
        self.warm: list[tuple[float, float]] = []
        self.locked: set[str] = set()
        self.off: set[str] = set()
        self.noted_s = 0.0
        self.number = 0
        self.seen_changes = 0
        self.on_since: dict[str, float] = {}
        self.off_at: dict[str, float] = {}
        self.asked: dict[str, str] = {}
        self.answers: list[ActionResult] = []
        self.garden.on_step = self._judge
        self.garden.run(60.0)
        for name in ("basil-pump", "mint-pump", "heater", "fan"):
            self.a_policy_is_chosen(name, pick)
        for name in sorted(granted):
            self.a_person_sets_a_mode(name, Mode.AUTOMATIC)

    # -- what happens -------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([30.0, 300.0, 1200.0]))
    def time_passes(self, seconds: float) -> None:
        """With readings, watches and policies."""
        self.garden.run(seconds, quiet_step_s=5.0)

    @rule(name=_PUMPS, ml=st.sampled_from([10.0, 60.0, 150.0]))
    def a_person_doses(self, name: str, ml: float) -> None:
        """Or tries to."""
        self._submit(
            dose(self.garden.room.clock, self._id(), ml, actuator_id=name, plant_id=name.removesuffix("-pump"))
        )

    @rule(duration_s=st.sampled_from([60.0, 1800.0]))
    def a_person_heats(self, duration_s: float) -> None:
        """Or tries to."""
        command = dose(self.garden.room.clock, self._id(), actuator_id="heater", plant_id=None)
        self._submit(replace(command, command=Command.ON, dose_ml=None, duration_s=duration_s))

    @rule(name=_NAMES, pick=st.integers(0, 2))
    def a_policy_is_chosen(self, name: str, pick: int) -> None:
        """Of those that the actuator can follow."""
        rows = _POLICIES[self.garden.room.core.actuators[name].kind]
        policy, parameters = rows[pick % len(rows)]
        self.garden.act(name, policy, parameters, grant=False)

    @rule(name=_NAMES, mode=st.sampled_from(list(Mode)))
    def a_person_sets_a_mode(self, name: str, mode: Mode) -> None:
        """Automatic is a grant, and so is what comes back after manual."""
        until = self.garden.room.clock.wall() + 900.0 if mode is Mode.MANUAL else None
        self.garden.room.core.set_mode(name, mode, "anna", until=until)
        if mode is Mode.OFF:
            self.off.add(name)
        elif mode is not Mode.MANUAL:
            self.off.discard(name)
        if mode is Mode.AUTOMATIC:
            self.granted.add(name)
        elif mode is Mode.RECOMMEND:
            self.granted.discard(name)

    @rule(name=_NAMES)
    def a_person_releases(self, name: str) -> None:
        """What was locked out may start again."""
        self.garden.room.core.release(name, "anna")
        self.locked.discard(name)

    @rule(name=_PUMPS, works=st.booleans())
    def a_hose_is_blocked_or_freed(self, name: str, works: bool) -> None:
        """Water comes out, or none."""
        self.garden.flows[name] = works

    @rule(plant_id=st.sampled_from(["basil", "mint"]), moisture=st.floats(0.05, 0.6))
    def the_soil_changes(self, plant_id: str, moisture: float) -> None:
        """A can, the sun, another pot."""
        self.garden.moisture[plant_id] = moisture

    @rule(what=st.sampled_from(["basil", "mint", "temperature"]), silent=st.booleans())
    def a_sensor_falls_silent_or_comes_back(self, what: str, silent: bool) -> None:
        """Its cable, its chip, its bus."""
        (self.garden.silent.add if silent else self.garden.silent.discard)(what)

    @rule(verdict=st.sampled_from([Verdict.GOOD, Verdict.GOOD, Verdict.SUSPECT, Verdict.BAD]))
    def readings_are_judged(self, verdict: Verdict) -> None:
        """By processing."""
        self.garden.verdict = verdict

    @rule(moisture=st.floats(0.05, 0.3), late=st.booleans())
    def a_backlog_arrives(self, moisture: float, late: bool) -> None:
        """Late, or of an import: it says nothing of now."""
        reading = self.garden._reading(Quantity.SOIL_MOISTURE, moisture, "basil")
        for age_s in (30.0, 20.0, 10.0):
            old = replace(reading, timestamp=reading.timestamp - age_s, late=late)
            self.garden.room.core.see_reading(old if late else replace(old, origin=Origin.BACKFILL))

    @rule(degc=st.sampled_from([5.0, 18.0, 34.0, 40.0]))
    def the_room_changes(self, degc: float) -> None:
        """An open window, a heat wave."""
        self.garden.room_degc = self.garden.degc = degc

    @rule(jump_s=st.sampled_from([-86_400.0, -3600.0, 60.0, 3600.0]))
    def the_wall_clock_jumps(self, jump_s: float) -> None:
        """By NTP, or by hand."""
        self.garden.room.clock.set_wall(self.garden.room.clock.wall() + jump_s)

    @rule()
    def the_controller_restarts(self) -> None:
        """With its guard; what was on is off."""
        room = self.garden.room
        self.answers += self._published()
        room.guard.close()
        config = guard_config(room.rig, room.folder)
        guard = make_guard(config, room.pins, room.clock)
        self.garden.room = room_of(room.folder, room.rig, room.clock, room.pins, guard, config)

    # -- what must hold -----------------------------------------------------------------------------------------

    @invariant()
    def every_command_is_answered_and_every_refusal_says_why(self) -> None:
        """S13: by its result; a refusal with its invariant and its words."""
        if not hasattr(self, "garden"):
            return
        answers = self.answers + self._published()
        known = {one.action_id for one in answers}
        running = {state["action_id"] for state in self.garden.room.guard.status()["outputs"].values()}
        for action_id in self.asked.keys() - known - running:
            entry = self.garden.room.guard.entry(action_id)
            assert entry is not None, f"{action_id} left no trace"
        for one in answers:
            if one.outcome is Outcome.REFUSED:
                assert one.refusal is not None
                assert one.refusal.why
                assert one.refusal.invariant.startswith("S")

    def _judge(self) -> None:
        """Look at every pin that went high since the last look."""
        self._note_readings()
        changes = self.garden.room.pins.changes[self.seen_changes :]
        self.seen_changes = len(self.garden.room.pins.changes)
        for at_s, name, level in changes:
            if level and name not in self.on_since:
                self._judge_start(at_s, name)
            if level:
                self.on_since[name] = at_s
            else:
                self.on_since.pop(name, None)
                self.off_at[name] = at_s
        self._judge_heat()
        for lock in self.garden.room.core.locks.all():
            if lock.actuator_id not in self.on_since:
                self.locked.add(lock.actuator_id)

    def _judge_start(self, at_s: float, name: str) -> None:
        assert name not in self.locked, f"S7, S8: {name} was locked out"
        assert name not in self.off or self.garden.room.core.decisions.mode_of(name).mode is Mode.MANUAL, "S14: off"
        if name == "heater":
            assert self.warm[-1][1] <= 35.0, f"S8: it began at {self.warm[-1][1]}"
            assert at_s - self.warm[-1][0] <= 300.0 + 12.0, "S8: it began on a silent sensor"
        command = self._command_of(name)
        if command is None or not command.startswith("policy:"):
            return
        assert name in self.granted, f"S14: nobody granted {name}"
        if name.endswith("-pump"):
            readings = self.readings[name.removesuffix("-pump")]
            since_s = max(at_s - 905.0, self.off_at.get(name, 0.0))
            good = [value for seen_s, value in readings if seen_s > since_s]
            assert len(good) >= 3, f"S4: {name} ran by {len(good)} readings"
            medians = [statistics.median(value for _, value in readings[-count:]) for count in (3, 4, 5)]
            assert min(medians) <= _HIGH, f"S5: {name} ran at {medians}"

    def _judge_heat(self) -> None:
        if not self.garden.level("heater"):
            return
        now_s = self.garden.room.clock.monotonic()
        at_s, degc = self.warm[-1] if self.warm else (float("-inf"), 0.0)
        assert now_s - at_s <= 300.0 + 12.0, "S8: a heater on a silent sensor"
        assert degc <= 35.0 or now_s - at_s <= 2.0, f"S8: a heater at {degc}"

    # -- helpers ------------------------------------------------------------------------------------------------

    def _note_readings(self) -> None:
        """Write down what the garden gave: readings come with `read`, whose time the garden keeps."""
        now_s = self.garden.room.clock.monotonic()
        if self.garden.last_read_s != now_s or self.noted_s == now_s or self.garden.verdict is not Verdict.GOOD:
            return
        self.noted_s = now_s
        for plant_id, times in self.readings.items():
            if plant_id not in self.garden.silent:
                times.append((now_s, self.garden.moisture[plant_id]))
        if "temperature" not in self.garden.silent:
            self.warm.append((now_s, self.garden.degc))

    def _command_of(self, name: str) -> str | None:
        state = self.garden.room.guard.status()["outputs"][name]
        entry = None if state["action_id"] is None else self.garden.room.guard.entry(state["action_id"])
        return None if entry is None else ActionCommand.from_json(entry["note"]).issuer

    def _submit(self, command: Any) -> None:
        self.asked[command.action_id] = command.actuator_id
        self.garden.room.gate.submit(command)

    def _id(self) -> str:
        self.number += 1
        return f"p-{self.number}"

    def _published(self) -> list[ActionResult]:
        self.garden.room.core.publish_now()
        records = self.garden.room.log.read_all(Topics.ACTION_RESULTS)
        return [ActionResult.from_json(record.value or b"") for record in records]

    def teardown(self) -> None:
        """Close the ledger and remove its folder."""
        if hasattr(self, "garden"):
            self.garden.room.guard.close()
            self._folder.cleanup()


def _run(examples: int, steps: int) -> None:
    bounds = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Machine, settings=bounds)


def test_s04_s05_s07_s08_s13_s14_hold_whatever_happens() -> None:
    """A few gardens, at every run of the suite."""
    _run(8, 12)


@pytest.mark.slow
def test_s04_s05_s07_s08_s13_s14_hold_whatever_happens_for_long() -> None:
    """Many, and for longer."""
    _run(60, 40)
