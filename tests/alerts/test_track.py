"""The life of alerts under every order of conditions, waits, decisions and restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dt.alerts.rules import FlapRule, KeyRule
from dt.alerts.track import BY, Patience, Track, advance, decided, hear, is_open
from dt.utils.dataclasses import AlertCondition, AlertEvent, AlertState, Severity

NOON = 1_800_000_000.0
KEY = "soil_dry:basil"
FLAPPING = FlapRule(changes=4, within_s=3600, quiet_s=600)
PATIENT = Patience(
    key=KeyRule(opens_after_s=60, resolves_after_s=120, cool_down_s=600, stale_after_s=900), flapping=FLAPPING
)
AT_ONCE = Patience(key=KeyRule(cool_down_s=600, stale_after_s=900), flapping=FLAPPING)


def condition(at: float, *, active: bool = True, **more: Any) -> AlertCondition:
    """Return what a source says at `at` seconds after noon."""
    fields: dict[str, Any] = {
        "key": KEY,
        "severity": Severity.WARNING,
        "description": "The soil of Basil is dry." if active else "The soil of Basil is wet enough again.",
        "advice": "Give about 150 ml of water." if active else "",
    }
    made = {**fields, **more}
    return AlertCondition(active=active, timestamp=NOON + at, correlation_id=f"reading-{at:g}", **made)


def live(*told: AlertCondition, until: float, patience: Patience = PATIENT) -> list[AlertEvent]:
    """Return the events of conditions heard as they are made, and of the time until `until`."""
    track, events = Track(key=KEY), []
    for one in told:
        track, found = hear(track, one, patience, one.timestamp)
        events += found
    return events + advance(track, patience, NOON + until)[1]


def states(events: list[AlertEvent]) -> list[tuple[str, float]]:
    """Return state and seconds after noon of events."""
    return [(event.state.value, event.timestamp - NOON) for event in events]


def test_a_condition_opens_an_alert_once_it_has_held_for_its_patience() -> None:
    """No record is needed for it: time passes, and the event carries the instant that was due."""
    assert live(condition(0), until=59) == []
    assert states(live(condition(0), until=61)) == [("open", 60)]


def test_a_condition_that_ends_within_its_patience_opens_nothing() -> None:
    """A moment is no alert."""
    assert live(condition(0), condition(30, active=False), until=600) == []


def test_a_critical_condition_waits_for_nothing() -> None:
    """Nor does a warning that becomes critical while it waits."""
    assert states(live(condition(0, severity=Severity.CRITICAL), until=0)) == [("open", 0)]
    assert states(live(condition(0), condition(10, severity=Severity.CRITICAL), until=10)) == [("open", 10)]


def test_an_alert_ends_when_its_condition_has_been_over_for_long_enough() -> None:
    """A relapse within that time leaves it open, without a word."""
    relapse = [condition(0), condition(100, active=False), condition(150), condition(300, active=False)]

    assert states(live(*relapse, until=419)) == [("open", 60)]
    assert states(live(*relapse, until=420)) == [("open", 60), ("resolved", 420)]


def test_within_the_cool_down_the_same_alert_is_reopened() -> None:
    """After it, a spell is another alert."""
    told = [condition(0), condition(60, active=False), condition(300), condition(360, active=False), condition(1000)]
    patience = replace(AT_ONCE, flapping=FlapRule())

    first, _resolved, again, _over, other = live(*told, until=1000, patience=patience)

    assert (again.state, again.alert_id) == (AlertState.REOPENED, first.alert_id)
    assert (other.state, other.alert_id != first.alert_id) == (AlertState.OPEN, True)


def test_a_source_that_falls_silent_leaves_its_alert_open_and_says_so() -> None:
    """Stale is never fine; the next word of the source takes it back."""
    events = live(condition(0), until=4000, patience=AT_ONCE)

    assert states(events) == [("open", 0), ("open", 900)]
    assert events[1].stale
    assert "Nothing has been heard of it for 15 min" in events[1].description
    assert "dt doctor" in events[1].advice
    again = live(condition(0), condition(4000), until=4000, patience=AT_ONCE)[-1]
    assert (again.state, again.stale) == (AlertState.OPEN, False)


def test_words_that_waited_for_the_log_end_no_silence_until_one_is_fresh() -> None:
    """An outage's conditions come all at once afterwards: the alert is not stale and well again with each of them."""
    track, events = Track(key=KEY), []
    back = NOON + 7200.0
    for at, now in [(0, NOON), *((minute * 60.0, back) for minute in range(1, 121))]:
        track, found = hear(track, condition(at), AT_ONCE, now)
        events += found

    assert [event.stale for event in events] == [False, True, False]


def test_silence_does_not_count_while_nobody_listened() -> None:
    """After two hours without the alerts service a source has its time to speak again."""
    track, _events = hear(Track(key=KEY), condition(0), AT_ONCE, NOON)
    restarted = replace(AT_ONCE, listening_since=NOON + 7200)

    assert advance(track, restarted, NOON + 7200 + 899)[1] == []
    assert advance(track, restarted, NOON + 7200 + 900)[1][0].stale


def test_an_alert_that_comes_and_goes_too_often_flaps_and_then_is_quiet_until_stable() -> None:
    """One event says that it flaps; it ends when nothing has changed for the time of the rule."""
    told = [condition(at, active=at % 60 == 0) for at in range(0, 600, 30)]  # twenty changes in ten minutes

    events = live(*told, until=570 + 600, patience=AT_ONCE)

    assert [event.flapping for event in events] == [False] * 4 + [True, False]
    assert events[4].state is AlertState.REOPENED
    assert "came and went" in events[4].description
    assert states(events)[-1] == ("resolved", 570 + 600)


def test_an_alert_that_has_flapped_and_then_lasts_says_so() -> None:
    """It is an ordinary alert again, and ends as one."""
    told = [condition(at, active=at % 60 == 0) for at in range(0, 270, 30)]
    told += [condition(at) for at in range(300, 1200, 60)]

    events = live(*told, until=1200, patience=AT_ONCE)

    assert [event.flapping for event in events[-2:]] == [True, False]
    assert is_open(events[-1])


def test_what_a_person_resolved_comes_back_after_the_cool_down_if_it_still_holds() -> None:
    """Somebody has just watered by hand; what gets worse meanwhile comes back at once."""
    track, _opened = hear(Track(key=KEY), condition(0), AT_ONCE, NOON)
    resolved = decided(track, AlertState.RESOLVED, "ada", NOON + 30)

    track, events = hear(resolved, condition(60), AT_ONCE, NOON + 60)
    assert events == []
    assert states(advance(track, AT_ONCE, NOON + 700)[1]) == [("reopened", 630)]
    worse = hear(resolved, condition(60, severity=Severity.CRITICAL), AT_ONCE, NOON + 60)[1]
    assert states(worse) == [("reopened", 60)]


def test_what_a_person_resolved_stays_so_when_it_is_over() -> None:
    """The next spell is told as any."""
    track, _opened = hear(Track(key=KEY), condition(0), AT_ONCE, NOON)
    track = decided(track, AlertState.RESOLVED, "ada", NOON + 30)
    track, events = hear(track, condition(60, active=False), AT_ONCE, NOON + 60)

    assert events == []
    assert states(hear(track, condition(120), AT_ONCE, NOON + 120)[1]) == [("reopened", 120)]


@pytest.mark.parametrize("jump", [-1e8, 8e8])
def test_a_clock_that_jumps_leaves_a_key_open_to_news(jump: float) -> None:
    """Conditions made in 2049 or 2023 end and open again once the clock is right."""
    track, _events = hear(Track(key=KEY), condition(jump), AT_ONCE, NOON + jump)

    track, ended = hear(track, condition(60, active=False), AT_ONCE, NOON + 60)
    track, begun = hear(track, condition(7200), AT_ONCE, NOON + 7200)

    assert [event.state for event in ended][-1] is AlertState.RESOLVED
    assert [event.state for event in begun] == [AlertState.OPEN]
    assert begun[0].timestamp == NOON + 7200


class Lives(RuleBasedStateMachine):
    """Two lives of one key: one looked at all the time and restarted at will, one only when something is heard."""

    @initialize(opens=st.sampled_from([0, 60]), resolves=st.sampled_from([0, 120]), cool=st.sampled_from([0, 600]))
    def begin(self, opens: int, resolves: int, cool: int) -> None:
        """Choose the patience."""
        rule = KeyRule(opens_after_s=opens, resolves_after_s=resolves, cool_down_s=cool, stale_after_s=900)
        self.patience = Patience(key=rule, flapping=FLAPPING)
        self.now = NOON
        self.watched, self.left = Track(key=KEY), Track(key=KEY)
        self.events: list[AlertEvent] = []
        self.left_events: list[AlertEvent] = []
        self.told: list[AlertCondition] = []

    @rule(active=st.booleans(), severity=st.sampled_from(list(Severity)), advice=st.sampled_from(["", "Look at it."]))
    def say(self, active: bool, severity: Severity, advice: str) -> None:
        """The source speaks, and what it said is delivered twice."""
        self.now += 1.0  # what is said twice in one instant is said once
        at = self.now - NOON
        one = condition(at, active=active, severity=severity, advice=advice)
        self.told.append(one)
        for _again in range(2):
            self.watched, found = hear(self.watched, one, self.patience, self.now)
            self.events += found
        self.left, found = hear(self.left, one, self.patience, self.now)
        self.left_events += found

    @rule(seconds=st.sampled_from([1, 30, 60, 61, 119, 121, 300, 599, 601, 899, 901, 3600]))
    def wait(self, seconds: int) -> None:
        """Time passes, and somebody looks after each half of it."""
        for share in (seconds // 2, seconds - seconds // 2):
            self.now += share
            self.watched, found = advance(self.watched, self.patience, self.now)
            self.events += found

    @rule()
    def restart(self) -> None:
        """What is remembered on disk is all that there is."""
        kept, alert = replace(self.watched, alert=None).to_json(), self.watched.alert
        self.watched = replace(Track.from_json(kept), alert=alert and AlertEvent.from_json(alert.to_json()))

    @precondition(lambda self: self.watched.is_open)
    @rule(state=st.sampled_from([AlertState.ACKNOWLEDGED, AlertState.RESOLVED]))
    def decide(self, state: AlertState) -> None:
        """A person acknowledges or resolves."""
        self._catch_up()
        self.watched = decided(self.watched, state, "ada", self.now)
        assert self.watched.alert is not None
        self.left = replace(self.left, alert=self.watched.alert)
        self.events.append(self.watched.alert)
        self.left_events.append(self.watched.alert)

    def _catch_up(self) -> None:
        self.left, found = advance(self.left, self.patience, self.now)
        self.left_events += found

    @invariant()
    def looking_changes_nothing(self) -> None:
        """Events are the same, ids and times included, however often somebody looked."""
        caught_up = self.left_events + advance(self.left, self.patience, self.now)[1]
        assert self.events == caught_up

    @invariant()
    def steps_are_legal(self) -> None:
        """An alert opens once, ends only while open, is reopened only after an end or a raise, and never runs back."""
        last: AlertEvent | None = None
        for event in self.events:
            assert event.advice
            if last is not None:
                assert event.timestamp >= last.timestamp
            if event.state is AlertState.OPEN and (last is None or event.alert_id != last.alert_id):
                assert last is None or not is_open(last)
                if last is not None:
                    assert event.timestamp - last.timestamp >= self.patience.key.cool_down_s
            else:
                assert last is not None
                assert event.alert_id == last.alert_id
                assert is_open(last) != (event.state is AlertState.REOPENED and last.state is AlertState.RESOLVED)
            last = event

    @invariant()
    def an_end_was_heard(self) -> None:
        """Nothing resolves by itself but what its source has called over for as long as the rule asks."""
        for event in self.events:
            if event.state is AlertState.RESOLVED and event.by == BY:
                before = [
                    one
                    for one in self.told
                    if one.timestamp < event.timestamp + (event.correlation_id == one.correlation_id)
                ]
                assert not before[-1].active
                spell = [one.timestamp for one in before if one.active]
                first_over = min(one.timestamp for one in before if not one.active and one.timestamp > max(spell))
                assert event.timestamp - first_over >= self.patience.key.resolves_after_s

    @invariant()
    def flapping_is_bounded(self) -> None:
        """Within its window an alert opens and ends no more often than the rule allows, until it has steadied."""
        pairs = list(zip([None, *self.events], self.events, strict=False))
        changes = [e.timestamp for last, e in pairs if is_open(last) != is_open(e) and e.by == BY]
        steadied = sum(1 for last, e in pairs if last is not None and last.flapping and not e.flapping)
        flaps = sum(1 for last, e in pairs if e.flapping and not (last is not None and last.flapping))
        decisions = sum(e.by != BY for e in self.events)
        assert flaps <= 1 + decisions + (self.now - NOON) / FLAPPING.quiet_s  # an episode lasts until it was quiet
        for at in changes:
            within = [then for then in changes if at - FLAPPING.within_s < then <= at]
            assert len(within) <= (FLAPPING.changes + 1) * (1 + steadied) + 2 * (flaps + decisions)

    @invariant()
    def what_lasts_is_open(self) -> None:
        """A condition that has lasted is an open alert, unless a person has just resolved it."""
        track, rule = self.watched, self.patience.key
        if not self.told or not self.told[-1].active or track.active_since is None:
            return
        heard_s = self.now - self.told[-1].timestamp
        put_off = track.alert is not None and track.alert.by != BY and track.alert.state is AlertState.RESOLVED
        if self.now - track.active_since >= rule.opens_after_s and heard_s <= rule.stale_after_s and not put_off:
            assert track.is_open


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
