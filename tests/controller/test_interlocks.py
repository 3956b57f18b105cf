"""Every interlock alone: the whole refusal just beyond its limit, and none at the limit itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dt.controller.interlocks import (
    INTERLOCKS,
    autonomy,
    command_age,
    daily_dose,
    emergency_stop,
    first_refusal,
    heater_sensor,
    lock_out,
    mode,
    moisture_estimate,
    on_time,
    pause,
    refusal_of_level,
    refusals,
    supply,
    upper_moisture,
    vacation_share,
)
from dt.controller.locks import LockOut
from dt.controller.modes import Mode, ModeNow
from dt.controller.situation import HeatSense, Load, MoistureEstimate, Situation
from dt.utils.dataclasses import ActionCommand, Command, Origin, Refusal
from tests.controller.outputs import mixed_config

_DOSE = ActionCommand(
    action_id="a-1",
    actuator_id="pump-0",
    command=Command.DOSE,
    issuer="anna",
    timestamp=1_800_000_000.0,
    correlation_id="c-1",
    dose_ml=50.0,
)
_BY_POLICY = replace(_DOSE, issuer="policy:recommendation")
_MOIST = MoistureEstimate(median=0.2, spread=0.01, age_s=60.0, good=5)
_CALM = Situation(
    command=_DOSE,
    age_s=0.0,
    on_s=10.0,
    dose_ml=50.0,
    max_on_s=30.0,
    pause_s=600.0,
    pause_left_s=0.0,
    is_on=False,
    stopped_by=None,
    is_granted=True,
    spent_ml=0.0,
    budget_ml=None,
    reservoir_left_ml=None,
    moisture=_MOIST,
    moisture_high=None,
)
_WARM = HeatSense(temperature=20.0, age_s=10.0, is_faulty=False, cut_off_degc=35.0)


def _when(**changes: Any) -> Situation:
    """A person asks for 50 ml in 10 s, and nothing objects but what the changes bring."""
    return replace(_CALM, **changes)


def _refusal(invariant: str, value: float, limit: float, margin: float, why: str) -> Refusal:
    return Refusal(invariant=invariant, value=value, limit=limit, margin=margin, why=why)


def _everything_objects(folder: Path) -> Situation:
    """A policy's command that each of the interlocks refuses."""
    config = mixed_config(folder)
    return _when(
        command=_BY_POLICY,
        age_s=31.0,
        on_s=31.0,
        pause_left_s=1.0,
        stopped_by="bert",
        is_granted=False,
        spent_ml=200.0,
        budget_ml=200.0,
        moisture=replace(_MOIST, median=0.5, spread=0.2),
        moisture_high=0.45,
        mode=ModeNow(mode=Mode.OFF, by="anna"),
        lock=LockOut(actuator_id="pump-0", invariant="S7", why="no rise", since=0.0, value=0.0, limit=0.1),
        heat=replace(_WARM, temperature=40.0),
        share_ml=100.0,
        load=Load(config=config, level=1.0, levels={"pump-1": 1.0}),
    )


def test_s14_a_policys_name_from_outside_is_refused_whatever_was_granted() -> None:
    """The same command of our own passes, and so does a person's from outside."""
    why = "only the controller's own policies are called 'policy:recommendation'; a command from outside says who asks"

    assert autonomy.check(_when(command=_BY_POLICY, is_from_outside=True)) == _refusal("S14", 0.0, 1.0, -1.0, why)
    assert autonomy.check(_when(command=_BY_POLICY)) is None
    assert autonomy.check(_when(is_from_outside=True, is_granted=False)) is None


def test_nothing_objects_to_a_calm_situation() -> None:
    """What the other tests change one thing of."""
    assert refusals(_CALM) == []
    assert first_refusal(_CALM) is None
    assert refusal_of_level(_CALM) is None


def test_s13_all_that_object_are_told_in_the_order_of_the_table(tmp_path: Path) -> None:
    """The first of them is the answer; each has its value, limit and margin."""
    situation = _everything_objects(tmp_path)

    found = refusals(situation)

    assert [one.invariant for one in found] == [
        "S9", "S10", "S7", "S14", "S14", "S1", "S2", "S3", "S3", "S4", "S5", "S8", "S6",
    ]  # fmt: skip
    assert len(found) == len(INTERLOCKS)
    assert all(None not in {one.value, one.limit, one.margin} and one.why for one in found)
    assert all(one.margin is not None and one.margin < 0 for one in found)
    assert first_refusal(situation) == found[0]


def test_s13_another_level_meets_all_but_what_concerns_a_start() -> None:
    """On-time and pause were judged when it started."""
    assert refusal_of_level(_when(on_s=31.0, pause_left_s=1.0, is_on=True)) is None
    assert refusal_of_level(_when(stopped_by="bert")) == emergency_stop.check(_when(stopped_by="bert"))
    cold = _when(heat=replace(_WARM, temperature=None))
    assert refusal_of_level(cold) == heater_sensor.check(cold)


def test_s14_a_policy_without_a_grant_only_recommends() -> None:
    """A person needs none, and a policy with one acts."""
    assert autonomy.check(_when(is_granted=False)) is None
    assert autonomy.check(_when(command=_BY_POLICY)) is None
    assert autonomy.check(_when(command=_BY_POLICY, is_granted=False)) == _refusal(
        "S14", 0.0, 1.0, -1.0, "nobody has granted autonomy for pump-0"
    )


@pytest.mark.parametrize("age_s", [-5.0, 0.0, 30.0])
def test_s10_a_command_within_its_30_s_may_start(age_s: float) -> None:
    """And one of a clock that is up to 5 s ahead of ours."""
    assert command_age.check(_when(age_s=age_s)) is None


def test_s10_an_older_command_has_expired() -> None:
    """By whole values, rounded to a tenth of a millisecond."""
    assert command_age.check(_when(age_s=30.5)) == _refusal(
        "S10", 30.5, 30.0, -0.5, "the command has expired (s since it was issued)"
    )
    assert command_age.check(_when(age_s=30.123456)) == _refusal(
        "S10", 30.1235, 30.0, -0.1235, "the command has expired (s since it was issued)"
    )


def test_s10_a_command_of_the_future_starts_nothing() -> None:
    """More than 5 s ahead."""
    assert command_age.check(_when(age_s=-5.5)) == _refusal(
        "S10", -5.5, -5.0, -0.5, "the command was issued in the future (s since it was issued)"
    )


@pytest.mark.parametrize("origin", [Origin.REPLAY, Origin.BACKFILL])
def test_s10_a_command_that_is_not_live_starts_nothing(origin: Origin) -> None:
    """However young it is."""
    assert command_age.check(_when(command=replace(_DOSE, origin=origin), age_s=2.0)) == Refusal(
        invariant="S10", value=2.0, limit=30.0, why=f"a command of origin {origin.value} starts nothing"
    )


def test_s03_a_plant_may_get_exactly_what_its_day_has_left() -> None:
    """And a command that moves no water asks for nothing of it."""
    assert daily_dose.check(_when(spent_ml=150.0, budget_ml=200.0)) is None
    assert daily_dose.check(_when(spent_ml=250.0, budget_ml=200.0, reservoir_left_ml=0.0, dose_ml=None)) is None
    assert daily_dose.check(_when(spent_ml=1e6)) is None
    assert daily_dose.check(_when(spent_ml=150.5, budget_ml=200.0)) == _refusal(
        "S3", 200.5, 200.0, -0.5, "more than the plant may get in 24 h (ml)"
    )


def test_s03_a_reservoir_gives_exactly_what_it_has_left() -> None:
    """With a budget that is not used up, and without one."""
    assert daily_dose.check(_when(reservoir_left_ml=50.0)) is None
    assert daily_dose.check(_when(reservoir_left_ml=50.0, budget_ml=100.0)) is None
    short = _refusal("S3", 50.0, 49.5, -0.5, "more than the reservoir holds (ml)")
    assert daily_dose.check(_when(reservoir_left_ml=49.5)) == short
    assert daily_dose.check(_when(reservoir_left_ml=49.5, budget_ml=100.0)) == short


def test_s09_nothing_starts_while_the_stop_is_latched() -> None:
    """It names who pressed it, and what has to be done."""
    assert emergency_stop.check(_CALM) is None
    assert emergency_stop.check(_when(stopped_by="bert")) == _refusal(
        "S9", 1.0, 0.0, -1.0, "emergency stop by bert; a person has to release it"
    )


@pytest.mark.parametrize("changes", [{}, {"age_s": 300.0}, {"temperature": 35.0}])
def test_s08_a_heater_goes_on_by_a_fresh_good_temperature(changes: dict[str, Any]) -> None:
    """Five minutes old and just at the cut-off are still good enough; other outputs need none."""
    assert heater_sensor.check(_CALM) is None
    assert heater_sensor.check(_when(heat=replace(_WARM, **changes))) is None


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        (
            {"temperature": None},
            (0.0, 1.0, -1.0, "there is no good temperature, so nobody would see it overheat"),
        ),
        (
            {"is_faulty": True},
            (0.0, 1.0, -1.0, "the last temperature is not good, so nobody would see it overheat"),
        ),
        (
            {"temperature": None, "is_faulty": True},
            (0.0, 1.0, -1.0, "the last temperature is not good, so nobody would see it overheat"),
        ),
        ({"age_s": 300.5}, (300.5, 300.0, -0.5, "the newest good temperature is too old (s)")),
        ({"temperature": 35.5}, (35.5, 35.0, -0.5, "the air is above the heater's cut-off (degC)")),
    ],
)
def test_s08_a_heater_stays_off_while_nobody_sees_how_warm_it_is(
    changes: dict[str, Any], refusal: tuple[float, float, float, str]
) -> None:
    """Or while it is warm enough."""
    assert heater_sensor.check(_when(heat=replace(_WARM, **changes))) == _refusal("S8", *refusal)


@pytest.mark.parametrize(
    ("value", "limit", "margin"),
    [(0.123456, 0.3, -0.1765), (0.3, 0.123456, -0.1765), (None, 0.3, None), (0.3, None, None), (None, None, None)],
)
def test_s07_s08_a_locked_out_output_stays_off(value: float | None, limit: float | None, margin: float | None) -> None:
    """With what was measured when it was locked out, where something was."""
    lock = LockOut(actuator_id="pump-0", invariant="S7", why="it did not rise", since=0.0, value=value, limit=limit)

    assert lock_out.check(_CALM) is None
    assert lock_out.check(_when(lock=lock)) == Refusal(
        invariant="S7", value=value, limit=limit, margin=margin,
        why="it did not rise; pump-0 is locked out until a person releases it",
    )  # fmt: skip


@pytest.mark.parametrize("allowed", [Mode.MANUAL, Mode.RECOMMEND, Mode.AUTOMATIC])
def test_s14_every_mode_but_off_lets_people_command(allowed: Mode) -> None:
    """Autonomy is another interlock's matter."""
    assert mode.check(_when(mode=ModeNow(mode=allowed))) is None


@pytest.mark.parametrize(("by", "words"), [("anna", "anna"), ("", "a person")])
def test_s14_an_actuator_that_was_switched_off_stays_off(by: str, words: str) -> None:
    """It says by whom, where that is known."""
    assert mode.check(_when(mode=ModeNow(mode=Mode.OFF, by=by))) == _refusal(
        "S14", 0.0, 1.0, -1.0, f"{words} has set the mode of pump-0 to off; choose another mode first"
    )


@pytest.mark.parametrize("changes", [{"good": 3}, {"age_s": 900.0}, {"spread": 0.05}])
def test_s04_an_estimate_just_good_enough_lets_a_policy_water(changes: dict[str, Any]) -> None:
    """Three readings, a quarter of an hour and 0.05 m3/m3."""
    assert moisture_estimate.check(_when(command=_BY_POLICY, moisture=replace(_MOIST, **changes))) is None


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"good": 2}, (2, 3, -1, "too few good moisture readings since the pump last ran")),
        ({"age_s": 900.5}, (900.5, 900.0, -0.5, "the newest good moisture reading is too old (s)")),
        ({"spread": 0.06}, (0.06, 0.05, -0.01, "the moisture readings are too far apart (m3/m3)")),
    ],
)
def test_s04_a_policy_waters_by_no_worse_estimate(
    changes: dict[str, Any], refusal: tuple[float, float, float, str]
) -> None:
    """A person may, and a policy may do what moves no water."""
    worse = _when(moisture=replace(_MOIST, **changes))

    assert moisture_estimate.check(replace(worse, command=_BY_POLICY)) == _refusal("S4", *refusal)
    assert moisture_estimate.check(worse) is None
    assert moisture_estimate.check(replace(worse, command=_BY_POLICY, dose_ml=None)) is None


def test_s01_the_longest_run_may_be_asked_for_and_no_longer_one() -> None:
    """Of an output that has no limit for a day."""
    assert on_time.check(_when(on_s=30.0)) is None
    assert on_time.check(_when(on_s=30.5)) == _refusal("S1", 30.5, 30.0, -0.5, "longer than the actuator may be on (s)")


def test_s01_a_run_may_use_up_the_day_and_not_pass_it() -> None:
    """Beyond both limits it is the single run's that is told."""
    assert on_time.check(_when(on_s=10.0, on_left_s=10.0)) is None
    assert on_time.check(_when(on_s=10.0, on_left_s=9.5)) == _refusal(
        "S1", 10.0, 9.5, -0.5, "longer than the actuator may still be on in 24 h (s)"
    )
    assert on_time.check(_when(on_s=31.0, on_left_s=9.5)) == _refusal(
        "S1", 31.0, 30.0, -1.0, "longer than the actuator may be on (s)"
    )


def test_s02_an_output_rests_for_its_whole_pause() -> None:
    """While it is on it has not rested at all."""
    assert pause.check(_when(pause_left_s=0.0)) is None
    assert pause.check(_when(pause_left_s=0.5)) == _refusal(
        "S2", 599.5, 600.0, -0.5, "the pause is not over (s since the actuator was on)"
    )
    assert pause.check(_when(is_on=True)) == _refusal("S2", 0.0, 600.0, -600.0, "the actuator is on")


def test_s06_what_the_supply_does_not_carry_is_refused_as_by_the_guard(tmp_path: Path) -> None:
    """The guard's own rule, with its words; an output that the guard does not know is not its matter."""
    config = mixed_config(tmp_path)
    beside = Load(config=config, level=1.0, levels={"pump-1": 1.0})

    assert supply.check(_CALM) is None
    assert supply.check(_when(load=replace(beside, levels={}))) is None
    assert supply.check(_when(load=beside, command=replace(_DOSE, actuator_id="unknown"))) is None
    assert supply.check(_when(load=beside)) == _refusal(
        "S6", 2.0, 1.0, -1.0, "pump-1 is on, and one pump at a time runs on a supply"
    )
    half = Load(config=config, level=0.5, levels={"heater": 1.0})
    assert supply.check(_when(load=half, command=replace(_DOSE, actuator_id="lamp"))) is None
    full = replace(half, level=1.0)
    assert supply.check(_when(load=full, command=replace(_DOSE, actuator_id="lamp"))) == _refusal(
        "S6", 70.0, 60.0, -10.0, "more than supply main may give (W)"
    )


@pytest.mark.parametrize("age_s", [60.0, 900.0])
def test_s05_nobody_waters_above_the_upper_limit(age_s: float) -> None:
    """By an estimate of at most a quarter of an hour; at the limit itself water may come."""
    wet = replace(_MOIST, median=0.46, age_s=age_s)

    assert upper_moisture.check(_when(moisture=wet, moisture_high=0.45)) == _refusal(
        "S5", 0.46, 0.45, -0.01, "the soil is above the plant's upper limit (m3/m3)"
    )
    assert upper_moisture.check(_when(moisture=wet, moisture_high=0.46)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"dose_ml": None},
        {"moisture_high": None},
        {"moisture": replace(_MOIST, median=None)},
        {"moisture": replace(_MOIST, median=0.46, age_s=900.5)},
    ],
)
def test_s05_only_water_for_soil_that_is_known_to_be_wet_is_refused(changes: dict[str, Any]) -> None:
    """A person may water what nobody can measure."""
    wet = {"moisture": replace(_MOIST, median=0.46), "moisture_high": 0.45} | changes

    assert upper_moisture.check(_when(**wet)) is None


def test_s03_a_policy_gives_the_whole_share_of_a_vacation_and_no_more() -> None:
    """Of what the plant had in 24 h."""
    away = _when(command=_BY_POLICY, spent_ml=50.0, share_ml=100.0)

    assert vacation_share.check(away) is None
    assert vacation_share.check(replace(away, spent_ml=50.5)) == _refusal(
        "S3", 100.5, 100.0, -0.5, "more than the plant's daily share of the reservoir while the vacation lasts (ml)"
    )


@pytest.mark.parametrize("changes", [{"command": _DOSE}, {"dose_ml": None}, {"share_ml": None}])
def test_s03_a_vacation_holds_policies_and_water_alone(changes: dict[str, Any]) -> None:
    """People may give more, and without a vacation there is no share."""
    beyond: dict[str, Any] = {"command": _BY_POLICY, "spent_ml": 90.0, "share_ml": 100.0}

    assert vacation_share.check(_when(**beyond | changes)) is None
