"""The policy that follows a recommended dose, and only recommends without a grant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dt.controller.kinds import make_actuators
from dt.controller.kinds.pump import Pump
from dt.controller.policies.recommendation import RecommendationPolicy
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import ActionCommand, ActionResult, AlertCondition, Grant, Origin, Outcome, Policy, Severity
from tests.controller.rooms import Room, make_room

_POLICY_OFF = Policy(plant_id="basil", actuator_id="basil-pump", enabled=False, by="anna")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A controller's inner parts, one pump of 5 ml/s, dry soil."""
    return make_room(tmp_path)


class Steps:
    """The policy in a room, stepped as the control loop does it."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.asked: list[ActionCommand] = []
        self.policy = RecommendationPolicy(
            pumps={name: one for name, one in make_actuators(room.rig).items() if isinstance(one, Pump)},
            is_granted=lambda name: room.decisions.grant_of(name) is not None,
            is_enabled=lambda name: (policy := room.decisions.policy_of(name)) is not None and policy.enabled,
            submit=self._submit,
            recommend=self._recommend,
            clock=room.clock,
        )

    def step(self) -> None:
        """One step of the loop."""
        outputs: Mapping[str, Mapping[str, Any]] = self.room.guard.status()["outputs"]
        self.policy.step(outputs)

    def _submit(self, command: ActionCommand) -> ActionResult | None:
        self.asked.append(command)
        return self.room.gate.submit(command)

    def _recommend(self, command: ActionCommand) -> None:
        self.asked.append(command)
        self.room.gate.recommend(command)


def _dry(clock: ManualClock, correlation_id: str = "r-1", ml: float = 50.0) -> AlertCondition:
    return AlertCondition(
        key="soil_dry:basil",
        plant_id="basil",
        severity=Severity.WARNING,
        description="The soil of basil is dry.",
        active=True,
        timestamp=clock.wall(),
        correlation_id=correlation_id,
        recommended_dose_ml=ml,
    )


def _granted(room: Room) -> Steps:
    room.decisions.grant(Grant(actuator_id="basil-pump", by="anna", since=room.clock.wall()))
    return Steps(room)


def test_a_granted_recommendation_is_followed_with_its_correlation_id(room: Room) -> None:
    """The dose runs, and its command carries the id of the reading that asked for it."""
    steps = _granted(room)
    steps.policy.see(_dry(room.clock))

    steps.step()
    room.pass_time(11)

    result = room.results.get(steps.asked[0].action_id)
    assert result is not None
    assert (result.outcome, result.correlation_id) == (Outcome.DONE, "r-1")
    assert result.delivered_ml == pytest.approx(50.0, abs=1.0)


def test_s14_without_a_grant_it_only_recommends(room: Room) -> None:
    """Once a pause, not once a reading, and no pin moves."""
    steps = Steps(room)
    for number in range(5):
        steps.policy.see(_dry(room.clock, f"r-{number}"))
        steps.step()
        room.pass_time(60, step_s=0.4)

    [command] = steps.asked
    result = room.results.get(command.action_id)
    assert result is not None
    assert result.outcome is Outcome.RECOMMENDED
    assert not any(on for _, _, on in room.pins.changes)


def test_a_dose_is_capped_to_what_the_pump_may_give_at_once(room: Room) -> None:
    """30 s at 5 ml/s."""
    steps = _granted(room)
    steps.policy.see(_dry(room.clock, ml=400.0))

    steps.step()

    assert steps.asked[0].dose_ml == 150.0


def test_a_dose_is_not_repeated_while_it_runs_or_within_the_pause(room: Room) -> None:
    """The condition keeps coming; the second dose follows after the pause, since it is still active."""
    steps = _granted(room)
    for number in range(12):
        room.see_moisture(0.2, 0.2, 0.2)
        steps.policy.see(_dry(room.clock, f"r-{number}"))
        steps.step()
        room.pass_time(60, step_s=0.4)

    assert len(steps.asked) == 2
    assert room.results.get(steps.asked[0].action_id) is not None


def test_a_condition_that_ended_meanwhile_gets_no_second_dose(room: Room) -> None:
    """What is no longer active asks for nothing."""
    steps = _granted(room)
    steps.policy.see(_dry(room.clock))
    steps.step()
    room.pass_time(700, step_s=0.4)
    steps.policy.see(replace(_dry(room.clock, "r-2"), active=False))

    steps.step()

    assert len(steps.asked) == 1


@pytest.mark.parametrize(
    "changes", [{"origin": Origin.REPLAY}, {"timestamp": 0.0}, {"recommended_dose_ml": None}, {"plant_id": "other"}]
)
def test_s04_conditions_that_are_not_live_fresh_and_ours_cause_nothing(room: Room, changes: dict[str, Any]) -> None:
    """Replayed, old, without a dose, or about a plant that no pump serves."""
    steps = _granted(room)
    steps.policy.see(replace(_dry(room.clock), **changes))

    steps.step()

    assert steps.asked == []


def test_a_disabled_policy_does_nothing(room: Room) -> None:
    """A person may switch a plant's policy off."""
    steps = _granted(room)
    room.decisions.set_policy(_POLICY_OFF)
    steps.policy.see(_dry(room.clock))

    steps.step()

    assert steps.asked == []


def test_grants_and_policies_survive_a_restart(room: Room) -> None:
    """They are on disk, replaced whole."""
    _granted(room)
    room.decisions.set_policy(_POLICY_OFF)

    again = make_room(room.folder).decisions

    assert again.grant_of("basil-pump") is not None
    assert again.policy_of("basil-pump") == replace(_POLICY_OFF, version=1, since=room.clock.wall())


def test_s04_a_redelivered_condition_does_not_undo_its_end(room: Room) -> None:
    """Active, over, and then the active one once more: the soil is wet enough, whatever the log repeats."""
    steps = _granted(room)
    active = _dry(room.clock)
    room.clock.advance(1.0)
    over = replace(_dry(room.clock, "r-2"), active=False, recommended_dose_ml=None)
    room.guard.renew()
    for condition in (over, active):
        steps.policy.see(condition)

    steps.step()

    assert steps.asked == []


def test_s04_a_condition_of_before_the_pause_ended_asks_for_no_second_dose(room: Room) -> None:
    """It knows nothing of what the first dose did, even if readings still come."""
    steps = _granted(room)
    steps.policy.see(_dry(room.clock))
    steps.step()
    room.pass_time(11)
    steps.policy.see(_dry(room.clock, "r-2"))
    room.pass_time(620, step_s=0.4)
    room.see_moisture(0.2, 0.2, 0.2)

    steps.step()
    assert len(steps.asked) == 1
    steps.policy.see(_dry(room.clock, "r-3"))
    steps.step()

    assert len(steps.asked) == 2


def test_a_condition_of_a_wrong_clock_does_not_shut_out_later_ones(room: Room) -> None:
    """What came while the clock stood in 2049 is forgotten when it is set right."""
    steps = _granted(room)
    now = room.clock.wall()
    room.clock.set_wall(now + 1e9)
    steps.policy.see(_dry(room.clock))
    room.clock.set_wall(now)
    steps.policy.see(_dry(room.clock, "r-2"))

    steps.step()

    assert [command.correlation_id for command in steps.asked] == ["r-2"]


def test_a_condition_with_a_very_long_trail_still_gets_its_dose(room: Room) -> None:
    """The command keeps the latest causes, so that its note fits into the ledger."""
    steps = _granted(room)
    steps.policy.see(replace(_dry(room.clock), caused_by=tuple(f"cause-{n:032}" for n in range(5000))))

    steps.step()

    assert room.results.get(steps.asked[0].action_id) is None
    room.pass_time(1)
    assert room.is_on()


def test_s04_a_clock_set_back_makes_no_condition_young_again(room: Room) -> None:
    """A quarter of an hour is one by the monotonic clock, too."""
    steps = _granted(room)
    steps.policy.see(_dry(room.clock))
    room.clock.advance(901.0)
    room.clock.set_wall(room.clock.wall() - 901.0)
    room.guard.renew()

    steps.step()

    assert steps.asked == []


def test_made_up_keys_are_bounded_and_the_last_one_is_followed(room: Room) -> None:
    """A flood of conditions of one plant: only so many are remembered, the newest among them."""
    steps = Steps(room)
    for number in range(1500):
        steps.policy.see(replace(_dry(room.clock, f"r-{number}"), key=f"made-up-{number}"))
    steps.policy.see(_dry(room.clock, "r-true"))

    steps.step()

    assert "r-true" in {command.correlation_id for command in steps.asked}
    assert len(steps.policy._wishes) <= 1000
