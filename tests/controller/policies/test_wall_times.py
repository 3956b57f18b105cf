"""How long something is held on a day: through summer time, the sun and the poles, never longer than was meant."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dt.controller.policies import make_policy
from dt.controller.policies.wall_times import Span, parse_wall_time, span_of
from dt.utils.rig import Zone
from tests.controller.policies.test_policies import view

_HOUR_S = 3600.0
_A_DAY_S = 24 * _HOUR_S
_DAY = timedelta(days=1)
_PLACES = (
    Zone(zone_id="turin", timezone="Europe/Rome", latitude=45.07, longitude=7.69),
    Zone(zone_id="stockholm", timezone="Europe/Stockholm", latitude=59.33, longitude=18.07),
    Zone(zone_id="new-york", timezone="America/New_York", latitude=40.7, longitude=-74.0),
    Zone(zone_id="lord-howe", timezone="Australia/Lord_Howe", latitude=-31.55, longitude=159.08),
    Zone(zone_id="tromso", timezone="Europe/Oslo", latitude=69.65, longitude=18.96),
    Zone(zone_id="santiago", timezone="America/Santiago", latitude=-33.4, longitude=-70.7),  # skips midnight
    Zone(zone_id="quito", timezone="America/Guayaquil", latitude=-0.2, longitude=-78.5),
)
_TURIN, _STOCKHOLM, *_ = _PLACES

_YEARS = st.integers(2024, 2038)
_CLOCK = st.integers(0, 1439).map(lambda minutes: f"{minutes // 60:02d}:{minutes % 60:02d}")
_SUN = st.builds(
    lambda anchor, sign, quarters: f"{anchor}{sign}{quarters // 4:02d}:{quarters % 4 * 15:02d}",
    st.sampled_from(["sunrise", "sunset"]), st.sampled_from("+-"), st.integers(0, 16),
)  # fmt: skip


def _midnight(day: date, zone: Zone) -> float:
    return datetime.combine(day, time(), ZoneInfo(zone.timezone)).astimezone(UTC).timestamp()


def _on_s(first: date, days: int, since: str, until: str, zone: Zone) -> list[float]:
    """How many seconds of each local day lie within a span, whichever day that began on."""
    begins, ends = parse_wall_time(since, "since"), parse_wall_time(until, "until")
    midnights = [_midnight(first + count * _DAY, zone) for count in range(days + 1)]
    spans = [span_of(first + count * _DAY, begins, ends, zone) for count in range(-1, days + 1)]
    return [
        _covered_s([one for one in spans[count : count + 3] if one is not None], midnights[count], midnights[count + 1])
        for count in range(days)
    ]


def _covered_s(spans: list[Span], begin: float, end: float) -> float:
    covered, seen_until = 0.0, begin
    for span in sorted(spans, key=lambda one: one.since):
        covered += max(0.0, min(span.until, end) - max(span.since, seen_until))
        seen_until = max(seen_until, min(span.until, end))
    return covered


def _held_min(since: str, until: str, zone: Zone, day: date, kind: str = "light") -> list[str]:
    """The first and the last local minute of a day at which a policy holds its output, and how many there are."""
    policy = make_policy("schedule", {"since": since, "until": until}, kind)
    start = _midnight(day, zone)
    seen = view(kind)
    on = []
    for minute in range(25 * 60):
        now = start + minute * 60.0
        local = datetime.fromtimestamp(now, ZoneInfo(zone.timezone))
        wish = policy.decide(type(seen)(actuator_id="one", kind=kind, now=now, now_s=now, zone=zone))
        if local.date() == day and wish is not None and wish.level:
            on.append(f"{local:%H:%M}")
    return [*on[:1], *on[-1:], str(len(on))]


@pytest.mark.parametrize(
    ("since", "until", "day", "held"),
    [
        ("02:15", "03:10", "2027-03-28", ["0"]),  # 02:15 comes as 03:15, when it is over
        ("02:30", "03:00", "2027-03-28", ["0"]),
        ("02:30", "03:45", "2027-03-28", ["03:30", "03:44", "15"]),
        ("02:15", "03:10", "2027-03-29", ["02:15", "03:09", "55"]),
        ("02:10", "02:40", "2027-03-28", ["03:10", "03:39", "30"]),
        ("02:10", "02:40", "2027-10-31", ["02:10", "02:39", "30"]),  # the first time of two
        ("22:00", "06:00", "2027-03-28", ["00:00", "23:59", "420"]),
        ("22:00", "06:00", "2027-10-31", ["00:00", "23:59", "540"]),
        ("06:00", "sunrise", "2027-06-17", ["0"]),
        ("06:00", "sunrise", "2027-01-10", ["06:00", "08:06", "127"]),
    ],
)
def test_a_span_that_the_clock_or_the_sun_takes_away_is_short_and_never_a_day(
    since: str, until: str, day: str, held: list[str]
) -> None:
    """In Turin; its night of 28 March has no 02:00 to 03:00, that of 31 October has it twice."""
    assert _held_min(since, until, _TURIN, date.fromisoformat(day)) == held


def test_an_evening_that_has_no_dark_hours_has_no_lamp() -> None:
    """In June Stockholm's sun sets at 22:07; in December at 14:48."""
    assert _held_min("sunset", "22:00", _STOCKHOLM, date(2027, 6, 21)) == ["0"]
    assert _held_min("sunset", "22:00", _STOCKHOLM, date(2027, 12, 21))[1:] == ["21:59", "431"]


def test_a_night_by_the_sun_lasts_until_the_next_morning() -> None:
    """From sunset until sunrise, and until a time past midnight."""
    assert _held_min("sunset", "sunrise", _TURIN, date(2027, 1, 10))[:2] == ["00:00", "23:59"]
    assert 14.5 < _on_s(date(2027, 1, 10), 1, "sunset", "sunrise", _TURIN)[0] / _HOUR_S < 15.5
    assert 7.5 < _on_s(date(2027, 6, 21), 1, "sunset+00:30", "sunrise", _TURIN)[0] / _HOUR_S < 8.5
    assert 2.3 < _on_s(date(2027, 6, 21), 1, "sunset", "00:30", _STOCKHOLM)[0] / _HOUR_S < 2.5


@given(clocks=st.lists(_CLOCK, min_size=2, max_size=2, unique=True), place=st.sampled_from(_PLACES), year=_YEARS)
@example(clocks=["02:15", "03:10"], place=_TURIN, year=2027)
@example(clocks=["02:30", "03:00"], place=_TURIN, year=2027)
@settings(max_examples=100, deadline=None)
def test_no_day_is_longer_than_its_clock_times_say_but_for_the_hour_that_comes_twice(
    clocks: list[str], place: Zone, year: int
) -> None:
    """Every day of a year: at most the nominal time and an hour."""
    begins, ends = (parse_wall_time(text, "one") for text in clocks)
    nominal_s = ((ends.minutes - begins.minutes) % 1440) * 60.0

    longest_s = max(_on_s(date(year, 1, 1), 366, clocks[0], clocks[1], place))

    assert longest_s <= nominal_s + _HOUR_S


@given(times=st.tuples(_CLOCK | _SUN, _SUN).flatmap(st.permutations), place=st.sampled_from(_PLACES), year=_YEARS)
@example(times=["06:00", "sunrise"], place=_TURIN, year=2027)
@example(times=["sunset", "22:00"], place=_STOCKHOLM, year=2027)
@example(times=["sunset", "sunrise"], place=_PLACES[4], year=2027)
@settings(max_examples=100, deadline=None)
def test_with_the_sun_no_day_is_longer_than_its_own_times_say(times: list[str], place: Zone, year: int) -> None:
    """At most the nominal time of the day itself or of its neighbours, and an hour; over midnight only all year."""
    since, until = (parse_wall_time(text, "one") for text in times)
    assume(since != until)  # which a policy refuses
    days = [date(year, 1, 1) + count * _DAY for count in range(-1, 366)]
    instants = [(since.on(day, place), until.on(day, place)) for day in days]
    meant_s = [0.0 if a is None or b is None else b - a for a, b in instants]
    assume(not 0.0 < max(meant_s) < _HOUR_S / 2)  # on the edge some years have such a day and others have none
    is_night = max(meant_s) <= 0.0
    nominal_s = [length % _A_DAY_S if is_night else max(0.0, length) for length in meant_s]

    held_s = _on_s(days[1], len(days) - 2, times[0], times[1], place)

    for count, on_s in enumerate(held_s, 1):
        assert on_s <= max(nominal_s[count - 1 : count + 2]) + _HOUR_S, days[count]
