"""The control loop beside another controller that holds the lease."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.controller.control_loop import ControlLoop
from dt.controller.kinds import make_actuators
from dt.controller.kinds.pump import Pump
from dt.controller.policies.recommendation import RecommendationPolicy
from dt.controller.stop_button import StopButton
from dt.utils.dataclasses import ActionCommand, AlertCondition, Severity
from tests.controller.rooms import make_room


@pytest.mark.parametrize("is_ours", [True, False])
def test_s11_policies_act_only_for_the_controller_that_holds_the_lease(tmp_path: Path, is_ours: bool) -> None:
    """Two controllers would else fill the ledger with each other's refusals."""
    room = make_room(tmp_path)
    asked: list[ActionCommand] = []
    policy = RecommendationPolicy(
        pumps={name: one for name, one in make_actuators(room.rig).items() if isinstance(one, Pump)},
        is_granted=lambda _name: True,
        is_enabled=lambda _plant_id: True,
        submit=asked.append,  # type: ignore[func-returns-value]
        recommend=asked.append,
        clock=room.clock,
    )
    condition = AlertCondition(
        key="soil_dry:basil", plant_id="basil", severity=Severity.WARNING, description="dry", active=True,
        timestamp=room.clock.wall(), correlation_id="r-1", recommended_dose_ml=50.0,
    )  # fmt: skip
    policy.see(condition)
    if not is_ours:
        room.guard.guard.release("controller")
        assert room.guard.guard.renew("another") is None
    loop = ControlLoop(
        guard=room.guard, stop_button=StopButton(room.guard), gate=room.gate, policies=(policy,), results=room.results,
        clock=room.clock,
    )  # fmt: skip

    loop.step()

    assert bool(asked) == is_ours
    assert (loop.why_not_ready() is None) == is_ours
