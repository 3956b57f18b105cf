"""PID: it holds its setpoint, does not wind up, does not jump, and lets go of what nobody measures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt.controller.live_readings import Latest
from dt.controller.policies import make_policy
from dt.controller.policies.base_policy import BasePolicy, PolicyView
from dt.utils.quantities import Quantity
from tests.controller.policies.test_policies import view


class Box:
    """Air that loses heat to a room and gains it from a heater of so many K/h."""

    def __init__(self, policy: BasePolicy, degc: float = 15.0, room: float = 15.0, gain_k_s: float = 0.02) -> None:
        self.policy, self.degc, self.room, self.gain_k_s = policy, degc, room, gain_k_s
        self.memory: Any = {}
        self.level = 0.0
        self.now_s = 0.0

    def run(self, seconds: float, step_s: float = 5.0) -> list[float]:
        """Let time pass, and return the temperatures."""
        seen = []
        for _ in range(int(seconds / step_s)):
            self.now_s += step_s
            self.degc += step_s * (self.gain_k_s * self.level - (self.degc - self.room) / 1800.0)
            wish = self.policy.decide(self._view())
            assert wish is not None
            self.memory, self.level = wish.memory, wish.level or 0.0
            seen.append(self.degc)
        return seen

    def _view(self) -> PolicyView:
        return view("heater", air={"temperature": self.degc}, now_s=self.now_s, memory=self.memory, level=self.level)


def _pid(**parameters: Any) -> BasePolicy:
    return make_policy("pid", {"setpoint": 22.0, "kp": 0.3, "ki": 0.0008, "least": 0.0, **parameters}, "heater")


def test_it_holds_its_setpoint() -> None:
    """Within a quarter of a degree after an hour, without an offset."""
    assert Box(_pid()).run(3 * 3600.0)[-200:] == pytest.approx([22.0] * 200, abs=0.25)


def test_hours_at_full_power_wind_nothing_up() -> None:
    """Once the room is warm again, it lets go at once instead of working an integral off."""
    box = Box(_pid(), room=-40.0)
    box.run(6 * 3600.0)
    assert box.level == 1.0

    box.room, box.degc = 15.0, 22.0

    assert max(box.run(3600.0)) < 23.5


@given(values=st.lists(st.floats(-20.0, 60.0), min_size=1, max_size=60), step_s=st.floats(0.5, 500.0))
@settings(max_examples=60, deadline=None)
def test_level_and_integral_stay_within_their_limits(values: list[float], step_s: float) -> None:
    """Whatever is measured, for as long as it likes."""
    policy, memory, level, now_s = _pid(kd=5.0, most=0.9), {}, 0.0, 0.0
    for value in values:
        now_s += step_s
        wish = policy.decide(view("heater", air={"temperature": value}, now_s=now_s, memory=memory, level=level))
        assert wish is not None
        memory, level = wish.memory, wish.level or 0.0
        assert 0.0 <= level <= 0.9
        assert -0.9 <= memory["integral"] <= 0.9


def test_it_takes_over_without_a_jump() -> None:
    """Its first word is the level that there is."""
    wish = _pid().decide(view("heater", air={"temperature": 21.0}, level=0.6))

    assert wish is not None
    assert wish.level == pytest.approx(0.6, abs=0.001)


def test_another_setpoint_gives_no_kick_of_the_derivative() -> None:
    """It looks at what is measured, not at the error."""
    before = view("heater", air={"temperature": 21.0}, now_s=10.0, memory={"integral": 0.2, "value": 21.0, "at_s": 5.0})

    low, high = (_pid(kd=100.0, setpoint=setpoint).decide(before) for setpoint in (22.0, 23.0))

    assert low is not None
    assert high is not None
    assert (high.level or 0.0) - (low.level or 0.0) == pytest.approx(0.3, abs=0.01)  # kp alone


def test_a_fan_lowers_what_a_heater_raises() -> None:
    """Too warm: the fan turns, the heater does not."""
    warm = view("fan", air={"temperature": 25.0})
    fan = make_policy("pid", {"setpoint": 22.0}, "fan").decide(warm)
    heater = make_policy("pid", {"setpoint": 22.0}, "heater").decide(replace(warm, kind="heater"))

    assert fan is not None
    assert heater is not None
    assert (fan.level, heater.level) == (pytest.approx(0.6), 0.0)


def test_after_a_silence_the_integral_goes_on_where_it_was() -> None:
    """Nobody knows what the air did for an hour; it does not count as an hour of error."""
    memory = {"integral": 0.3, "value": 20.0, "at_s": 0.0}
    silent = view("heater", now_s=3600.0, memory=memory)
    seen = replace(silent, air={Quantity.TEMPERATURE: Latest(value=20.0, age_s=1.0)})

    wish = _pid().decide(seen)

    assert wish is not None
    assert wish.memory["integral"] == pytest.approx(0.3)
