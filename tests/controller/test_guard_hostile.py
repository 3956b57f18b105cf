"""The guard against two controllers, late renewals, odd orders, numbers that are none, and a ledger that goes away."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dt.controller.guard_client import InProcessGuard
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


def _run_for(guard: InProcessGuard, clock: ManualClock, action_id: str, seconds: float) -> None:
    assert guard.run(_now(action_id, clock, on_s=seconds)).accepted
    guard.tick()
    for _ in range(round(seconds / 0.1) + 1):
        clock.advance(0.1)
        guard.renew()
        guard.tick()


@pytest.mark.parametrize("restarts", [False, True])
def test_s02_the_pause_is_kept_by_the_guard_itself(
    tmp_path: Path, clock: ManualClock, pins: PinLog, restarts: bool
) -> None:
    """Whoever asks, and over a restart; when it is over the next run may start."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    _run_for(guard, clock, "a", 1.0)
    if restarts:
        guard.close()
        guard = make_guard(guard_config(tmp_path), pins, clock)
    clock.advance(590.0)
    guard.renew()

    denial = guard.run(_now("b", clock)).denial

    assert denial is not None
    assert (denial.invariant, denial.limit) == ("S2", 600.0)
    assert denial.margin is not None
    assert -11.0 < denial.margin < -8.0
    clock.advance(11.0)
    guard.renew()
    assert guard.run(_now("c", clock)).accepted


def test_s02_an_output_that_is_on_or_due_takes_no_other_order(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """A second order would prolong the first beyond its charge."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    assert guard.run(_now("a", clock)).accepted

    due = guard.run(_now("b", clock)).denial
    guard.tick()
    on = guard.run(_now("c", clock)).denial

    for denial in (due, on):
        assert denial is not None
        assert (denial.invariant, denial.margin) == ("S2", -600.0)


def test_s02_an_output_that_could_not_be_driven_takes_no_order(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """Its pause begins when it is known to be safe."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    assert guard.run(_now("a", clock)).accepted
    pins.fails = True
    guard.tick()
    clock.advance(700.0)
    guard.renew()
    guard.tick()

    stuck = guard.run(_now("b", clock)).denial
    pins.fails = False
    guard.tick()
    resting = guard.run(_now("c", clock)).denial

    assert stuck is not None
    assert resting is not None
    assert (stuck.why, resting.why) == ("the output is on", "the pause is not over")


@pytest.mark.parametrize("on_s", [0.0, -1.0])
def test_s01_an_order_for_no_time_is_denied(tmp_path: Path, clock: ManualClock, pins: PinLog, on_s: float) -> None:
    """A negative one would be paid into the budget."""
    guard = make_guard(guard_config(tmp_path), pins, clock)

    denial = guard.run(_now("a", clock, on_s=on_s)).denial

    assert denial is not None
    assert denial.invariant == "S1"
    assert guard.budget("pump-0")["spent_ml"] == 0.0


def test_s13_a_denial_for_want_of_a_lease_has_a_negative_margin(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """How long ago it lapsed."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    clock.advance(1.5)

    denial = guard.run(_now("a", clock)).denial

    assert denial is not None
    assert (denial.invariant, denial.value, denial.limit, denial.margin) == ("S11", -1.0, 0.0, -1.0)


def test_s11_a_lapsed_lease_ends_the_run_at_the_next_tick(tmp_path: Path, clock: ManualClock, pins: PinLog) -> None:
    """Nobody has to renew or release anything for that."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    guard.run(_now("a", clock))
    guard.tick()
    clock.advance(0.4)
    guard.tick()
    assert pins.levels["pump-0"]

    clock.advance(0.2)
    guard.tick()

    assert not pins.levels["pump-0"]


def test_s10_a_known_action_gets_its_entry_back_however_much_later(
    tmp_path: Path, clock: ManualClock, pins: PinLog
) -> None:
    """Also when everything else would allow it to run again."""
    guard = make_guard(guard_config(tmp_path), pins, clock)
    _run_for(guard, clock, "a", 1.0)
    clock.advance(700.0)
    guard.renew()

    answer = guard.run(_now("a", clock, on_s=1.0))

    assert (answer.accepted, answer.denial) == (False, None)
    assert (answer.entry or {})["outcome"] == "done"
