"""Times of the day through summer time, the sun and the poles."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt.controller.policies import make_policy
from dt.controller.policies.base_policy import Wish
from tests.controller.policies.test_policies import view

_ROME = ZoneInfo("Europe/Rome")


def _at(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def _doses(times: list[str], since: float, until: float, step_s: float = 60.0) -> list[str]:
    """The local times at which a pump is asked to dose, minute by minute, each occasion done at once."""
    policy = make_policy("schedule", {"times": times, "dose_ml": 20.0}, "pump")
    memory: dict[str, float] = {}
    given_at = []
    now = since
    while now < until:
        wish = policy.decide(view(now=now, memory=memory))
        if wish is not None and wish.dose_ml:
            assert wish.at is not None
            memory = {"done_at": wish.at}
            given_at.append(datetime.fromtimestamp(now, _ROME).isoformat()[:16])
        now += step_s
    return given_at


def test_a_time_that_summer_time_skips_runs_once() -> None:
    """On 29 March 2026 Rome has no 02:30: it comes as 03:30, and 03:30 itself is another time."""
    doses = _doses(["02:30"], _at("2026-03-28T22:00:00+01:00"), _at("2026-03-30T12:00:00+02:00"))

    assert doses == ["2026-03-29T03:30", "2026-03-30T02:30"]


def test_a_time_that_comes_twice_runs_once() -> None:
    """On 25 October 2026 Rome has 02:30 twice."""
    doses = _doses(["02:30"], _at("2026-10-24T12:00:00+02:00"), _at("2026-10-26T12:00:00+01:00"))

    assert doses == ["2026-10-25T02:30", "2026-10-26T02:30"]


def test_a_dose_that_nobody_could_give_in_time_is_left_out() -> None:
    """A machine that was off at 07:00 does not water at 09:00."""
    late = make_policy("schedule", {"times": ["07:00"], "late_min": 15.0}, "pump")

    in_time = late.decide(view(now=_at("2026-06-17T07:14:59+02:00")))
    too_late = late.decide(view(now=_at("2026-06-17T07:15:00+02:00")))

    assert in_time is not None
    assert too_late is not None
    assert (in_time.dose_ml, too_late.dose_ml) == (50.0, None)


@given(
    start=st.integers(0, 365 * 24 * 60),
    jumps=st.lists(st.floats(-7200.0, 7200.0), min_size=1, max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_a_wall_clock_that_jumps_doses_each_occasion_at_most_once(start: int, jumps: list[float]) -> None:
    """Also back and forth over the same time: an occasion has one name, whoever asks again."""
    policy = make_policy("schedule", {"times": ["07:00", "19:00"]}, "pump")
    now = 1_767_222_000.0 + start * 60.0
    memory: dict[str, float] = {}
    keys = []
    for jump in jumps:
        now += jump
        wish: Wish | None = policy.decide(view(now=now, memory=memory))
        if wish is not None and wish.dose_ml and wish.at is not None:
            keys.append(wish.key)
            memory = {"done_at": wish.at}

    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("now", "level"),
    [
        ("2026-06-17T05:59:00+02:00", 0.0),
        ("2026-06-17T06:00:00+02:00", 0.5),
        ("2026-06-17T23:30:00+02:00", 0.5),
        ("2026-06-18T00:30:00+02:00", 0.0),
    ],
)
def test_a_lamp_is_on_from_one_time_to_the_next_also_over_midnight(now: str, level: float) -> None:
    """06:00 to 00:15 of the next day."""
    lamp = make_policy("schedule", {"since": "06:00", "until": "00:15", "level": 0.5}, "light")

    wish = lamp.decide(view("light", now=_at(now)))

    assert wish is not None
    assert wish.level == level


def test_the_sun_sets_the_times_of_its_zone() -> None:
    """Sunset in Turin on 17 June 2026 is at about 21:18 local time."""
    lamp = make_policy("schedule", {"since": "sunset-01:00", "until": "sunset+01:00"}, "light")

    levels = [
        lamp.decide(view("light", now=_at(f"2026-06-17T{time}+02:00"))) for time in ("20:10", "20:30", "22:05", "22:30")
    ]

    assert [wish.level for wish in levels if wish is not None] == [0.0, 1.0, 1.0, 0.0]
