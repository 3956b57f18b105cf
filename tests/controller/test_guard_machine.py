"""Guard, ledger and desk against everything at once; an independent judge looks at the pins at every step."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dt.controller.guard_types import GuardUnreachableError, Order
from tests.controller.guard_box import order
from tests.controller.guard_judge import STEP_S
from tests.controller.guard_world import OWNER, WRITES, KilledError, World

_MEMORY = Path("/dev/shm")  # a file system in memory: the ledger syncs thousands of times
_IN_2000, _IN_2049 = 946_684_800.0, 2_493_072_000.0
_NAMES = ["pump-0", "pump-1", "fan", "heater", "lamp", "relay"]
_OUTPUTS = st.sampled_from(_NAMES)
_PUMPS = st.sampled_from(["pump-0", "pump-1"])
_PAIRS = st.sampled_from(
    [("pump-0", "pump-1"), ("heater", "fan"), ("fan", "heater"), ("heater", "lamp"), ("lamp", "heater")]
)
_LEVELS = st.sampled_from([0.0, 0.2, 0.5, 0.89, 0.9, 1.0])
_SECONDS = st.sampled_from([0.05, 0.5, 2.0, 5.0, 7.9, 11.0, 19.0, 30.0])
_AWAY = st.sampled_from([0.0, 0.5, 30.0, 61.0])
# How far the wall clock jumps, how long the power is gone, and what the clock shows then (None: it is right).
_REBOOTS: list[tuple[float, float, float | None]] = [
    (0.0, 10.0, None),
    (0.0, 10.0, _IN_2000),
    (0.0, 10.0, _IN_2049),
    (0.0, 90_000.0, None),
    (-90_000.0, 10.0, None),
]


class GuardMachine(RuleBasedStateMachine):
    """Orders, levels, stops, kills, clocks, pins and disks in any order: the judge asserts every invariant.

    After a mishap all that could start is tried: what should not start then is seen by the judge.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="guard", dir=_MEMORY if _MEMORY.is_dir() else None)
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

    def start(self, actuator_id: str, on_s: float, level: float = 1.0, age_s: float = 0.0) -> None:
        """The controller gives an order, and the pin thread has its turn."""
        self.world.renew()
        now = self.world.clock.monotonic()
        one = order(f"a-{len(self.orders)}", actuator_id, on_s, now)
        self.orders.append(replace(one, level=level, issued_at_s=now - age_s))
        self.world.order(self.orders[-1])
        self.world.pin_turn()

    def live(self, seconds: float, *, renews: bool = True) -> None:
        """Time passes, turn by turn."""
        for _ in range(1 + int(seconds / STEP_S)):
            self.world.turn(renews=renews)

    def probe(self) -> None:
        """Try to start everything, and to turn everything up."""
        for name in _NAMES:
            self.start(name, 6.0)
        for name in _NAMES:
            self.world.desk.adjust(name, 1.0, OWNER)
        self.world.turn(renews=True)

    # -- the controller

    @rule(actuator_id=_OUTPUTS, on_s=_SECONDS, level=_LEVELS, age_s=st.sampled_from([0.0, 29.0, 31.0]))
    def give_any_order(self, actuator_id: str, on_s: float, level: float, age_s: float) -> None:
        self.start(actuator_id, on_s, level, age_s)

    @rule(actuator_id=_OUTPUTS, on_s=st.sampled_from([2.0, 5.9]), seconds=st.sampled_from([0.0, 3.0, 8.0]))
    def run_for_a_while(self, actuator_id: str, on_s: float, seconds: float) -> None:
        self.start(actuator_id, on_s, age_s=31.0)
        self.start(actuator_id, on_s)
        self.live(seconds)

    @rule(pair=_PAIRS, first=_LEVELS, second=_LEVELS, low=_LEVELS, high=_LEVELS)
    def run_two(self, pair: tuple[str, str], first: float, second: float, low: float, high: float) -> None:
        self.start(pair[0], 7.0, first)
        self.start(pair[1], 7.0, second)
        self.exchange(pair, low, high)

    @rule(pair=_PAIRS, low=_LEVELS, high=_LEVELS)
    def exchange(self, pair: tuple[str, str], low: float, high: float) -> None:
        self.world.renew()
        for name, level in ((pair[0], low), (pair[1], high), (pair[0], high), (pair[1], low)):
            self.world.desk.adjust(name, level, OWNER)
        self.world.pin_turn()

    @rule(pair=_PAIRS, other=_LEVELS)
    def fall_and_rise(self, pair: tuple[str, str], other: float) -> None:
        self.start(pair[1], 7.0, other)
        self.start(pair[0], 7.0)
        self.world.desk.adjust(pair[0], 0.0, OWNER)
        self.world.desk.adjust(pair[1], 1.0, OWNER)
        self.world.pin_turn()
        self.world.desk.adjust(pair[0], 0.5, OWNER)
        self.world.pin_turn()

    @rule(pair=_PAIRS, level=st.sampled_from([0.89, 0.9, 1.0]), starts=st.booleans())
    def turn_two_up_at_once(self, pair: tuple[str, str], level: float, starts: bool) -> None:
        self.rest(61.0)
        self.world.renew()
        now = self.world.clock.monotonic()
        for name in pair:
            first = 1.0 if name.startswith("pump") else level if starts else 0.2
            self.orders.append(replace(order(f"a-{len(self.orders)}", name, 6.0, now), level=first))
            self.world.order(self.orders[-1])
        if not starts:
            self.world.pin_turn()
            for name in pair:
                self.world.desk.adjust(name, level, OWNER)
        self.world.pin_turn()

    @rule(mishap=st.sampled_from(["", "kill", "break", "off"]), pump=_PUMPS)
    def water(self, mishap: str, pump: str) -> None:
        self.start(pump, 7.0)
        self.live(6.0)
        if mishap == "break":
            self.world.broken[pump] = (2, False)
        elif mishap == "off":
            self.world.off(pump)
        elif mishap == "kill":
            self.restart(crashes=True, away_s=0.5)
        self.live(1.5)
        self.rest(61.0)

    def begin_a_day(self) -> None:
        """Nothing is stopped, rests or was used up."""
        self.world.is_button_pressed = False
        self.world.turn(renews=True)
        self.world.release()
        self.refill()
        self.rest(86_401.0)

    @rule(mishap=st.sampled_from(["", "kill", "break", "off"]))
    def drink(self, mishap: str) -> None:
        """Water until nothing more is given."""
        for pump in ("pump-0", "pump-1", "pump-0", "pump-1"):
            self.water(mishap, pump)

    @rule(
        mishap=st.sampled_from(["", "break"]),
        jump_s=st.sampled_from([0.0, -90_000.0, 90_000.0]),
        crashes=st.booleans(),
    )
    def have_a_days_water_and_restart(self, mishap: str, jump_s: float, crashes: bool) -> None:
        self.begin_a_day()
        self.drink(mishap)
        if jump_s != 0:
            self.world.is_synced = False
            self.world.clock.set_wall(self.world.clock.wall() + jump_s)
        self.restart(crashes=crashes, away_s=61.0)
        self.drink("")

    @rule(
        event=st.sampled_from(_REBOOTS),
        later=st.booleans(),
    )
    def have_a_days_water_and_reboot(self, event: tuple[float, float, float | None], later: bool) -> None:
        jump_s, off_s, shows = event
        self.begin_a_day()
        self.drink("")
        if jump_s != 0:
            self.jump_the_wall_clock(jump_s, restarts=False)
        self.cut_the_power(off_s, shows, later)
        self.drink("")

    @rule(runs=st.lists(st.sampled_from([4.0, 11.0, 12.0]), min_size=1, max_size=3), hours=st.sampled_from([0.0, 11.9]))
    def light(self, runs: list[float], hours: float) -> None:
        for on_s in runs:
            self.start("lamp", on_s)
            self.live(on_s)
            self.rest(hours * 3600.0)

    @rule(number=st.integers(0, 60), latest=st.booleans())
    def repeat_order(self, number: int, latest: bool) -> None:
        if self.orders:
            now = self.world.clock.monotonic()
            self.world.renew()
            old = self.orders[-1 if latest else number % len(self.orders)]
            self.world.order(replace(old, issued_at_s=now, start_by_s=now + 5.0))
            self.world.pin_turn()

    @rule(actuator_id=_OUTPUTS)
    def order_of_somebody_else(self, actuator_id: str) -> None:
        now = self.world.clock.monotonic()
        self.world.order(order(f"b-{self.world.judge.now_s}", actuator_id, 5.0, now), "another")
        if self.world.judge.holds_lease():
            assert self.world.guard.renew("another") is not None, "S11: two hold the lease"
            assert not self.world.desk.adjust(actuator_id, 1.0, "another").accepted, "S11: a stranger's level"
        self.world.pin_turn()

    @rule(actuator_id=_OUTPUTS)
    def switch_off(self, actuator_id: str) -> None:
        self.start(actuator_id, 5.0)
        self.live(1.0)
        self.world.off(actuator_id)

    @rule()
    def publish(self) -> None:
        ended = [str(entry["action_id"]) for entry in self.world.desk.status()["ended"]]
        self.world.desk.renew("nobody", ended)
        self.world.ledger_turn()

    # -- time

    @rule(actuator_id=_OUTPUTS, seconds=st.floats(0.0, 15.0))
    def stop_renewing(self, actuator_id: str, seconds: float) -> None:
        self.start(actuator_id, 5.9)
        self.live(seconds, renews=False)

    @rule(actuator_id=_OUTPUTS, gap_s=st.sampled_from([0.4, 0.6, 3.0]))
    def renew_late(self, actuator_id: str, gap_s: float) -> None:
        self.start(actuator_id, 5.9)
        self.world._pass(gap_s)
        self.world.renew()
        self.world.pin_turn()

    @rule(actuator_id=_OUTPUTS, slices=st.sampled_from([1, 8, 20]))
    def stall_the_pin_thread(self, actuator_id: str, slices: int) -> None:
        self.rest(1.0)  # what runs then is the parent's to end
        self.world.renew()
        now = self.world.clock.monotonic()
        self.orders.append(order(f"a-{len(self.orders)}", actuator_id, 5.9, now))
        self.world.order(self.orders[-1])
        for _ in range(slices):
            self.world._pass(0.3)
            self.world.renew()
        self.world.pin_turn()

    @rule(seconds=st.sampled_from([1.0, 59.0, 61.0, 3600.0, 43_200.0, 86_000.0, 86_401.0]))
    def rest(self, seconds: float) -> None:
        self.live(0.6, renews=False)
        self.world._pass(seconds)
        self.world.turn(renews=True)

    @rule(seconds=st.sampled_from([-90_000.0, 3600.0, 90_000.0, 1e9]), restarts=st.booleans())
    def jump_the_wall_clock(self, seconds: float, restarts: bool) -> None:
        self.live(0.6, renews=False)
        self.world.is_synced = False
        self.world.clock.set_wall(max(0.0, self.world.clock.wall() + seconds))
        if restarts:
            self.restart(crashes=False, away_s=0.5)
        self.probe()

    @rule()
    def set_the_wall_clock_right(self) -> None:
        self.world.clock.set_wall(self.world.true_wall())
        self.world.is_synced = True
        self.checkpoint()
        self.probe()

    @rule()
    def checkpoint(self) -> None:
        def write() -> None:
            with suppress(sqlite3.Error):
                self.world.ledger.checkpoint()

        self.world.survives(write)

    # -- people

    @rule(actuator_id=_OUTPUTS, mishap=st.sampled_from(["", "kill", "end", "stalled"]), releases=st.booleans())
    def press_the_stop(self, actuator_id: str, mishap: str, releases: bool) -> None:
        self.start(actuator_id, 5.9)
        self.world.is_disk_stalled = mishap == "stalled"
        self.world.press()
        self.probe()
        self.world.is_disk_stalled = False
        if mishap in {"kill", "end"}:
            self.restart(crashes=mishap == "kill", away_s=0.5)
        if releases:
            self.world.release()
            self.probe()

    @rule()
    def press_again_while_it_is_released(self) -> None:
        self.world.press()
        self.world.ledger.amid_release = self.world.press_only
        self.world.release()
        self.probe()

    @rule(turns=st.integers(0, 3), releases=st.booleans(), restarts=st.booleans())
    def press_the_button(self, turns: int, releases: bool, restarts: bool) -> None:
        self.start("fan", 5.9)
        self.world.is_button_pressed = True
        for _ in range(turns):
            self.world.turn(renews=True)
        if restarts:
            self.restart(crashes=True, away_s=0.0)
        if releases:
            self.world.release()
        self.probe()
        self.world.is_button_pressed = False
        self.world.turn(renews=True)
        self.probe()

    @rule()
    def release_the_stop(self) -> None:
        self.world.is_button_pressed = False
        self.world.turn(renews=True)
        self.world.release()
        self.probe()

    @rule()
    def refill(self) -> None:
        def refill() -> None:
            with suppress(GuardUnreachableError):
                self.world.desk.refill("can", "anna")

        self.world.judge.refilled_s = self.world.judge.now_s  # a refill that the disk did not take is one of the can
        self.world.survives(refill)

    @rule(pump=st.sampled_from([*_NAMES[:3]]), flow_ml_s=st.sampled_from([0.5, 0.8, 2.0, 3.0, 6.0, 7.0]))
    def measure_a_flow(self, pump: str, flow_ml_s: float) -> None:
        def measure() -> None:
            with suppress(GuardUnreachableError):
                if self.world.desk.set_flow(pump, flow_ml_s, "anna").accepted:
                    self.world.judge.flows[pump] = flow_ml_s
                    assert pump != "fan"
                    assert 2.0 / 3.0 <= flow_ml_s <= 6.0

        self.begin_a_day()
        self.world.survives(measure)
        self.drink("")

    # -- mishaps

    @rule(crashes=st.booleans(), away_s=_AWAY)
    def restart(self, crashes: bool, away_s: float) -> None:
        (self.world.kill if crashes else self.world.end)()
        self.world._pass(away_s)
        self.world.begin()
        self.probe()

    @rule(pump=_PUMPS, seconds=st.sampled_from([0.0, 3.0]), crashes=st.booleans())
    def restart_amid_a_dose(self, pump: str, seconds: float, crashes: bool) -> None:
        self.rest(61.0)
        self.start(pump, 7.9)
        self.live(seconds)
        self.restart(crashes=crashes, away_s=61.0)

    @rule(
        off_s=st.sampled_from([0.0, 10.0, 7200.0, 90_000.0]),
        shows=st.sampled_from([None, _IN_2000, _IN_2049]),
        later=st.booleans(),
    )
    def cut_the_power(self, off_s: float, shows: float | None, later: bool) -> None:
        self.world.power_cut(off_s, shows)
        self.probe()
        if later:
            self.rest(61.0)
            self.probe()

    @rule(
        name=st.sampled_from(WRITES),
        when=st.sampled_from(["before", "amid", "after"]),
        kills=st.booleans(),
        pump=_PUMPS,
    )
    def let_a_write_fail(self, name: str, when: str, kills: bool, pump: str) -> None:
        error = KilledError() if kills else sqlite3.OperationalError("disk I/O error")
        self.world.ledger.fault = (name, when, error)
        self.start(pump, 5.0)
        self.live(5.0)
        self.rest(61.0)
        self.probe()

    @rule(actuator_id=_OUTPUTS, calls=st.integers(1, 3), takes_effect=st.booleans(), amid=st.booleans())
    def break_a_pin(self, actuator_id: str, calls: int, takes_effect: bool, amid: bool) -> None:
        if amid:
            self.start(actuator_id, 2.0)
        self.world.broken[actuator_id] = (calls, takes_effect)
        self.start(actuator_id, 2.0)
        self.probe()
        self.live(2.0)


class TestGuardMachine(GuardMachine.TestCase):  # type: ignore[misc,name-defined]  # made by hypothesis
    """Every run of the suite."""

    settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


@pytest.mark.slow
def test_s01_s02_s03_s06_s09_s10_s11_s12_hold_in_long_lives() -> None:
    """The same machine, longer and more often."""
    run_state_machine_as_test(GuardMachine, settings=settings(max_examples=120, stateful_step_count=50, deadline=None))
