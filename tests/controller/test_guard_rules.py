"""The guard's rules as functions: loads and exclusions, one run's life, seconds on in 24 h; each just at its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dt.controller.guard_load import why_no_such_level, why_not_at
from dt.controller.guard_on_time import on_left_s, on_time_s
from dt.controller.guard_run import Run, state_of, why_on_time, why_pause
from dt.controller.guard_types import Denial, Ended, Exclusion, GuardConfig, Order, OutputConfig
from tests.controller.outputs import mixed_config

_ORDER = Order(action_id="a-1", actuator_id="pump-0", on_s=10.0, issued_at_s=100.0, start_by_s=105.0)
_DAY_S = 86_400.0


@pytest.fixture
def config(tmp_path: Path) -> GuardConfig:
    """The mixed box."""
    return mixed_config(tmp_path)


def _denial(invariant: str, why: str, value: float | None, limit: float, margin: float | None) -> Denial:
    return Denial(invariant=invariant, why=why, value=value, limit=limit, margin=margin)


def _asked(config: GuardConfig, name: str, level: float, levels: Mapping[str, float]) -> Denial | None:
    output = config.output(name)
    assert output is not None
    return why_not_at(config, output, level, levels)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_s06_an_output_by_pwm_knows_every_level(config: GuardConfig, level: float) -> None:
    """From 0 to 1, both included."""
    assert _asked(config, "fan", level, {}) is None


@pytest.mark.parametrize(
    ("name", "level", "why", "value", "margin"),
    [
        ("fan", 1.01, "a level is from 0 to 1", 1.01, pytest.approx(-0.01)),
        ("fan", -0.01, "a level is from 0 to 1", -0.01, 1.01),
        ("fan", float("nan"), "a level is from 0 to 1", None, None),
        ("fan", float("inf"), "a level is from 0 to 1", None, None),
        ("pump-0", 0.0, "a pump runs fully or not at all", 0.0, 1.0),
        ("pump-0", 0.5, "a pump runs fully or not at all", 0.5, 0.5),
        ("relay", 0.5, "the output is switched: its level is 0 or 1", 0.5, 0.5),
    ],
)
def test_s06_a_level_that_an_output_does_not_know_is_denied(
    config: GuardConfig, name: str, level: float, why: str, value: float | None, margin: float | None
) -> None:
    """By the rule itself, and before all others."""
    output = config.output(name)
    assert output is not None

    assert why_no_such_level(output, level) == _denial("S6", why, value, 1.0, margin)
    assert _asked(config, name, level, {"pump-1": 1.0, "heater": 1.0}) == _denial("S6", why, value, 1.0, margin)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_s06_a_switched_output_knows_two_levels(config: GuardConfig, level: float) -> None:
    """Off and on; a pump knows full alone."""
    assert _asked(config, "relay", level, {}) is None
    assert _asked(config, "pump-0", 1.0, {}) is None


def test_s06_a_pump_waits_for_another_one_on_its_supply_alone(config: GuardConfig) -> None:
    """Not for itself, for what is no pump, or for a pump elsewhere; one at level 0 is not known to be off."""
    waits = _denial("S6", "pump-1 is on, and one pump at a time runs on a supply", 2.0, 1.0, -1.0)

    assert _asked(config, "pump-0", 1.0, {"pump-1": 1.0}) == waits
    assert _asked(config, "pump-0", 1.0, {"pump-1": 0.0}) == waits
    assert _asked(config, "pump-0", 1.0, {"pump-0": 1.0}) is None
    assert _asked(config, "pump-0", 1.0, {"fan": 1.0, "lamp": 1.0}) is None
    assert _asked(config, "fan", 1.0, {"pump-0": 1.0, "pump-1": 1.0}) is None
    elsewhere = tuple(replace(one, supply=None) if one.actuator_id == "pump-1" else one for one in config.outputs)
    assert _asked(replace(config, outputs=elsewhere), "pump-0", 1.0, {"pump-1": 1.0}) is None


def test_s06_a_supply_may_be_loaded_fully_and_no_further(config: GuardConfig) -> None:
    """40 W, half of 30 W and 5 of 6 W make 60; what is asked for counts by its level."""
    assert _asked(config, "lamp", 0.5, {"heater": 1.0, "lamp": 1.0}) is None
    assert _asked(config, "heater", 1.0, {"lamp": 0.5, "pump-0": 5 / 6}) is None
    assert _asked(config, "heater", 1.0, {"lamp": 0.5, "pump-0": 1.0}) == _denial(
        "S6", "more than supply main may give (W)", 61.0, 60.0, -1.0
    )
    assert _asked(config, "heater", 0.5, {"lamp": 1.0, "pump-0": 1.0}) is None


def test_s06_rounding_is_no_overload(config: GuardConfig) -> None:
    """A millionth of a watt; two are one."""
    assert _asked(replace(config, supplies={"main": 70.0 - 1e-6}), "lamp", 1.0, {"heater": 1.0}) is None
    assert _asked(replace(config, supplies={"main": 70.0 - 2e-6}), "lamp", 1.0, {"heater": 1.0}) is not None


def test_s06_what_is_on_another_supply_or_on_none_loads_nothing(config: GuardConfig) -> None:
    """An output without a supply has no limit that anybody knows."""
    apart = tuple(replace(one, supply="other") if one.actuator_id == "lamp" else one for one in config.outputs)
    split = replace(config, outputs=apart, supplies={"main": 60.0, "other": 30.0})

    assert _asked(split, "lamp", 1.0, {"heater": 1.0}) is None
    assert _asked(split, "heater", 1.0, {"lamp": 1.0}) is None
    heavy = tuple(replace(one, load_w=900.0) if one.actuator_id == "relay" else one for one in config.outputs)
    assert _asked(replace(config, outputs=heavy), "relay", 1.0, {"heater": 1.0}) is None
    assert _asked(replace(config, outputs=heavy), "heater", 1.0, {"relay": 1.0}) is None


@pytest.mark.parametrize(
    ("name", "level", "levels", "wind"),
    [
        ("heater", 0.1, {"fan": 0.9}, 0.9),
        ("heater", 1.0, {"fan": 1.0}, 1.0),
        ("fan", 0.9, {"heater": 0.01}, 0.9),
        ("fan", 1.0, {"heater": 1.0, "fan": 0.1}, 1.0),
    ],
)
def test_s06_a_heater_and_a_fast_fan_exclude_each_other(
    config: GuardConfig, name: str, level: float, levels: dict[str, float], wind: float
) -> None:
    """From the fan's level on that was declared, at any level of the heater."""
    assert _asked(config, name, level, levels) == _denial(
        "S6", "heater is off while fan is at 0.9 or more", wind, 0.9, pytest.approx(0.9 - wind)
    )


@pytest.mark.parametrize(
    ("name", "level", "levels"),
    [
        ("heater", 1.0, {"fan": 0.89}),
        ("heater", 0.0, {"fan": 1.0}),
        ("heater", 1.0, {}),
        ("fan", 0.89, {"heater": 1.0}),
        ("fan", 1.0, {"heater": 0.0}),
        ("fan", 1.0, {}),
        ("relay", 1.0, {"heater": 1.0, "fan": 1.0}),
    ],
)
def test_s06_below_the_declared_level_they_work_together(
    config: GuardConfig, name: str, level: float, levels: dict[str, float]
) -> None:
    """And what is in no exclusion is not its matter."""
    assert _asked(config, name, level, levels) is None


def test_s06_every_exclusion_is_looked_at(config: GuardConfig) -> None:
    """Also behind one that concerns other outputs, and behind one that holds."""
    first = Exclusion(heater="relay", fan="lamp", above=0.5)
    second = Exclusion(heater="heater", fan="relay", above=0.5)
    more = replace(config, exclusions=(first, *config.exclusions, second))

    assert _asked(more, "heater", 1.0, {"fan": 0.95}) is not None
    assert _asked(more, "heater", 1.0, {"fan": 0.1, "relay": 1.0}) == _denial(
        "S6", "heater is off while relay is at 0.5 or more", 1.0, 0.5, -0.5
    )


# -- one run --------------------------------------------------------------------------------------------------------


def test_s01_a_run_is_over_as_ordered_or_at_the_longest(config: GuardConfig) -> None:
    """Counted from its start; an output that is not known has no time at all."""
    pump = config.output("pump-0")
    run = Run(order=_ORDER, level=1.0, started_at_s=100.0)

    assert run.ends_at_s(pump) == 110.0
    assert Run(order=replace(_ORDER, on_s=40.0), level=1.0, started_at_s=100.0).ends_at_s(pump) == 130.0
    assert run.ends_at_s(None) == 100.0
    assert Run(order=_ORDER, level=1.0).ends_at_s(pump) == 10.0


def test_s01_a_run_has_been_on_since_its_start() -> None:
    """Before that not at all."""
    assert Run(order=_ORDER, level=1.0, started_at_s=100.0).on_for_s(104.5) == 4.5
    assert Run(order=_ORDER, level=1.0, started_at_s=0.0).on_for_s(104.5) == 104.5
    assert Run(order=_ORDER, level=1.0).on_for_s(104.5) == 0.0


def test_s06_the_most_of_a_run_is_what_it_is_at_or_will_be() -> None:
    """Whichever is more."""
    assert Run(order=_ORDER, level=0.3, driven=0.7).most == 0.7
    assert Run(order=_ORDER, level=0.7, driven=0.3).most == 0.7


def test_s03_an_end_is_clean_when_it_was_measured() -> None:
    """And the output was on when the run had started."""
    assert Run(order=_ORDER, level=1.0, started_at_s=100.0).ended("done", "its time is over", 10.0) == Ended(
        action_id="a-1", actuator_id="pump-0", outcome="done", why="its time is over", on_s=10.0, clean=True,
        was_on=True,
    )  # fmt: skip
    assert Run(order=_ORDER, level=1.0).ended("failed", "a wire", None) == Ended(
        action_id="a-1", actuator_id="pump-0", outcome="failed", why="a wire", on_s=None, clean=False, was_on=False
    )


def test_s02_a_pause_is_over_when_it_is_over(config: GuardConfig) -> None:
    """Exactly then."""
    pump = config.output("pump-0")
    assert pump is not None

    assert why_pause(pump, 600.0) is None
    assert why_pause(pump, 599.5) == _denial("S2", "the pause is not over", 599.5, 600.0, -0.5)


@pytest.mark.parametrize("on_s", [0.001, 1.0, 30.0])
def test_s01_an_order_may_take_the_longest_time(config: GuardConfig, on_s: float) -> None:
    """And any shorter one above zero."""
    pump = config.output("pump-0")
    assert pump is not None
    assert why_on_time(replace(_ORDER, on_s=on_s), pump) is None


@pytest.mark.parametrize(("on_s", "margin"), [(30.5, -0.5), (0.0, 30.0), (-1.0, 31.0)])
def test_s01_an_order_of_no_time_or_too_much_is_denied(config: GuardConfig, on_s: float, margin: float) -> None:
    """With the output's longest as the limit."""
    pump = config.output("pump-0")
    assert pump is not None
    assert why_on_time(replace(_ORDER, on_s=on_s), pump) == _denial(
        "S1", "longer than the output may be on", on_s, 30.0, margin
    )


def _state(output: OutputConfig, run: Run | None, off_for_s: float, *, is_unsafe: bool = False) -> dict[str, object]:
    return state_of(output, run, 104.0, off_for_s, is_unsafe=is_unsafe)


def test_the_state_of_an_output_that_never_ran(config: GuardConfig) -> None:
    """Nobody knows how long it has been off, and nothing has to pause."""
    pump = config.output("pump-0")
    assert pump is not None

    assert _state(pump, None, float("inf")) == {
        "desired": False, "level": 0.0, "on": False, "action_id": None, "on_s": 0.0, "off_for_s": None,
        "pause_left_s": 0.0, "max_on_s": 30.0, "pause_s": 600.0,
    }  # fmt: skip
    assert _state(pump, None, float("inf"), is_unsafe=True)["on"] is True


def test_the_state_of_an_output_that_runs_is_told_to_the_millisecond(config: GuardConfig) -> None:
    """Seconds on since its start; before its start it is wished, and not on."""
    fan = config.output("fan")
    assert fan is not None

    assert _state(fan, Run(order=_ORDER, level=0.4, started_at_s=100.12349), 604.00049) == {
        "desired": True, "level": 0.4, "on": True, "action_id": "a-1", "on_s": 3.877, "off_for_s": 604.0,
        "pause_left_s": 0.0, "max_on_s": 86_400.0, "pause_s": 0.0,
    }  # fmt: skip
    due = _state(fan, Run(order=_ORDER, level=0.4), 604.0)
    assert (due["desired"], due["on"], due["on_s"]) == (True, False, 0.0)
    assert _state(fan, Run(order=_ORDER, level=0.4), 604.0, is_unsafe=True)["on"] is True


def test_s02_what_is_left_of_a_pause_is_told(config: GuardConfig) -> None:
    """To the millisecond, and nothing once it is over."""
    pump = config.output("pump-0")
    assert pump is not None

    resting = _state(pump, None, 599.12349)
    assert (resting["off_for_s"], resting["pause_left_s"]) == (599.123, 0.877)
    assert _state(pump, None, 600.0)["pause_left_s"] == 0.0
    assert _state(pump, None, 601.0)["pause_left_s"] == 0.0


# -- seconds on in 24 h ---------------------------------------------------------------------------------------------


def test_s01_seconds_on_are_counted_by_overlap() -> None:
    """An interval outside of the window counts nothing, not less than nothing."""
    assert on_time_s([], 0.0, 100.0) == 0.0
    assert on_time_s([(0.0, 10.0), (20.0, 30.0)], 5.0, 22.0) == 7.0
    assert on_time_s([(0.0, 10.0)], 20.0, 30.0) == 0.0
    assert on_time_s([(40.0, 50.0)], 20.0, 30.0) == 0.0
    assert on_time_s([(0.0, 100.0)], 20.0, 30.0) == 10.0


@pytest.mark.parametrize(
    ("intervals", "now", "left_s"),
    [
        ([], 0.0, 64_800.0),
        ([(0.0, 57_600.0)], 57_600.0, 7_200.0),
        ([(0.0, 57_600.0)], 86_400.0, 64_800.0),
        ([(0.0, 64_800.0)], 64_800.0, 0.0),
        ([(0.0, 64_800.0)], _DAY_S, 64_800.0),
        ([(-7_200.0, 57_600.0)], 79_200.0, 64_800.0),
        ([(0.0, 64_800.0)], _DAY_S - 3_600.0, 0.0),
        ([(-50_000.0, -40_000.0), (0.0, 57_600.0)], 57_600.0, 7_200.0),
        ([(-28_800.0, -27_800.0), (0.0, 57_600.0)], 57_600.0, 7_200.0),
        ([(-28_800.0, -27_800.0), (-6_200.0, 57_600.0)], 57_600.0, 1_000.0),
    ],
)
def test_s01_what_is_left_of_a_day_fills_every_24_h_to_the_limit(
    intervals: list[tuple[float, float]], now: float, left_s: float
) -> None:
    """To the microsecond, and the whole limit exactly where nothing stands in its way."""
    found = on_left_s(intervals, 64_800.0, now)

    assert found == pytest.approx(left_s, abs=1e-6)
    assert found <= left_s
    assert (found == 64_800.0) is (left_s == 64_800.0)
