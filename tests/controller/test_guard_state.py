"""The guard's state machine alone, without ledger and desk: what it answers, switches and reports, step by step."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dt.controller.guard import TICK_S, Guard
from dt.controller.guard_types import Denial, Ended, GuardConfig, Order
from dt.utils.clock import ManualClock
from tests.controller.outputs import mixed_config
from tests.controller.rooms import PinLog

_ME, _OTHER = "controller", "another"


class HeardWait(threading.Event):
    """An event that tells for how long it was waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s.append(timeout)
        return self.is_set()


@dataclass(slots=True, kw_only=True)
class Bench:
    """A guard of the mixed box whose lease `_ME` holds, on a clock that stands still at 1000 s."""

    clock: ManualClock
    pins: PinLog
    guard: Guard
    broken: set[str] = field(default_factory=set)

    def order(self, actuator_id: str = "pump-0", on_s: float = 10.0, level: float = 1.0) -> Order:
        """An order issued now that may start within 5 s."""
        now = self.clock.monotonic()
        name = f"{actuator_id} at {now:g}"
        return Order(
            action_id=name, actuator_id=actuator_id, on_s=on_s, issued_at_s=now, start_by_s=now + 5.0, level=level
        )

    def start(self, actuator_id: str = "pump-0", on_s: float = 10.0, level: float = 1.0) -> Order:
        """Start an order, and let the pin thread have a turn."""
        order = self.order(actuator_id, on_s, level)
        assert self.guard.start(order, _ME) is None
        assert self.guard.tick() == []
        return order

    def pass_time(self, seconds: float) -> None:
        """Let time pass with the lease kept."""
        self.clock.advance(seconds)
        self.guard._lease = (_ME, self.clock.monotonic() + 0.5)

    def set_pin(self, actuator_id: str, level: float) -> None:
        """Drive a pin, unless its wire is broken."""
        if actuator_id in self.broken:
            raise OSError(f"no wire to {actuator_id}")
        self.pins.set(actuator_id, level)


def _bench(config: GuardConfig, **begun: object) -> Bench:
    clock = ManualClock()
    bench = Bench(clock=clock, pins=PinLog(clock), guard=None)  # type: ignore[arg-type]
    bench.guard = Guard(config=config, set_pin=bench.set_pin, clock=clock, **begun)  # type: ignore[arg-type]
    assert bench.guard.renew(_ME) is None
    return bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A guard whose outputs never ran."""
    return _bench(mixed_config(tmp_path))


def _denial(
    invariant: str, why: str, value: float | None = None, limit: float | None = None, margin: float | None = None
) -> Denial:
    return Denial(invariant=invariant, why=why, value=value, limit=limit, margin=margin)


def _ended(order: Order, outcome: str, why: str, on_s: float | None, *, was_on: bool = True) -> Ended:
    return Ended(
        action_id=order.action_id, actuator_id=order.actuator_id, outcome=outcome, why=why, on_s=on_s,
        clean=on_s is not None, was_on=was_on,
    )  # fmt: skip


# -- its beginning --------------------------------------------------------------------------------------------------


def test_s10_a_guard_begins_with_every_pin_driven_to_its_safe_state(bench: Bench) -> None:
    """Each once, at 0, before anything else; nothing runs, nobody pressed the stop."""
    assert [(name, level) for _, name, level in bench.pins.changes] == [
        (output.actuator_id, 0.0) for output in bench.guard._config.outputs
    ]
    assert (bench.guard.stopped_by, bench.guard.stops, bench.guard.has_unsafe()) == (None, 0, False)
    assert bench.guard.is_quiet()
    assert bench.guard.driven() == dict.fromkeys(bench.pins.levels, 0.0)


def test_s11_nobody_holds_the_lease_of_a_new_guard(tmp_path: Path) -> None:
    """So nothing starts."""
    clock = ManualClock()
    guard = Guard(config=mixed_config(tmp_path), set_pin=PinLog(clock).set, clock=clock)
    order = Order(action_id="a", actuator_id="pump-0", on_s=1.0, issued_at_s=1000.0, start_by_s=1005.0)

    assert not guard.has_lease()
    assert guard.admit(order, _ME) == _denial("S11", "nobody holds the lease", 0.0, 0.0, 0.0)


def test_s02_a_guard_knows_how_long_its_outputs_have_rested(tmp_path: Path) -> None:
    """From the ledger of the one before it."""
    bench = _bench(mixed_config(tmp_path), ended_ago_s={"pump-0": 599.5, "pump-1": 600.0})

    assert bench.guard.admit(bench.order("pump-0"), _ME) == _denial("S2", "the pause is not over", 599.5, 600.0, -0.5)
    assert bench.guard.admit(bench.order("pump-1"), _ME) is None
    assert bench.guard.outputs()["pump-0"]["off_for_s"] == 599.5


def test_s09_a_guard_begins_stopped_when_the_stop_was_latched(tmp_path: Path) -> None:
    """By whoever pressed it then."""
    bench = _bench(mixed_config(tmp_path), stopped_by="bert")

    assert bench.guard.stopped_by == "bert"
    assert bench.guard.admit(bench.order(), _ME) == _denial("S9", "emergency stop by bert")


# -- the lease ------------------------------------------------------------------------------------------------------


def test_s11_a_lease_holds_for_half_a_second_and_not_at_its_end(bench: Bench) -> None:
    """At its end it has lapsed."""
    bench.clock.advance(0.499)
    assert bench.guard.has_lease()

    bench.clock.advance(0.001)

    assert not bench.guard.has_lease()
    assert bench.guard.admit(bench.order(), _ME) == _denial("S11", "nobody holds the lease", 0.0, 0.0, 0.0)
    bench.clock.advance(0.12345)
    assert bench.guard.admit(bench.order(), _ME) == _denial("S11", "nobody holds the lease", -0.123, 0.0, -0.123)


def test_s11_another_owner_waits_until_the_lease_has_lapsed(bench: Bench) -> None:
    """It is told who holds it and for how long."""
    bench.clock.advance(0.25)

    held = _denial("S11", "the lease is held by controller", 0.25, 0.0, -0.25)
    assert bench.guard.renew(_OTHER) == held
    assert bench.guard.admit(bench.order(), _OTHER) == held
    assert bench.guard.start(bench.order(), _OTHER) == held
    bench.start("fan")
    assert bench.guard.adjust("fan", 0.5, _OTHER) == held
    bench.clock.advance(0.25)
    assert bench.guard.renew(_OTHER) is None
    assert bench.guard.admit(bench.order(), _ME) == _denial("S11", "the lease is held by another", 0.5, 0.0, -0.5)


def test_s11_each_renewal_prolongs_the_lease(bench: Bench) -> None:
    """To half a second from then."""
    for _ in range(4):
        bench.clock.advance(0.3)
        assert bench.guard.renew(_ME) is None

    bench.clock.advance(0.499)
    assert bench.guard.has_lease()


def test_s11_a_late_renewal_revives_nothing(bench: Bench) -> None:
    """Neither the same owner's nor another's: what ran when it lapsed goes off."""
    order = bench.start("fan")
    bench.clock.advance(0.5)

    assert bench.guard.renew(_ME) is None

    assert bench.guard.tick() == [_ended(order, "stopped", "S11: the lease was not renewed", 0.5)]
    assert bench.pins.levels["fan"] == 0.0


def test_s11_a_late_renewal_keeps_the_reason_why_a_run_was_to_end(bench: Bench) -> None:
    """The first reason stands."""
    order = bench.start("fan")
    bench.guard.off("fan", "asked")
    bench.clock.advance(0.5)

    bench.guard.renew(_ME)

    assert bench.guard.tick() == [_ended(order, "stopped", "asked", 0.5)]


def test_s11_without_a_renewal_everything_goes_off(bench: Bench) -> None:
    """At the lease's end, not before."""
    order = bench.start("fan")
    bench.clock.advance(0.499)
    assert bench.guard.tick() == []

    bench.clock.advance(0.001)

    assert bench.guard.tick() == [_ended(order, "stopped", "S11: the lease was not renewed", 0.5)]


def test_s11_a_lease_that_is_given_back_ends_everything(bench: Bench) -> None:
    """Only its owner can give it back."""
    order = bench.start("fan")
    bench.guard.release(_OTHER)
    assert bench.guard.has_lease()

    bench.guard._wake.clear()
    bench.guard.release(_ME)

    assert bench.guard._wake.is_set()
    assert not bench.guard.has_lease()
    assert bench.guard.tick() == [_ended(order, "stopped", "S11: the lease was not renewed", 0.0)]
    bench.guard.release(_ME)
    assert bench.guard.renew(_OTHER) is None


# -- why an order may not start -------------------------------------------------------------------------------------


def test_s01_an_output_that_is_not_there_cannot_run(bench: Bench) -> None:
    """It is named."""
    order = replace(bench.order(), actuator_id="ghost")

    assert bench.guard.admit(order, _ME) == _denial("S1", "there is no output ghost")


def test_s10_an_order_has_expired_after_30_s_or_its_starter_s_patience(bench: Bench) -> None:
    """Exactly at both it may start."""
    order = bench.order()
    now = bench.clock.monotonic()

    assert bench.guard.admit(replace(order, issued_at_s=now - 30.0), _ME) is None
    assert bench.guard.admit(replace(order, start_by_s=now), _ME) is None
    assert bench.guard.admit(replace(order, issued_at_s=now - 30.5), _ME) == _denial(
        "S10", "the command has expired", 30.5, 30.0, -0.5
    )
    assert bench.guard.admit(replace(order, issued_at_s=now - 8.0, start_by_s=now - 0.5), _ME) == _denial(
        "S10", "the command has expired", 8.0, 30.0, 22.0
    )


def test_s01_an_order_is_as_long_as_its_output_may_be_on(bench: Bench) -> None:
    """At most."""
    assert bench.guard.admit(bench.order(on_s=30.0), _ME) is None
    assert bench.guard.admit(bench.order(on_s=30.5), _ME) == _denial(
        "S1", "longer than the output may be on", 30.5, 30.0, -0.5
    )


def test_s02_an_output_that_is_on_takes_no_other_order(bench: Bench) -> None:
    """Also one that is due and not on yet, and one that could not be driven."""
    busy = _denial("S2", "the output is on", 0.0, 600.0, -600.0)
    bench.guard.start(bench.order(), _ME)

    assert bench.guard.admit(bench.order(), _ME) == busy
    bench.guard.tick()
    assert bench.guard.start(bench.order(), _ME) == busy
    bench.broken = {"pump-0"}
    bench.guard.off("pump-0", "asked")
    bench.guard.tick()
    assert bench.guard.admit(bench.order(), _ME) == busy


def test_s06_an_order_that_breaks_a_rule_of_the_supply_is_denied(bench: Bench) -> None:
    """By what is on and what is due, at the most that it may be at."""
    bench.start("heater", level=0.2)
    bench.guard.adjust("heater", 1.0, _ME)

    assert bench.guard.admit(bench.order("lamp"), _ME) == _denial(
        "S6", "more than supply main may give (W)", 70.0, 60.0, -10.0
    )
    assert bench.guard.admit(bench.order("lamp", level=0.5), _ME) is None


def test_s10_nothing_starts_once_the_guard_is_stopping(bench: Bench) -> None:
    """And what runs goes off."""
    order = bench.start("fan")
    bench.guard._wake.clear()

    bench.guard.shut()

    assert bench.guard._wake.is_set()
    assert bench.guard.admit(bench.order(), _ME) == _denial("S10", "the guard is stopping")
    assert bench.guard.tick() == [_ended(order, "stopped", "S10: the guard is stopping", 0.0)]


# -- a run ----------------------------------------------------------------------------------------------------------


def test_s01_a_run_goes_on_at_the_next_tick_and_off_at_its_end(bench: Bench) -> None:
    """Until then its pin is left alone."""
    bench.guard._wake.clear()
    order = bench.order("fan", on_s=10.0, level=0.4)
    assert bench.guard.start(order, _ME) is None
    assert bench.guard._wake.is_set()
    assert bench.pins.levels["fan"] == 0.0
    bench.guard.tick()
    assert not bench.guard._wake.is_set()
    assert bench.pins.levels["fan"] == 0.4
    changes = len(bench.pins.changes)
    bench.pass_time(9.999)
    assert bench.guard.tick() == []
    assert len(bench.pins.changes) == changes

    bench.pass_time(0.001)

    assert bench.guard.tick() == [_ended(order, "done", "its time is over", pytest.approx(10.0, abs=1e-9))]
    assert bench.pins.levels["fan"] == 0.0
    assert bench.guard.tick() == []


def test_s01_an_output_s_longest_ends_a_run_that_was_ordered_for_longer(tmp_path: Path) -> None:
    """Whoever let it in."""
    bench = _bench(mixed_config(tmp_path))
    bench.start("relay", on_s=3600.0)
    run = bench.guard._runs["relay"]
    run.order = replace(run.order, on_s=9999.0)

    bench.pass_time(3599.9)
    assert bench.guard.tick() == []
    bench.pass_time(0.1)
    [ended] = bench.guard.tick()

    assert ended.outcome == "done"


def test_s10_a_due_order_whose_patience_is_over_does_not_start(bench: Bench) -> None:
    """At its last instant it does; it moved nothing, so its output needs no rest."""
    order = bench.order("relay")
    bench.guard.start(order, _ME)
    bench.pass_time(5.001)

    assert bench.guard.tick() == [_ended(order, "expired", "S10: expired before it could start", 0.0, was_on=False)]
    assert bench.guard.outputs()["relay"]["off_for_s"] is None
    late = bench.order("relay")
    bench.guard.start(late, _ME)
    bench.pass_time(5.0)
    assert bench.guard.tick() == []
    assert bench.pins.levels["relay"] == 1.0


def test_s10_a_due_order_that_is_to_stop_never_starts(bench: Bench) -> None:
    """Its pin is not touched."""
    order = bench.order("relay")
    bench.guard.start(order, _ME)
    assert bench.guard.off("relay", "asked")
    changes = len(bench.pins.changes)

    assert bench.guard.tick() == [_ended(order, "stopped", "asked", 0.0, was_on=False)]
    assert len(bench.pins.changes) == changes


def test_an_output_goes_off_for_the_first_reason_given(bench: Bench) -> None:
    """False for one that does not run."""
    order = bench.start("relay")
    bench.pass_time(2.0)
    bench.guard._wake.clear()

    assert bench.guard.off("relay", "asked")
    assert bench.guard._wake.is_set()
    assert bench.guard.off("relay", "asked again")

    assert not bench.guard.off("fan", "asked")
    assert bench.guard.tick() == [_ended(order, "stopped", "asked", 2.0)]


def test_s02_an_output_rests_from_the_end_of_its_run(bench: Bench) -> None:
    """For its whole pause."""
    bench.start("relay", on_s=2.0)
    bench.pass_time(2.0)
    bench.guard.tick()
    bench.pass_time(4.5)

    assert bench.guard.admit(bench.order("relay"), _ME) == _denial("S2", "the pause is not over", 4.5, 5.0, -0.5)
    bench.pass_time(0.5)
    assert bench.guard.admit(bench.order("relay"), _ME) is None


# -- the level of a run ---------------------------------------------------------------------------------------------


def test_another_level_reaches_the_pin_at_the_next_tick(bench: Bench) -> None:
    """And the run goes on."""
    bench.start("fan", level=0.4)
    bench.guard._wake.clear()

    assert bench.guard.adjust("fan", 0.6, _ME) is None

    assert bench.guard._wake.is_set()
    assert bench.pins.levels["fan"] == 0.4
    assert bench.guard.driven()["fan"] == 0.4
    assert bench.guard.tick() == []
    assert bench.pins.levels["fan"] == 0.6
    assert bench.guard.driven()["fan"] == 0.6


def test_a_level_begins_with_an_order(bench: Bench) -> None:
    """None that runs, none that was told to stop, none that is there."""
    bench.start("fan")
    bench.guard.off("fan", "asked")

    for name in ("fan", "lamp", "ghost"):
        assert bench.guard.adjust(name, 0.5, _ME) == _denial(
            "S1", f"{name} does not run: its level begins with an order"
        )


def test_s09_no_level_is_changed_while_everything_is_stopped(bench: Bench) -> None:
    """Or while nobody holds the lease."""
    bench.start("fan")
    bench.clock.advance(0.5)
    assert bench.guard.adjust("fan", 0.5, _ME) == _denial("S11", "nobody holds the lease", 0.0, 0.0, 0.0)
    bench.guard.emergency_stop("bert")

    assert bench.guard.adjust("fan", 0.5, _ME) == _denial("S9", "emergency stop by bert")


def test_s06_more_is_judged_beside_the_others_and_less_is_not(bench: Bench) -> None:
    """An output may always be turned down, to a level that it knows."""
    bench.start("heater", level=0.5)
    bench.start("lamp", level=1.0)
    overload = _denial("S6", "more than supply main may give (W)", pytest.approx(62.0), 60.0, pytest.approx(-2.0))

    assert bench.guard.adjust("heater", 0.8, _ME) == overload
    assert bench.pins.levels["heater"] == 0.5
    bench.guard._runs["lamp"].driven = 2.0  # as if more were on than may be
    assert bench.guard.adjust("heater", 0.5, _ME) is None
    assert bench.guard.adjust("heater", 0.4, _ME) is None
    assert bench.guard.adjust("heater", 0.45, _ME) is not None
    assert bench.guard.adjust("heater", -0.1, _ME) == _denial("S6", "a level is from 0 to 1", -0.1, 1.0, 1.1)


def test_s02_an_output_at_level_0_rests_within_its_run(bench: Bench) -> None:
    """From the instant at which its pin fell, for its whole pause; turned down further it rests on."""
    bench.start("heater", on_s=600.0, level=0.5)
    bench.pass_time(10.0)
    assert bench.guard.adjust("heater", 0.0, _ME) is None
    assert bench.guard.adjust("heater", 0.5, _ME) is None  # its pin has not fallen yet
    assert bench.guard.adjust("heater", 0.0, _ME) is None
    assert bench.guard.tick() == []
    assert bench.pins.levels["heater"] == 0.0
    bench.pass_time(29.5)

    assert bench.guard.adjust("heater", 0.5, _ME) == _denial("S2", "the pause is not over", 29.5, 30.0, -0.5)
    assert bench.guard.adjust("heater", 0.0, _ME) is None
    assert bench.guard.tick() == []
    bench.pass_time(0.5)
    assert bench.guard.adjust("heater", 0.5, _ME) is None
    assert bench.guard.tick() == []
    assert bench.pins.levels["heater"] == 0.5


def test_s02_an_output_that_never_was_above_0_needs_no_rest(bench: Bench) -> None:
    """A run that begins at level 0 drives its pin to nothing."""
    bench.start("heater", level=0.0)

    assert bench.guard.outputs()["heater"]["off_for_s"] is None
    assert bench.guard.adjust("heater", 1.0, _ME) is None


# -- the emergency stop ---------------------------------------------------------------------------------------------


def test_s09_the_stop_ends_everything_at_the_next_tick(bench: Bench) -> None:
    """What is on and what is due."""
    on = bench.start("fan")
    due = bench.order("relay")
    bench.guard.start(due, _ME)
    bench.guard._wake.clear()

    bench.guard.emergency_stop("bert")

    assert bench.guard._wake.is_set()
    assert bench.guard.stops == 1
    assert bench.guard.tick() == [
        _ended(on, "stopped", "S9: emergency stop by bert", 0.0),
        _ended(due, "stopped", "S9: emergency stop by bert", 0.0, was_on=False),
    ]


def test_s09_who_pressed_first_is_who_is_told(bench: Bench) -> None:
    """Each press is counted."""
    bench.guard.emergency_stop("bert")
    bench.guard.emergency_stop("anna")

    assert (bench.guard.stopped_by, bench.guard.stops) == ("bert", 2)


def test_s09_a_release_that_knows_of_every_press_lets_outputs_start(bench: Bench) -> None:
    """A press that came since its count was read keeps everything stopped."""
    bench.guard.emergency_stop("bert")
    bench.guard.emergency_stop("anna")
    bench.guard._wake.clear()

    assert bench.guard.release_stop(1) is False
    assert bench.guard.stopped_by == "bert"
    assert not bench.guard._wake.is_set()
    assert bench.guard.release_stop(2) is True
    assert bench.guard.stopped_by is None
    assert bench.guard._wake.is_set()
    assert bench.guard.admit(bench.order(), _ME) is None


# -- pins that cannot be driven -------------------------------------------------------------------------------------


def test_s01_a_pin_that_cannot_be_set_ends_its_run_unmeasured(bench: Bench) -> None:
    """It is unsafe, counts as full and is tried again at every tick; its rest begins when it is safe."""
    order = bench.order("heater", level=0.3)
    bench.guard.start(order, _ME)
    bench.broken = {"heater"}

    assert bench.guard.tick() == [_ended(order, "failed", "the pin could not be set: no wire to heater", None)]
    assert bench.guard.has_unsafe()
    assert not bench.guard.is_quiet()
    assert bench.guard.driven()["heater"] == 1.0
    assert bench.guard.outputs()["heater"]["on"] is True
    bench.pass_time(40.0)
    assert bench.guard.tick() == []
    assert bench.guard.has_unsafe()
    bench.broken = set()
    assert bench.guard.tick() == []
    assert not bench.guard.has_unsafe()
    assert bench.guard.outputs()["heater"]["on"] is False
    bench.pass_time(29.5)
    assert bench.guard.admit(bench.order("heater"), _ME) == _denial("S2", "the pause is not over", 29.5, 30.0, -0.5)


def test_s01_a_pin_that_cannot_be_lowered_is_tried_again_at_once(bench: Bench) -> None:
    """Every unsafe one, whatever becomes of the one before it."""
    fan, relay = bench.start("fan"), bench.start("relay")
    bench.pass_time(1.0)
    bench.broken = {"fan", "relay"}
    bench.guard.emergency_stop("bert")

    assert bench.guard.tick() == [
        _ended(fan, "failed", "the pin could not be set: no wire to fan", None),
        _ended(relay, "failed", "the pin could not be set: no wire to relay", None),
    ]
    assert {name for name, level in bench.guard.driven().items() if level == 1.0} == {"fan", "relay"}
    for still_broken in ("fan", "relay"):
        bench.guard._unsafe = {"fan", "relay"}
        bench.pins.levels |= {"fan": 1.0, "relay": 1.0}
        bench.broken = {still_broken}
        bench.guard.tick()
        assert bench.guard._unsafe == {still_broken}
        assert {name for name, level in bench.pins.levels.items() if level == 1.0} == {still_broken}


def test_s06_an_unsafe_output_counts_as_full(bench: Bench) -> None:
    """Nobody knows what it draws."""
    bench.start("heater", level=0.1)
    bench.broken = {"heater"}
    bench.guard.off("heater", "asked")
    bench.guard.tick()

    assert bench.guard.admit(bench.order("lamp"), _ME) == _denial(
        "S6", "more than supply main may give (W)", 70.0, 60.0, -10.0
    )


# -- waiting, and what it is like -----------------------------------------------------------------------------------


def test_the_pin_thread_waits_until_the_next_end(bench: Bench) -> None:
    """At most a twentieth of a second, and never less than nothing; what has not started ends nowhere."""
    bench.guard._wake = heard = HeardWait()
    bench.guard.wait()
    bench.guard.start(bench.order("relay", on_s=0.01), _ME)
    bench.guard.wait()
    bench.guard.tick()
    bench.guard.wait()
    bench.start("fan", on_s=0.02)
    bench.guard.wait(0.015)
    bench.clock.advance(0.005)
    bench.guard.wait(0.015)
    bench.clock.advance(0.1)
    bench.guard.wait(0.015)

    assert heard.waited_s == [TICK_S, TICK_S, *map(pytest.approx, (0.01, 0.01, 0.005, 0.0))]


def test_s09_the_guard_is_quiet_when_every_output_is_safe(bench: Bench) -> None:
    """A run that is due is none that is on; one that is unsafe is."""
    bench.guard._quiet = heard = HeardWait()
    bench.guard.tick()
    assert bench.guard.wait_until_quiet(0.125)
    bench.guard.start(bench.order("fan"), _ME)
    assert not heard.is_set()
    assert bench.guard.is_quiet()
    assert not bench.guard.wait_until_quiet(0.125)
    bench.guard.tick()
    assert not heard.is_set()
    assert not bench.guard.is_quiet()
    heard.set()
    assert not bench.guard.wait_until_quiet(0.125)
    heard.clear()
    bench.broken = {"fan"}
    bench.guard.off("fan", "asked")
    bench.guard.tick()
    assert not heard.is_set()
    bench.broken = set()
    bench.guard.tick()
    assert heard.is_set()
    assert bench.guard.wait_until_quiet(0.125)
    assert heard.waited_s == [0.125] * 4


def test_s09_one_output_that_is_on_is_not_quiet(bench: Bench) -> None:
    """Beside one that is only due."""
    bench.start("fan")
    bench.guard.start(bench.order("relay"), _ME)

    assert not bench.guard.is_quiet()


def test_the_outputs_are_told_by_what_they_do(bench: Bench) -> None:
    """All of them, by their own runs and rests."""
    fan = bench.start("fan", level=0.4)
    bench.start("relay", on_s=2.0)
    bench.pass_time(2.0)
    bench.guard.tick()
    bench.pass_time(1.0)

    told = bench.guard.outputs()

    assert list(told) == [output.actuator_id for output in bench.guard._config.outputs]
    assert told["fan"] == {
        "desired": True, "level": 0.4, "on": True, "action_id": fan.action_id, "on_s": 3.0, "off_for_s": None,
        "pause_left_s": 0.0, "max_on_s": 86_400.0, "pause_s": 0.0,
    }  # fmt: skip
    assert (told["relay"]["off_for_s"], told["relay"]["pause_left_s"]) == (1.0, 4.0)
    assert bench.guard.driven() == {
        "pump-0": 0.0, "pump-1": 0.0, "fan": 0.4, "heater": 0.0, "lamp": 0.0, "relay": 0.0,
    }  # fmt: skip
