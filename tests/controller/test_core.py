"""The core on a clock of its own: policies, modes, levels, schedules, a vacation, and what people see of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from dt.controller.modes import Mode
from dt.controller.policies import POLICIES
from dt.controller.vacation import Vacation
from dt.utils.dataclasses import AlertCondition, Command, Outcome, Severity
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity
from tests.controller.garden import Garden, make_garden
from tests.controller.rooms import dose


@pytest.fixture
def garden(tmp_path: Path) -> Garden:
    """A box with two pumps, a heater, a fan and a lamp; the soil is dry."""
    return make_garden(tmp_path)


def _done_ml(garden: Garden, actuator_id: str = "basil-pump") -> list[float]:
    """The doses that were given, each once."""
    doses = {one.action_id: one for one in garden.results() if one.actuator_id == actuator_id and one.delivered_ml}
    return [one.delivered_ml or 0.0 for one in doses.values() if one.outcome is Outcome.DONE]


def test_a_deficit_is_served_in_parts_until_the_target(garden: Garden) -> None:
    """Each dose half of what lacks, the next once it has sunk in; the plant ends near its target."""
    garden.act("basil-pump", "soil_water_deficit")

    garden.run(3 * 3600.0)

    doses = _done_ml(garden)
    assert doses[:2] == pytest.approx([75.0, 37.5], abs=8.5)
    assert 0.33 <= garden.moisture["basil"] <= 0.355
    assert garden.moisture["mint"] == 0.20  # another plant's pump follows conditions, and there was none


def test_s14_without_a_grant_a_policy_only_recommends(garden: Garden) -> None:
    """Recorded as such, at most every ten minutes; nothing moves."""
    garden.act("basil-pump", "soil_water_deficit", grant=False)
    garden.act("heater", "hysteresis", {"quantity": "temperature", "on_at": 20.0, "off_at": 22.0}, grant=False)

    garden.run(1900.0)

    seen = [(one.actuator_id, one.outcome) for one in garden.results()]
    assert seen.count(("basil-pump", Outcome.RECOMMENDED)) == 4
    assert seen.count(("heater", Outcome.RECOMMENDED)) == 1
    assert not any(level for _, _, level in garden.room.pins.changes)


def test_a_heater_is_held_at_the_level_that_its_policy_wishes(garden: Garden) -> None:
    """A run begins, its level is adjusted while it lasts, and it ends when the policy lets go."""
    garden.act("heater", "pid", {"setpoint": 20.0, "kp": 0.4, "ki": 0.0, "least": 0.05})

    garden.run(900.0)

    levels = [level for _, name, level in garden.room.pins.changes if name == "heater" and level]
    assert levels[0] == pytest.approx(0.8, abs=0.1)
    assert min(levels) < 0.5  # it warmed, so less was needed
    garden.act("heater", "pid", {"setpoint": 5.0})
    garden.run(10.0)
    assert garden.level("heater") == 0.0


def test_a_mode_off_ends_what_runs_and_lets_nobody_start(garden: Garden) -> None:
    """For people too, until they choose another mode."""
    garden.act("fan", "hysteresis", {"quantity": "temperature", "on_at": 17.0, "off_at": 15.0, "level": 0.5})
    garden.run(10.0)
    assert garden.level("fan") == 0.5

    garden.room.core.set_mode("fan", Mode.OFF, "anna")
    garden.run(10.0)

    assert garden.level("fan") == 0.0
    command = dose(
        garden.room.clock, "p-1", actuator_id="fan", plant_id=None, command=Command.ON, dose_ml=None, duration_s=5.0
    )
    refused = garden.room.gate.submit(command)
    assert refused is not None
    assert refused.refusal is not None
    assert (refused.refusal.invariant, refused.refusal.margin) == ("S14", -1.0)
    assert "anna has set the mode of fan to off" in refused.refusal.why


def test_manual_rests_the_policy_until_its_end_and_then_it_goes_on(garden: Garden) -> None:
    """The grant is kept; the mode before comes back by itself, over a restart too."""
    core = garden.room.core
    garden.act("fan", "hysteresis", {"quantity": "temperature", "on_at": 17.0, "off_at": 15.0})
    core.set_mode("fan", Mode.MANUAL, "anna", until=garden.room.clock.wall() + 600.0)

    garden.run(590.0)
    assert garden.level("fan") == 0.0
    assert core.decisions.mode_of("fan").mode is Mode.MANUAL
    garden.run(30.0)

    assert core.decisions.mode_of("fan").mode is Mode.AUTOMATIC
    assert garden.level("fan") == 1.0


def test_a_person_is_told_when_the_policy_takes_a_command_back(garden: Garden) -> None:
    """An off, or another level of the policy's own run, in automatic mode; not a run of the person's own."""
    core = garden.room.core
    garden.act("fan", "hysteresis", {"quantity": "temperature", "on_at": 17.0, "off_at": 15.0, "level": 0.5})
    garden.run(10.0)
    off = dose(garden.room.clock, "p-1", actuator_id="fan", plant_id=None, command=Command.OFF, dose_ml=None)
    level = replace(off, command=Command.LEVEL, level=0.2)
    running = garden.room.guard.status()["outputs"]["fan"]["action_id"]

    assert core.policies.takes_back(off, running) == "hysteresis"
    assert core.policies.takes_back(level, running) == "hysteresis"
    assert core.policies.takes_back(level, "a person's run") == ""
    garden.room.gate.submit(off)
    garden.run(30.0)
    assert garden.level("fan") == 0.5  # so the answer was true
    core.set_mode("fan", Mode.MANUAL, "anna", until=garden.room.clock.wall() + 600.0)
    garden.run(5.0)
    assert core.policies.takes_back(off, running) == ""


def test_automatic_is_a_grant_with_who_and_when_and_recommend_takes_it_back(garden: Garden) -> None:
    """And the records of the database are told both."""
    decisions = garden.room.core.decisions
    now = garden.room.clock.wall()

    garden.room.core.set_mode("fan", Mode.AUTOMATIC, "anna", until=now + 3600.0)
    grant = decisions.grant_of("fan")
    garden.room.core.set_mode("fan", Mode.RECOMMEND, "ben")

    assert grant is not None
    assert (grant.by, grant.since, grant.until) == ("anna", pytest.approx(now), pytest.approx(now + 3600.0))
    assert decisions.grant_of("fan") is None
    told = decisions.unsent()
    assert [(one.by, getattr(one, "revoked_by", "")) for one in told] == [("anna", ""), ("anna", "ben")]


def test_manual_without_an_end_is_refused(garden: Garden) -> None:
    """Somebody would forget it."""
    with pytest.raises(MessageError, match="until"):
        garden.room.core.set_mode("fan", Mode.MANUAL, "anna")


def test_s06_a_heater_waits_while_the_fan_turns_fully(garden: Garden) -> None:
    """Refused before the guard is asked, with the fan's level against its limit."""
    garden.act("fan", "hysteresis", {"quantity": "temperature", "on_at": 17.0, "off_at": 15.0})
    garden.run(5.0)
    garden.act("heater", "hysteresis", {"quantity": "temperature", "on_at": 20.0, "off_at": 22.0})

    garden.run(5.0)

    assert garden.level("heater") == 0.0
    [refused] = [one for one in garden.results() if one.actuator_id == "heater"]
    assert refused.refusal is not None
    assert (refused.refusal.invariant, refused.refusal.value, refused.refusal.limit) == ("S6", 1.0, 0.9)


def test_a_person_dims_what_is_on(garden: Garden) -> None:
    """A level for an output that runs changes it, without a pause and without a new run."""
    gate, clock = garden.room.gate, garden.room.clock
    on = dose(
        clock, "l-1", actuator_id="fan", plant_id=None, command=Command.LEVEL, dose_ml=None, level=0.4, duration_s=60.0
    )
    assert gate.submit(on) is None
    garden.run(2.0)

    dimmed = gate.submit(
        dose(clock, "l-2", actuator_id="fan", plant_id=None, command=Command.LEVEL, dose_ml=None, level=0.7)
    )
    garden.run(2.0)

    assert dimmed is not None
    assert dimmed.outcome is Outcome.DONE
    assert garden.level("fan") == 0.7
    assert len([one for one in garden.room.guard.entries() if one["outcome"] is None]) == 1


def test_on_a_vacation_each_plant_gets_its_share_and_no_more(garden: Garden) -> None:
    """2 l for ten days: 50 ml a day for the pot of 1 l, 150 ml for the one of 3 l."""
    now = garden.room.clock.wall()
    garden.room.core.decisions.start_vacation(Vacation(by="anna", since=now, until=now + 10 * 86_400.0))
    for name in ("basil-pump", "mint-pump"):
        garden.act(name, "soil_water_deficit")
    garden.moisture.update(basil=0.10, mint=0.10)

    garden.run(4 * 3600.0, quiet_step_s=20.0)

    assert sum(_done_ml(garden, "basil-pump")) == pytest.approx(50.0, abs=10.0)
    assert sum(_done_ml(garden, "mint-pump")) == pytest.approx(150.0, abs=15.0)
    shares = garden.room.core.observer.shares()
    assert shares["basil-pump"]["left_ml"] < 8.5


def test_s03_on_a_vacation_no_policy_gets_more_than_the_share_and_people_do(garden: Garden) -> None:
    """The gate says so with the share as its limit, whatever a policy asks for."""
    now = garden.room.clock.wall()
    garden.room.core.decisions.start_vacation(Vacation(by="anna", since=now, until=now + 10 * 86_400.0))
    garden.room.core.set_mode("basil-pump", Mode.AUTOMATIC, "anna")

    refused = garden.room.gate.submit(dose(garden.room.clock, "v-1", 60.0, issuer="policy:test"))

    assert refused is not None
    assert refused.refusal is not None
    assert (refused.refusal.invariant, refused.refusal.limit) == ("S3", pytest.approx(50.0))
    assert refused.refusal.margin == pytest.approx(-10.0, abs=0.1)
    assert garden.room.gate.submit(dose(garden.room.clock, "v-2", 60.0)) is None


def test_on_a_vacation_a_recommended_dose_is_cut_to_the_share(garden: Garden) -> None:
    """The condition asks for 90 ml; 50 ml are the day's."""
    now = garden.room.clock.wall()
    garden.room.core.decisions.start_vacation(Vacation(by="anna", since=now, until=now + 10 * 86_400.0))
    garden.act("basil-pump", "recommendation")
    garden.room.core.see_condition(
        AlertCondition(
            key="soil_dry:basil", plant_id="basil", severity=Severity.WARNING, description="dry", active=True,
            timestamp=now, correlation_id="r-1", recommended_dose_ml=90.0,
        )
    )  # fmt: skip

    garden.run(30.0)

    assert _done_ml(garden) == pytest.approx([50.0], abs=9.0)


def _dry(garden: Garden, ml: float) -> AlertCondition:
    now = garden.room.clock.wall()
    return AlertCondition(
        key="soil_dry:basil", plant_id="basil", severity=Severity.WARNING, description="dry", active=True,
        timestamp=now, correlation_id="r-1", recommended_dose_ml=ml,
    )  # fmt: skip


def test_s03_a_policy_gives_what_the_day_has_left_rather_than_be_refused_the_whole(garden: Garden) -> None:
    """A pot so dry that it wants more than a day's water gets the day's water."""
    budget_ml = garden.room.core.guard.budget("basil-pump")["budget_ml"] or 0.0
    garden.act("basil-pump", "recommendation")
    garden.room.core.see_condition(_dry(garden, 10 * budget_ml))

    garden.run(60.0)

    largest_ml = garden.room.core.actuators["basil-pump"].describe()["limits"]["largest_dose_ml"]
    assert _done_ml(garden) == pytest.approx([min(budget_ml, largest_ml)], rel=0.01)


def test_s14_a_grant_is_followed_at_once_after_what_was_only_recommended(garden: Garden) -> None:
    """The same condition that was recommended a moment ago is acted on, once."""
    garden.act("basil-pump", "recommendation", grant=False)
    garden.room.core.see_condition(_dry(garden, 30.0))
    garden.run(10.0)
    assert [one.outcome for one in garden.results()] == [Outcome.RECOMMENDED]

    garden.act("basil-pump", "recommendation")
    garden.run(30.0)

    assert _done_ml(garden) == pytest.approx([30.0], abs=9.0)


def test_a_policy_that_fails_keeps_no_other_from_acting(garden: Garden, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's package; it does nothing, and what it held goes off."""
    monkeypatch.setitem(
        cast(dict[str, str], POLICIES), "broken", "tests.controller.policies.broken_policy:BrokenPolicy"
    )
    garden.act("basil-pump", "broken")
    garden.act("heater", "pid", {"setpoint": 20.0, "kp": 0.4, "ki": 0.0})

    garden.run(5.0)

    assert garden.level("heater") > 0.0
    assert _done_ml(garden) == []


def test_a_lamp_follows_the_days_light(garden: Garden) -> None:
    """By the derived light integral of its zone."""
    garden.act("lamp", "daily_light", {"target_mol_m2": 14.0, "since": "00:00", "until": "23:59", "lamp_ppfd": 5.0})
    garden.air[Quantity.DLI] = 3.0

    garden.run(60.0)

    assert garden.level("lamp") == 1.0
