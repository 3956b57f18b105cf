"""Guard, ledger and desk against everything at once; an independent judge looks at the pins at every step."""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dt.controller.guard_types import Order
from tests.controller.guard_box import order
from tests.controller.guard_world import WRITES, KilledError, World

_OUTPUTS = st.sampled_from(["pump-0", "pump-1", "fan", "heater", "lamp", "relay"])
_LEVELS = st.sampled_from([0.0, 0.2, 0.5, 0.89, 0.9, 1.0])
_SECONDS = st.sampled_from([0.05, 0.5, 2.0, 5.0, 7.9, 11.0, 19.0, 30.0])


class GuardMachine(RuleBasedStateMachine):
    """Orders, levels, stops, kills, clocks, pins and disks in any order: the judge asserts every invariant."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="guard")
        self.world = World(Path(self.folder.name))
        self.orders: list[Order] = []

    def teardown(self) -> None:
        self.world.ledger._db.close()
        self.folder.cleanup()

    @initialize(has_parent=st.booleans())
    def choose(self, has_parent: bool) -> None:
        self.world.has_parent = has_parent

    @invariant()
    def s01_s02_s03_s06_s09_s10_s11_s12_hold(self) -> None:
        self.world.judge.check_loads()

    # -- the controller

    @rule(actuator_id=_OUTPUTS, on_s=_SECONDS, level=_LEVELS, age_s=st.sampled_from([0.0, 0.0, 0.0, 29.0, 31.0]))
    def give_order(self, actuator_id: str, on_s: float, level: float, age_s: float) -> None:
        self.world.renew()
        now = self.world.clock.monotonic()
        one = order(f"a-{len(self.orders)}", actuator_id, on_s, now)
        self.orders.append(replace(one, level=level, issued_at_s=now - age_s))
        self.world.order(self.orders[-1])
        self.world.pin_turn()

    @rule(actuator_id=_OUTPUTS, on_s=_SECONDS, level=st.sampled_from([0.2, 1.0]), seconds=st.floats(0.0, 9.0))
    def run_for_a_while(self, actuator_id: str, on_s: float, level: float, seconds: float) -> None:
        self.give_order(actuator_id, on_s, level, 0.0)
        self.pass_time(seconds, renews=True)

    @rule(number=st.integers(0, 60))
    def repeat_order(self, number: int) -> None:
        if number < len(self.orders):
            now = self.world.clock.monotonic()
            self.world.renew()
            self.world.order(replace(self.orders[number], issued_at_s=now, start_by_s=now + 5.0))

    @rule(actuator_id=_OUTPUTS)
    def order_of_somebody_else(self, actuator_id: str) -> None:
        self.world.order(
            order(f"b-{self.world.judge.now_s}", actuator_id, 5.0, self.world.clock.monotonic()), "another"
        )
        if self.world.judge.holds_lease():
            assert self.world.guard.renew("another") is not None, "S11: two hold the lease"

    @rule(actuator_id=_OUTPUTS, level=_LEVELS, renews=st.booleans())
    def adjust(self, actuator_id: str, level: float, renews: bool) -> None:
        if renews:
            self.world.renew()
        self.world.desk.adjust(actuator_id, level, "controller")

    @rule(first=_OUTPUTS, second=_OUTPUTS, low=_LEVELS, high=_LEVELS)
    def exchange(self, first: str, second: str, low: float, high: float) -> None:
        self.world.renew()
        self.world.desk.adjust(first, low, "controller")
        self.world.desk.adjust(second, high, "controller")
        self.world.pin_turn()

    @rule(actuator_id=_OUTPUTS)
    def switch_off(self, actuator_id: str) -> None:
        self.world.off(actuator_id)

    @rule()
    def publish(self) -> None:
        ended = [str(entry["action_id"]) for entry in self.world.desk.status()["ended"]]
        self.world.desk.renew("nobody", ended)
        self.world.ledger_turn()

    # -- time

    @rule(seconds=st.floats(0.0, 15.0), renews=st.booleans())
    def pass_time(self, seconds: float, renews: bool) -> None:
        for _ in range(1 + int(seconds / 0.1)):
            self.world.turn(renews=renews)

    @rule(seconds=st.sampled_from([5.0, 59.0, 61.0, 3600.0, 43_200.0, 86_000.0, 86_401.0]))
    def rest(self, seconds: float) -> None:
        self.pass_time(0.6, renews=False)
        self.world._pass(seconds)
        self.world.turn(renews=True)

    @rule(seconds=st.sampled_from([-1e9, -90_000.0, -3600.0, 3600.0, 90_000.0, 1e9]))
    def jump_the_wall_clock(self, seconds: float) -> None:
        self.world.is_synced = False
        self.world.clock.set_wall(max(0.0, self.world.clock.wall() + seconds))

    @rule()
    def set_the_wall_clock_right(self) -> None:
        self.world.clock.set_wall(self.world.true_wall())
        self.world.is_synced = True
        self.checkpoint()

    @rule()
    def checkpoint(self) -> None:
        def write() -> None:
            try:
                self.world.ledger.checkpoint()
            except sqlite3.Error:
                return

        if not self.world.is_disk_stalled:
            self.world.survives(write)

    # -- people

    @rule()
    def press_the_stop(self) -> None:
        self.world.press()

    @rule()
    def release_the_stop(self) -> None:
        self.world.release()

    @rule(turns=st.integers(0, 3))
    def press_the_button(self, turns: int) -> None:
        self.world.is_button_pressed = True
        for _ in range(turns):
            self.world.turn(renews=True)

    @rule()
    def let_the_button_out_and_release(self) -> None:
        self.world.is_button_pressed = False
        self.world.turn(renews=True)
        self.world.release()

    @rule()
    def refill(self) -> None:
        def refill() -> None:
            try:
                self.world.desk.refill("can", "anna")
            except Exception:  # noqa: BLE001 - a disk that fails
                return

        self.world.judge.refilled_s = self.world.judge.now_s  # a refill that the disk did not take is one of the can
        self.world.survives(refill)

    @rule(pump=st.sampled_from(["pump-0", "pump-1", "fan"]), flow_ml_s=st.sampled_from([0.5, 0.8, 2.0, 3.0, 6.0, 7.0]))
    def measure_a_flow(self, pump: str, flow_ml_s: float) -> None:
        def measure() -> None:
            try:
                answer = self.world.desk.set_flow(pump, flow_ml_s, "anna")
            except Exception:  # noqa: BLE001 - a disk that fails
                return
            if answer.accepted:
                self.world.judge.flows[pump] = flow_ml_s
                assert pump != "fan"
                assert 2.0 / 3.0 <= flow_ml_s <= 6.0

        self.world.survives(measure)

    # -- mishaps

    @rule(crashes=st.booleans(), away_s=st.sampled_from([0.0, 0.5, 30.0]))
    def restart(self, crashes: bool, away_s: float) -> None:
        (self.world.kill if crashes else self.world.end)()
        self.world._pass(away_s)
        self.world.begin()

    @rule(off_s=st.sampled_from([0.0, 10.0, 7200.0, 90_000.0]), is_clock_right=st.booleans())
    def cut_the_power(self, off_s: float, is_clock_right: bool) -> None:
        self.world.power_cut(off_s, is_clock_right=is_clock_right)

    @rule(name=st.sampled_from(WRITES), when=st.sampled_from(["before", "amid", "after"]), kills=st.booleans())
    def let_a_write_fail(self, name: str, when: str, kills: bool) -> None:
        error = KilledError() if kills else sqlite3.OperationalError("disk I/O error")
        self.world.ledger.fault = (name, when, error)

    @rule(stalls=st.booleans())
    def stall_the_disk(self, stalls: bool) -> None:
        self.world.is_disk_stalled = stalls

    @rule(actuator_id=_OUTPUTS, calls=st.integers(1, 3), takes_effect=st.booleans())
    def break_a_pin(self, actuator_id: str, calls: int, takes_effect: bool) -> None:
        self.world.broken[actuator_id] = (calls, takes_effect)


class TestGuardMachine(GuardMachine.TestCase):  # type: ignore[misc,name-defined]  # made by hypothesis
    """Every run of the suite."""

    settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


@pytest.mark.slow
def test_s01_s02_s03_s06_s09_s10_s11_s12_hold_in_long_lives() -> None:
    """The same machine, longer and more often."""
    run_state_machine_as_test(GuardMachine, settings=settings(max_examples=150, stateful_step_count=100, deadline=None))
