"""The life of one key's alerts, as pure functions: what was heard of it, what time makes of that, what people decide.

Every event carries the instant that it was due, not the one at which somebody looked: whoever looks how often, the same
events with the same ids come of the same conditions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dt.alerts.advice import FLAPPING, NOTHING, STALE, advice_of
from dt.alerts.rules import FlapRule, KeyRule
from dt.utils.codec import Message, Timestamp
from dt.utils.dataclasses import AlertCondition, AlertEvent, AlertState, Severity
from dt.utils.ids import derived_id, new_correlation_id

BY = "alerts"
RECENT_S = 900.0  # as old as a moisture reading may be to act on (safety, S4)
AHEAD_AT_MOST_S = 300.0
_ORDER = tuple(Severity)
_MOST_PARENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Track(Message):
    """What is remembered of one key; its alert's last event stands in `dt.alerts`, all else here."""

    key: str
    last: AlertCondition | None = None  # that was heard
    opener: AlertCondition | None = None  # the first of this spell
    active_since: Timestamp | None = None
    over_since: Timestamp | None = None
    flipped_at: Timestamp = 0.0  # when `active` last changed
    changes: tuple[float, ...] = ()  # when the alert opened, was reopened, or ended by itself
    alert: AlertEvent | None = None
    schema: int = 1

    @property
    def is_open(self) -> bool:
        """Return whether there is an alert that is not resolved."""
        return is_open(self.alert)

    @property
    def may_change(self) -> bool:
        """Return whether time alone can make anything of it: it is open, or its condition holds."""
        return self.is_open or (self.last is not None and self.last.active)

    @property
    def heard_at(self) -> float:
        """Return the time of the last condition, as far as it is known."""
        if self.last is not None:
            return self.last.timestamp
        return 0.0 if self.alert is None else self.alert.timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The rules that one key's alerts follow, and since when its source could be heard at all (epoch seconds)."""

    key: KeyRule
    flapping: FlapRule
    listening_since: float = 0.0


Step = tuple[Track, list[AlertEvent]]


def is_open(event: AlertEvent | None) -> bool:
    """Return whether an alert's last event leaves it open."""
    return event is not None and event.state is not AlertState.RESOLVED


def hear(track: Track, condition: AlertCondition, patience: Patience, now: float) -> Step:
    """Take a live condition and return what comes of it; old news change nothing."""
    if _is_old_news(track, condition, now):
        return track, []
    is_late = now - condition.timestamp > RECENT_S
    if condition.active and is_late and not track.is_open:  # what still holds is said again every minute
        return track, []
    if not condition.active and track.last is None and track.alert is None:  # an end without a beginning
        return track, []
    track, events = advance(track, patience, min(now, condition.timestamp))
    track, later = advance(_taken(track, condition), patience, max(now, condition.timestamp))
    events += later
    if track.alert is not None and track.is_open:
        stale_after_s = patience.key.stale_after_s
        is_fresh = not stale_after_s or now - condition.timestamp < stale_after_s
        raised = _raised(track.alert, condition, is_fresh=is_fresh)
        if raised is not None:
            track = replace(track, alert=raised)
            events.append(raised)
    return track, events


def advance(track: Track, patience: Patience, now: float) -> Step:
    """Return what time alone has made of a key by `now`."""
    events: list[AlertEvent] = []
    for advanced in (_opened, _resolved, _steadied, _gone_stale):
        after = advanced(track, patience, now)
        if after is not None and after.alert is not None:
            track = after
            events.append(after.alert)
    return track, events


def decided(track: Track, state: AlertState, by: str, now: float) -> Track:
    """Return the track after a person's decision about its open alert."""
    assert track.alert is not None
    event = replace(
        track.alert,
        state=state,
        by=by,
        timestamp=max(now, track.alert.timestamp),
        correlation_id=new_correlation_id(now),
        caused_by=(track.alert.correlation_id,),
        advice=NOTHING if state is AlertState.RESOLVED else track.alert.advice,
        flapping=track.alert.flapping and state is not AlertState.RESOLVED,
    )
    return replace(track, alert=event)


def _is_old_news(track: Track, condition: AlertCondition, now: float) -> bool:
    # What came from the future was made under a clock that has been set back since: it must not silence its key.
    return condition.timestamp <= track.heard_at <= now + AHEAD_AT_MOST_S


def _taken(track: Track, condition: AlertCondition) -> Track:
    is_flip = track.last is None or track.last.active is not condition.active
    at = condition.timestamp
    track = replace(track, last=condition, flipped_at=at if is_flip else track.flipped_at)
    if not condition.active:
        over_since = at if track.over_since is None or is_flip else min(track.over_since, at)
        return replace(track, active_since=None, opener=None, over_since=over_since)
    if is_flip or track.active_since is None or track.active_since > at:
        track = replace(track, active_since=at, opener=condition)
    return replace(track, over_since=None)


def _raised(alert: AlertEvent, condition: AlertCondition, *, is_fresh: bool) -> AlertEvent | None:
    """Return the event of an alert that got worse, or is heard of again; one that was acknowledged asks anew.

    What comes so late that it would be stale itself, as words do that waited for the log, ends no silence.
    """
    is_worse = condition.active and _ORDER.index(condition.severity) > _ORDER.index(alert.severity)
    if not is_worse and not (alert.stale and is_fresh):
        return None
    is_asked_anew = is_worse and alert.state is AlertState.ACKNOWLEDGED
    event = _event(
        condition,
        alert.alert_id,
        AlertState.REOPENED if is_asked_anew else alert.state,
        at=max(condition.timestamp, alert.timestamp),
        severity=condition.severity if is_worse else alert.severity,
        caused_by=_parents(condition, alert),
    )
    return replace(event, by=BY if is_worse else alert.by, flapping=alert.flapping)


def _opened(track: Track, patience: Patience, now: float) -> Track | None:
    last, opener = track.last, track.opener
    if track.is_open or last is None or not last.active or opener is None or track.active_since is None:
        return None
    is_put_off = _is_put_off(track, now)
    due = _opens_at(track, last, patience.key, is_put_off=is_put_off)
    if now < due or (patience.key.stale_after_s and due > last.timestamp + patience.key.stale_after_s):
        return None
    before = track.alert
    if before is not None and before.timestamp > now + AHEAD_AT_MOST_S:
        before = None  # made under a clock that has been set back since
    at = due if before is None else max(due, before.timestamp)
    changes = _changes(track, patience.flapping, at)
    is_flapping = len(changes) > patience.flapping.changes
    cooled = before is None or (at - before.timestamp >= patience.key.cool_down_s and not is_put_off)
    if before is None or (cooled and not is_flapping):
        alert_id = derived_id("alert", opener.key, opener.correlation_id, at=opener.timestamp)
        event = _event(last, alert_id, AlertState.OPEN, at=at, severity=last.severity, caused_by=_causes(last, opener))
    else:
        event = _event(
            last, before.alert_id, AlertState.REOPENED, at=at, severity=last.severity, caused_by=_parents(last, before)
        )
    if is_flapping:
        event = _flapping(event, len(changes), patience.flapping)
    return replace(track, alert=event, changes=changes)


def _opens_at(track: Track, last: AlertCondition, rule: KeyRule, *, is_put_off: bool) -> float:
    """Return when the present spell is due to open an alert; after a person resolved it, after the cool-down."""
    assert track.active_since is not None
    if is_put_off:
        assert track.alert is not None
        if last.timestamp <= track.alert.timestamp:  # it may be over: nothing was heard of it since
            return math.inf
        is_worse = _ORDER.index(last.severity) > _ORDER.index(track.alert.severity)
        return last.timestamp if is_worse else max(track.alert.timestamp + rule.cool_down_s, last.timestamp)
    if last.severity is Severity.CRITICAL:
        opener = track.opener
        return track.active_since if opener is None or opener.severity is Severity.CRITICAL else last.timestamp
    return track.active_since + rule.opens_after_s


def _is_put_off(track: Track, now: float) -> bool:
    """Return whether a person has resolved the alert of this very spell."""
    alert = track.alert
    return (
        alert is not None
        and alert.state is AlertState.RESOLVED
        and alert.by != BY
        and track.active_since is not None
        and track.active_since <= alert.timestamp <= now + AHEAD_AT_MOST_S
    )


def _resolved(track: Track, patience: Patience, now: float) -> Track | None:
    alert, last = track.alert, track.last
    if alert is None or not track.is_open or last is None or last.active or track.over_since is None:
        return None
    due = track.over_since + patience.key.resolves_after_s
    if alert.flapping:
        due = max(due, track.flipped_at + patience.flapping.quiet_s)
    if now < due and track.over_since <= now + AHEAD_AT_MOST_S:  # else the clock has been set back since
        return None
    at = max(due, alert.timestamp)
    event = _event(
        last, alert.alert_id, AlertState.RESOLVED, at=at, severity=alert.severity, caused_by=_parents(last, alert)
    )
    return replace(track, alert=event, changes=_changes(track, patience.flapping, at))


def _steadied(track: Track, patience: Patience, now: float) -> Track | None:
    """Return the track of an alert that has flapped, and has held for long now."""
    alert, last = track.alert, track.last
    if alert is None or not alert.flapping or not track.is_open or last is None or not last.active:
        return None
    due = max(track.flipped_at + patience.flapping.quiet_s, alert.timestamp)
    if now < due:
        return None
    event = _event(last, alert.alert_id, alert.state, at=due, severity=alert.severity, caused_by=_parents(last, alert))
    return replace(track, alert=replace(event, by=alert.by, stale=alert.stale), changes=())


def _gone_stale(track: Track, patience: Patience, now: float) -> Track | None:
    """Return the track of an open alert whose source fell silent: it is not resolved, and says so."""
    alert, after_s = track.alert, patience.key.stale_after_s
    if alert is None or not track.is_open or alert.stale or not after_s:
        return None
    if track.last is not None and not track.last.active:  # an end was heard, and waits
        return None
    heard_at = track.heard_at if track.heard_at <= now + AHEAD_AT_MOST_S else 0.0
    due = max(heard_at, patience.listening_since) + after_s
    if now < due:
        return None
    words = f"Nothing has been heard of it for {after_s / 60.0:.0f} min, so it may have changed since."
    event = replace(
        alert,
        stale=True,
        description=f"{alert.description} {words}",
        advice=f"{STALE} {alert.advice}",
        timestamp=max(due, alert.timestamp),
        correlation_id=derived_id("stale", alert.alert_id, due, at=due),
        caused_by=(alert.correlation_id,),
    )
    return replace(track, alert=event)


def _changes(track: Track, rule: FlapRule, at: float) -> tuple[float, ...]:
    return (*(then for then in track.changes if at - rule.within_s < then <= at), at)[-2 * rule.changes :]


def _flapping(event: AlertEvent, changes: int, rule: FlapRule) -> AlertEvent:
    words = (
        f"It came and went {changes} times within {rule.within_s / 60.0:.0f} min, and stays open "
        f"until it has not changed for {rule.quiet_s / 60.0:.0f} min."
    )
    return replace(
        event, flapping=True, description=f"{event.description} {words}", advice=f"{FLAPPING} {event.advice}"
    )


def _event(
    condition: AlertCondition,
    alert_id: str,
    state: AlertState,
    *,
    at: float,
    severity: Severity,
    caused_by: Sequence[str],
) -> AlertEvent:
    return AlertEvent(
        alert_id=alert_id,
        key=condition.key,
        severity=severity,
        description=condition.description,
        active=condition.active,
        state=state,
        by=BY,
        timestamp=at,
        correlation_id=condition.correlation_id,
        plant_id=condition.plant_id,
        zone_id=condition.zone_id,
        advice=advice_of(condition),
        recommended_dose_ml=condition.recommended_dose_ml,
        caused_by=tuple(caused_by),
    )


def _causes(last: AlertCondition, opener: AlertCondition) -> tuple[str, ...]:
    causes = dict.fromkeys((*last.caused_by, opener.correlation_id))
    causes.pop(last.correlation_id, None)
    return tuple(causes)[:_MOST_PARENTS]


def _parents(condition: AlertCondition, before: AlertEvent) -> tuple[str, ...]:
    parents = dict.fromkeys((before.correlation_id, *condition.caused_by))
    parents.pop(condition.correlation_id, None)
    return tuple(parents)[:_MOST_PARENTS]
