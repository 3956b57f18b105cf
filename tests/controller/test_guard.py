"""The guard's state machine and ledger, in this process, on a clock that stands still."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dt.controller.guard_types import Budget, GuardConfig, GuardConfigError, Order, OutputConfig
from dt.utils.clock import ManualClock
from tests.controller.guard_box import guard_config, order
from tests.controller.rooms import PinLog, make_guard

_DAY_S = 86_400.0
_STEP_S = 0.25


class GuardMachine(RuleBasedStateMachine):
    """Orders, lapses, jumps of the wall clock, crashes and restarts in any order: the invariants hold throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="guard")
        self.clock = ManualClock()
        self.pins = PinLog(self.clock)
        self.config = guard_config(Path(self.folder.name), pins=2, ml_per_day=150.0)
        self.guard = make_guard(self.config, self.pins, self.clock)
        self.count = 0
        self.runs: dict[str, list[list[float]]] = {output.actuator_id: [] for output in self.config.outputs}

    def teardown(self) -> None:
        self.guard.close()
        self.folder.cleanup()

    @rule(pump=st.sampled_from(["pump-0", "pump-1"]), on_s=st.floats(-1.0, 140.0))
    def give_order(self, pump: str, on_s: float) -> None:
        self.count += 1
        self.guard.run(order(f"a-{self.count}", pump, on_s, self.clock.monotonic()))

    @rule(pump=st.sampled_from(["pump-0", "pump-1"]), on_s=st.sampled_from([20.0, 30.0]))
    def dose_and_rest(self, pump: str, on_s: float) -> None:
        self.give_order(pump, on_s)
        self.pass_time(on_s + 1.0, keeps_lease=True)
        self.clock.advance(600.0)
        self.guard.renew()
        self.tick()

    @rule(number=st.integers(1, 50), pump=st.sampled_from(["pump-0", "pump-1"]))
    def repeat_order(self, number: int, pump: str) -> None:
        if number <= self.count:
            assert not self.guard.run(order(f"a-{number}", pump, 5.0, self.clock.monotonic())).accepted

    @rule(seconds=st.floats(0.1, 40.0), keeps_lease=st.booleans())
    def pass_time(self, seconds: float, keeps_lease: bool) -> None:
        for _ in range(max(1, int(seconds / _STEP_S))):
            self.clock.advance(_STEP_S)
            if keeps_lease:
                self.guard.renew()
            self.tick()

    @rule(hours=st.floats(0.1, 12.0))
    def sleep_with_everything_off(self, hours: float) -> None:
        self.pass_time(1.0, keeps_lease=False)
        self.clock.advance(hours * 3600)
        self.guard.renew()
        self.tick()

    @rule(seconds=st.floats(-1e9, 1e9))
    def jump_the_wall_clock(self, seconds: float) -> None:
        self.clock.set_wall(max(0.0, self.clock.wall() + seconds))

    @rule(pump=st.sampled_from(["pump-0", "pump-1"]))
    def switch_off(self, pump: str) -> None:
        self.guard.off(pump, "asked")
        self.tick()

    @rule(crashes=st.booleans())
    def restart(self, crashes: bool) -> None:
        if crashes:  # the dead guard's pins are driven safe by its parent; its ledger stays as it lies on disk
            self.guard._desk._ledger._db.close()
            for actuator_id, level in self.pins.levels.items():
                if level > 0:
                    self.pins.set(actuator_id, 0.0)
        else:
            self.guard.close()
        self.note()
        self.guard = make_guard(self.config, self.pins, self.clock)
        self.note()
        assert not any(self.pins.levels.values())

    def tick(self) -> None:
        self.guard.tick()
        self.note()

    def note(self) -> None:
        for at_s, actuator_id, level in self.pins.changes:
            runs = self.runs[actuator_id]
            if level > 0:
                runs.append([at_s, float("inf")])
            elif runs and runs[-1][1] == float("inf"):
                runs[-1][1] = at_s
        self.pins.changes.clear()

    @invariant()
    def s01_no_output_was_on_longer_than_its_maximum(self) -> None:
        now = self.clock.monotonic()
        for runs in self.runs.values():
            assert all(min(end_s, now) - began_s <= 30.0 + 2 * _STEP_S for began_s, end_s in runs)

    @invariant()
    def s02_every_pause_was_kept(self) -> None:
        for runs in self.runs.values():
            assert all(later[0] - earlier[1] >= 600.0 - 1e-6 for earlier, later in pairwise(runs))

    @invariant()
    def s03_no_rolling_day_got_more_than_its_budget(self) -> None:
        now = self.clock.monotonic()
        every = [run for runs in self.runs.values() for run in runs]
        for end_s in [min(run[1], now) for run in every]:
            window = (end_s - _DAY_S, end_s)
            on_s = sum(max(0.0, min(e, window[1]) - max(b, window[0])) for b, e in every)
            assert on_s * 2.0 <= 150.0 + 2.0 * 2 * _STEP_S * len(every)


TestGuardMachine = GuardMachine.TestCase
TestGuardMachine.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def pins(clock: ManualClock) -> PinLog:
    """Pins that remember every change."""
    return PinLog(clock)


def _now(action_id: str, clock: ManualClock, on_s: float = 10.0) -> Order:
    return order(action_id, on_s=on_s, now=clock.monotonic())


def test_s01_a_run_ends_at_its_own_time(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """On for what was ordered, measured on the monotonic clock, whatever the wall clock does."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    assert guard.run(_now("a", clock)).accepted
    guard.tick()
    assert pins.levels["pump-0"]

    clock.set_wall(0.0)
    for _ in range(101):
        clock.advance(0.1)
        guard.renew()
        guard.tick()

    assert not pins.levels["pump-0"]
    assert (guard.entry("a") or {})["outcome"] == "done"


def test_s01_an_order_above_the_maximum_is_denied_with_its_margin(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """The denial names value, limit and margin."""
    guard = make_guard(guard_config(tmp_path), pins, clock)

    denial = guard.run(_now("a", clock, on_s=31.0)).denial

    assert denial is not None
    assert (denial.invariant, denial.value, denial.limit, denial.margin) == ("S1", 31.0, 30.0, -1.0)


def test_s01_no_configuration_passes_the_ceilings() -> None:
    """120 s, 60 s of pause, 500 ml a litre and half a second of lease are in code."""
    with pytest.raises(GuardConfigError, match="max_on_s"):
        OutputConfig(actuator_id="p", pin=17, max_on_s=121.0)
    with pytest.raises(GuardConfigError, match="pause_s"):
        OutputConfig(actuator_id="p", pin=17, pause_s=1.0)
    with pytest.raises(GuardConfigError, match="ml_per_day"):
        Budget(ml_per_day=501.0, pot_volume_l=1.0)
    with pytest.raises(GuardConfigError, match="lease_s"):
        GuardConfig(outputs=(), lease_s=5.0)


def test_s03_the_charge_is_on_disk_before_the_pin_goes_high(tmp_path: Path, clock: ManualClock) -> None:
    """Whoever opens the file at the instant at which the pin goes high finds the whole dose charged."""
    seen: list[float] = []

    def look(actuator_id: str) -> None:
        other = sqlite3.connect(tmp_path / "ledger.sqlite")
        row = other.execute("SELECT kept_ml FROM entries WHERE actuator_id = ?", (actuator_id,)).fetchone()
        other.close()
        seen.append(row[0])

    pins = PinLog(clock, on_high=look)
    guard = make_guard(guard_config(tmp_path), pins, clock)

    guard.run(_now("a", clock))
    guard.tick()

    assert seen == [20.0]


def test_s03_only_a_measured_clean_stop_refunds(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """Switched off after 4 of 10 seconds, 8 of 20 ml stay charged."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock))
    guard.tick()
    for _ in range(40):
        clock.advance(0.1)
        guard.renew()
        guard.tick()

    guard.off("pump-0", "asked")
    guard.tick()

    assert guard.budget("pump-0")["spent_ml"] == pytest.approx(8.0, abs=0.3)


def test_s03_a_pin_that_fails_refunds_nothing(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """Nobody knows what flowed, so the whole dose counts."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock))
    pins.fails = True

    guard.tick()

    assert (guard.entry("a") or {})["outcome"] == "failed"
    assert guard.budget("pump-0")["spent_ml"] == 20.0


def test_s03_a_reservoir_gives_no_more_than_it_holds(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """An empty can stays empty until a person refills it."""
    config = guard_config(tmp_path)
    config = replace(config, reservoirs={"can": 15.0})
    guard = make_guard(config, pins, clock)

    denied = guard.run(_now("a", clock)).denial
    assert denied is not None
    assert "reservoir" in denied.why
    assert guard.run(_now("b", clock, on_s=7.5)).accepted
    guard.tick()
    clock.advance(0.1)
    guard.off("pump-0", "asked")
    guard.tick()
    clock.advance(0.1)
    guard.refill("can", "anna")
    assert guard.budget("pump-0")["reservoir_left_ml"] == 15.0


def test_s09_nothing_starts_until_a_person_releases_the_stop(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """The latch survives a restart of the guard."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock))
    guard.tick()

    guard.emergency_stop("anna")
    guard.tick()
    assert not pins.levels["pump-0"]
    guard.close()
    guard = make_guard(guard_config(tmp_path), pins, clock)

    denial = guard.run(_now("b", clock)).denial
    assert denial is not None
    assert denial.invariant == "S9"
    guard.release_stop("anna")
    guard.close()
    assert make_guard(guard_config(tmp_path), pins, clock).status()["stopped_by"] is None


def test_s10_an_order_expires_before_it_starts(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """Thirty seconds after it was issued, or when its starter's patience is over."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    now = clock.monotonic()
    old = Order(action_id="a", actuator_id="pump-0", on_s=5.0, issued_at_s=now - 31.0, start_by_s=now + 5.0)

    denial = guard.run(old).denial

    assert denial is not None
    assert denial.invariant == "S10"
    assert (guard.entry("a") or {})["outcome"] == "expired"


def test_s10_a_charged_order_whose_time_has_passed_does_not_start(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """A disk that stalled too long costs the dose, and the charge is paid back."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    assert guard.run(_now("a", clock)).accepted
    clock.advance(6.0)
    guard.renew()

    guard.tick()

    assert not pins.levels["pump-0"]
    assert (guard.entry("a") or {})["outcome"] == "expired"
    assert guard.budget("pump-0")["spent_ml"] == 0.0


def test_s11_a_lease_has_one_holder(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """A second controller waits until the first one's lease has lapsed."""
    guard = make_guard(guard_config(tmp_path), pins, clock)

    assert guard.guard.renew("another") is not None
    clock.advance(0.6)
    assert guard.guard.renew("another") is None


def test_s12_clock_jumps_over_a_restart_grant_no_budget(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """A wall clock that the kernel does not call synchronised refills nothing."""
    guard = make_guard(guard_config(tmp_path, ml_per_day=20.0), pins, clock)
    guard.run(_now("a", clock))
    guard.tick()
    for _ in range(101):
        clock.advance(0.1)
        guard.renew()
        guard.tick()
    guard.close()
    clock.set_wall(clock.wall() + 40 * _DAY_S)

    guard = make_guard(guard_config(tmp_path, ml_per_day=20.0), pins, clock)
    clock.advance(700.0)
    guard.renew()

    denial = guard.run(_now("b", clock)).denial
    assert denial is not None
    assert denial.invariant == "S3"


def test_s13_a_denial_is_in_the_ledger_with_value_limit_and_margin(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """Every refusal is recorded, and handed out until somebody says that it is published."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock, on_s=31.0))

    [entry] = guard.renew()["ended"]

    assert json.loads(entry["why"])["invariant"] == "S1"
    assert guard.renew(["a"])["ended"] == []
