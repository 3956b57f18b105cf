"""A log that repeats and reorders, and a probe that lies for days: no pump floods."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dt.ai.models.rule_based.dry_soil import DrySoilModel, SoilWatch
from dt.communication.memory import Chaos, MemoryMessaging
from dt.communication.messaging import headers_of
from dt.communication.topics import Topics
from dt.controller.intake import Intake
from dt.controller.kinds import make_actuators
from dt.controller.kinds.pump import Pump
from dt.controller.policies.recommendation import RecommendationPolicy
from dt.utils.dataclasses import ActionResult, Grant, Outcome
from dt.utils.secrets import sign
from tests.conftest import wait_until
from tests.controller.rooms import Room, dose, make_room, reading

_DAY_S = 86_400.0


def _policy(room: Room) -> RecommendationPolicy:
    room.decisions.grant(Grant(actuator_id="basil-pump", by="anna", since=room.clock.wall()))
    return RecommendationPolicy(
        pumps={name: one for name, one in make_actuators(room.rig).items() if isinstance(one, Pump)},
        is_granted=lambda name: room.decisions.grant_of(name) is not None,
        is_enabled=lambda _plant_id: True,
        submit=room.gate.submit,
        recommend=room.gate.recommend,
        clock=room.clock,
    )


def _runs(room: Room) -> list[tuple[float, float]]:
    """When the pump went on, and off."""
    times = [(at, on) for at, _, on in room.pins.changes]
    begins = [at for at, on in times if on]
    return [(began, next(at for at, on in times if not on and at >= began)) for began in begins]


def test_s03_a_probe_that_reads_dry_for_ever_gets_a_days_water_a_day(tmp_path: Path) -> None:
    """Out of the soil it reads 0.02 whatever is poured: rule and policy ask again and again; budget and pause hold."""
    room = make_room(tmp_path)
    policy, model, watch = _policy(room), DrySoilModel(), SoilWatch(zone_id="box")
    plant = room.rig.plants["basil"]
    for _ in range(2 * 24 * 60):
        now = reading(room.clock.wall(), 0.02)
        room.moisture.see(now)
        watch, condition = model.step(watch, now, plant, room.clock.wall())
        if condition is not None:
            policy.see(replace(condition, recommended_dose_ml=90.0))
        room.guard.renew()
        policy.step(room.guard.status()["outputs"])
        room.guard.tick()
        while room.is_on():
            room.pass_time(0.4, step_s=0.4)
        room.clock.advance(60.0)
        room.gate.take_ended(room.guard.renew()["ended"])

    runs = _runs(room)
    assert len(runs) == 4
    assert all(later[0] - earlier[1] >= 600.0 for earlier, later in pairwise(runs))
    for _, end in runs:
        assert sum(5.0 * (off - on) for on, off in runs if end - _DAY_S < on <= end) <= 200.0
    refused = [entry for entry in room.guard.entries(5000) if entry["outcome"] == "refused"]
    spent = [entry["why"] for entry in refused if '"S3"' in entry["why"]]
    assert all("more than the plant may get in 24 h" in why and '"limit": 200.0' in why for why in spent)
    assert len(refused) - len(spent) <= 3  # S4, while the first readings are still among the last five
    assert 100 < len(spent) <= 2 * 144


@pytest.mark.parametrize("seed", range(5))
def test_s10_on_a_log_that_repeats_and_reorders_each_command_runs_at_most_once(tmp_path: Path, seed: int) -> None:
    """Signed ones once, unsigned ones never, however often the log hands them over."""
    room = make_room(tmp_path)
    log = MemoryMessaging(chaos=Chaos(seed))
    intake = Intake(messaging=log, core=room.core, token="token")
    for number in range(6):
        command = dose(room.clock, f"a-{number}", 5.0)
        token = "token" if number % 2 == 0 else "forged"
        headers = headers_of(command) | {"hmac": sign(command.to_json(), token)}
        log.publish(Topics.ACTIONS, command.to_json(), key="basil-pump", headers=headers)
    subscriptions = intake.subscribe("controller")
    wait_until(lambda: all(one.lag() == 0 for one in subscriptions))
    wait_until(lambda: len(room.guard.entries()) == 3)
    for one in subscriptions:
        one.stop()

    room.pass_time(5)

    assert len(_runs(room)) == 1
    assert {entry["action_id"] for entry in room.guard.entries()} == {"a-0", "a-2", "a-4"}
    outcomes = [_outcome(room, f"a-{number}") for number in (0, 2, 4)]
    assert sorted(outcome.outcome for outcome in outcomes) == [Outcome.DONE, Outcome.REFUSED, Outcome.REFUSED]
    assert {one.refusal.invariant for one in outcomes if one.refusal is not None} == {"S2"}
    log.close()


def _outcome(room: Room, action_id: str) -> ActionResult:
    result = room.results.get(action_id)
    assert result is not None
    return result
