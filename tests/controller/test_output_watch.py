"""Outputs that are on against what the guard holds them to: when it is said, when again, and when it ends."""

from __future__ import annotations

from typing import Any

from dt.controller.kinds import make_actuators
from dt.controller.output_watch import LASTS_S, OutputWatch
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import Severity
from dt.utils.rig import parse_rig
from tests.controller.rooms import RIG

PUMP = "basil-pump"


def status(*, desired: bool, reported: bool) -> dict[str, Any]:
    """What a guard says of the pump."""
    return {"outputs": {PUMP: {"desired": desired}}, "reported": {PUMP: reported}}


def watch_of(clock: ManualClock) -> OutputWatch:
    """Return a watch that has said that the pump is off."""
    watch = OutputWatch(make_actuators(parse_rig(RIG)), clock)
    [first] = watch.look(status(desired=False, reported=False))
    assert not first.active
    return watch


def test_a_contradiction_is_said_once_it_lasts_and_again_each_minute(clock: ManualClock) -> None:
    """A pin is read twice a second: a moment after a switch says nothing."""
    watch, on = watch_of(clock), status(desired=False, reported=True)

    assert watch.look(on) == []
    clock.advance(LASTS_S)
    [condition] = watch.look(on)
    assert (condition.key, condition.active, condition.plant_id) == (f"output_on:{PUMP}", True, "basil")
    assert condition.severity is Severity.CRITICAL
    clock.advance(59.0)
    assert watch.look(on) == []
    clock.advance(1.0)
    assert [again.active for again in watch.look(on)] == [True]


def test_a_contradiction_ends_when_the_pin_is_off_or_wanted_on(clock: ManualClock) -> None:
    """At once, and once."""
    for well in (status(desired=False, reported=False), status(desired=True, reported=True)):
        watch, on = watch_of(clock), status(desired=False, reported=True)
        watch.look(on)
        clock.advance(LASTS_S)
        watch.look(on)

        assert [condition.active for condition in watch.look(well)] == [False]
        assert watch.look(well) == []


def test_while_the_guard_is_away_nothing_is_said(clock: ManualClock) -> None:
    """Nobody knows; and a pin that is seen on after it counts from when it was first seen so."""
    watch = watch_of(clock)

    assert watch.look(None) == []
    clock.advance(LASTS_S)
    assert watch.look(status(desired=False, reported=True)) == []
