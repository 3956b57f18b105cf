"""The guard against two controllers, late renewals, odd orders, numbers that are none, and a ledger that goes away."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dt.controller.guard_types import Budget, GuardConfig, GuardConfigError, Order, OutputConfig
from dt.utils.clock import ManualClock
from tests.controller.guard_box import guard_config, order
from tests.controller.rooms import PinLog, make_guard


@pytest.fixture
def pins(clock: ManualClock) -> PinLog:
    """Pins that remember every change."""
    return PinLog(clock)


def _now(action_id: str, clock: ManualClock, on_s: float = 10.0, actuator_id: str = "pump-0") -> Order:
    return order(action_id, actuator_id, on_s, clock.monotonic())


def test_s11_a_lease_renewed_too_late_does_not_revive_what_ran_under_it(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """Guard and loop starve together (one interpreter): the run ends although the renewal comes before the tick."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock))
    guard.tick()
    clock.advance(0.6)

    guard.renew()
    guard.tick()

    assert not pins.levels["pump-0"]
    assert "S11" in (guard.entry("a") or {})["why"]


def test_s11_a_lease_that_changes_hands_ends_what_the_first_holder_started(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """The second controller keeps its own lease alive, not the doses of the dead one."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock))
    guard.tick()
    guard.guard.release("controller")

    assert guard.guard.renew("another") is None
    guard.tick()

    assert not pins.levels["pump-0"]


def test_s11_only_the_holder_of_the_lease_may_start_an_output(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """Else a run would outlive its controller on somebody else's lease."""
    guard = make_guard(guard_config(tmp_path), pins, clock)

    answer = guard._desk.run(_now("a", clock), "another")
    guard.tick()

    assert answer.denial is not None
    assert answer.denial.invariant == "S11"
    assert not pins.levels["pump-0"]
    assert (guard.entry("a") or {})["outcome"] == "refused"


def test_s09_a_stop_pressed_while_another_is_released_stays(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """Releasing waits for the disk; who presses meanwhile has not been released by anybody."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.emergency_stop("anna")
    desk, ledger = guard._desk, guard._desk._ledger
    write = ledger.release_stop

    class _Slow(type(ledger)):  # type: ignore[misc]
        def release_stop(self, by: str) -> None:
            write(by)
            desk.emergency_stop("bert")

    ledger.__class__ = _Slow

    guard.release_stop("anna")
    guard.tick()

    assert guard.status()["stopped_by"] is not None
    guard.close()
    assert make_guard(guard_config(tmp_path), pins, clock).status()["stopped_by"] == "bert"


@pytest.mark.parametrize("field", ["on_s", "issued_at_s", "start_by_s"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "ten"])
def test_s10_orders_with_numbers_that_are_none_are_denied(
    tmp_path: Path, clock: ManualClock, pins: PinLog, field: str, value: object
) -> None:
    """JSON of the socket knows NaN, and NaN is above no limit."""
    guard = make_guard(guard_config(tmp_path), pins, clock)

    answer = guard.run(dataclasses.replace(_now("a", clock), **{field: value}))  # type: ignore[arg-type]
    guard.tick()

    assert answer.denial is not None
    assert not pins.levels["pump-0"]


@pytest.mark.parametrize("ml", [float("nan"), -1.0, float("inf")])
def test_s03_a_reservoir_holds_a_number_of_ml(ml: float) -> None:
    """One that holds NaN would never be empty."""
    with pytest.raises(GuardConfigError, match=r"reservoirs\.can"):
        GuardConfig(outputs=(), reservoirs={"can": ml})


@pytest.mark.parametrize("ml_per_day", [float("nan"), -1.0, float("inf")])
def test_s03_a_budget_is_a_number_of_ml(ml_per_day: float) -> None:
    """A plant with a budget of NaN would get water for ever."""
    with pytest.raises(GuardConfigError, match="ml_per_day"):
        Budget(ml_per_day=ml_per_day, pot_volume_l=1.0)


@pytest.mark.parametrize("flow_ml_s", [1e-6, float("nan"), -2.0])
def test_s03_a_pump_that_gives_next_to_nothing_is_a_wrong_setting(flow_ml_s: float) -> None:
    """Its doses would never use up the budget: somebody wrote l/s or forgot to measure."""
    with pytest.raises(GuardConfigError, match="flow_ml_s"):
        OutputConfig(actuator_id="p", pin=17, plant_id="basil", flow_ml_s=flow_ml_s)


def test_s03_tiny_doses_are_charged_what_was_measured(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """A pulse of a microsecond keeps the pump on for a tick; thousands of them must not water for nothing."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock, on_s=1e-6))
    guard.tick()
    clock.advance(0.08)
    guard.renew()
    guard.tick()

    assert (guard.entry("a") or {})["outcome"] == "done"
    assert guard.budget("pump-0")["spent_ml"] == pytest.approx(0.16)


def test_s03_a_ledger_that_was_deleted_grants_nothing(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """What is charged on a file that no longer has a name would be forgotten at the next start."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    (tmp_path / "ledger.sqlite").unlink()

    answer = guard.run(_now("a", clock))
    guard.tick()

    assert answer.denial is not None
    assert answer.denial.invariant == "S3"
    assert not pins.levels["pump-0"]


def test_s03_a_dose_that_runs_while_the_can_is_refilled_counts(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """Some of it may come out of the new water."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock))
    guard.tick()
    clock.advance(0.1)

    guard.refill("can", "anna")

    assert guard.budget("pump-0")["reservoir_left_ml"] == 980.0
