"""The guard's state machine and ledger, in this process, on a clock that stands still."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from dt.controller.guard_types import Budget, GuardConfig, GuardConfigError, Order, OutputConfig
from dt.utils.clock import ManualClock
from tests.controller.guard_box import guard_config, order
from tests.controller.rooms import PinLog, make_guard

_DAY_S = 86_400.0


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
