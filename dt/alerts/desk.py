"""The desk where conditions become alerts: a track of each key, committed with its events, and timers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from dt.alerts.rules import AlertRules
from dt.alerts.service_watch import ServiceWatch
from dt.alerts.track import Patience, Track, advance, decided, hear
from dt.communication.dead_letters import letter_of
from dt.communication.messaging import Outgoing, Record, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, AlertEvent, AlertState, HealthReport, Origin
from dt.utils.exceptions import ConflictError, DTError, MessageError
from dt.utils.logger import get_logger

MOST_OPEN = 5000  # alerts at once; nobody reads more
_MOST_KEYS = 2 * MOST_OPEN  # that are remembered; of more, those that were resolved longest ago are forgotten
_LIVE = Origin.LIVE.value.encode()

log = get_logger(__name__)

Publish = Callable[[Sequence[Outgoing]], None]


class AlertDesk:
    """`Transformer` from conditions to alert events; events are remembered by `dt.alerts`, patience by its state topic.

    A condition that is delivered or published again changes nothing: alert ids derive from the condition that opened
    the alert, and what is not newer than a key's last word is old news. Used by several threads.
    """

    def __init__(
        self,
        read_events: Callable[[], Sequence[Record]],
        clock: Clock,
        told: Callable[[AlertEvent], None] = lambda _event: None,
        rules: Callable[[], AlertRules] = AlertRules,
        read_health: Callable[[], Sequence[Record]] = list,
        own: Callable[[float], Iterable[AlertCondition]] = lambda _now: (),
    ) -> None:
        self._read_events = read_events
        self._clock = clock
        self._told = told
        self._rules = rules
        self._read_health = read_health
        self._own = own  # what this service has to say of itself
        self._services = ServiceWatch()
        self._tracks: dict[str, Track] | None = None  # by key; None while the events have to be read
        self._state: dict[str, Track] = {}  # as it was committed when this began, without the alerts
        self._listening_since = 0.0
        self._lock = threading.RLock()  # conditions come by the log, people's decisions by REST, timers by the clock

    @property
    def open(self) -> list[AlertEvent]:
        """Return the last event of every alert that is not resolved."""
        tracks = list((self._tracks or {}).values())
        return [track.alert for track in tracks if track.alert is not None and track.is_open]

    def restore(self, state: Sequence[Record]) -> None:
        """Begin from the committed events and state; when the events cannot be read now, the next batch tries again."""
        with self._lock:
            self._tracks = None
            self._state = _tracks_of(state)
            self._listening_since = self._clock.wall()
            try:
                self._known()
            except DTError as error:
                log.info("the alerts so far are not known yet: %s", error)

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the events that a batch of conditions causes; raises a retriable error while events cannot be read."""
        outputs: list[Outgoing] = []
        with self._lock:
            tracks = self._known()
            before = dict.fromkeys(_forget_resolved(tracks))
            for record in records:
                if record.topic == Topics.HEALTH:
                    beat = _beat_of(record)
                    if beat is not None:
                        self._services.hear(beat, self._clock.wall())
                    continue
                try:
                    condition = _live_condition(record)
                except MessageError as error:  # by itself: an aborted batch would read all events again
                    outputs.append(letter_of(record, error, self._clock.wall()))
                    continue
                if condition is not None:
                    outputs += self._hear(condition, tracks, before)
            outputs += [_state_of(key, tracks.get(key)) for key in before]
        return outputs

    def tick(self, publish: Publish, is_caught_up: Callable[[], bool] = lambda: True) -> list[AlertEvent]:
        """Let time pass: publish what was due by now, and return it; what cannot be published is due again.

        Nothing is due before every condition so far is heard and committed, which `is_caught_up` says.
        """
        with self._lock:
            if self._tracks is None or not is_caught_up():
                return []
            due = self._due(self._tracks)
            events = [event for _track, found in due.values() for event in found]
            if events:
                # Events first: what they say of an alert wins over an older state.
                publish([*map(_out, events), *(_state_of(key, track) for key, (track, _found) in due.items())])
            self._tracks.update({key: track for key, (track, _found) in due.items()})
            for event in events:
                self._told(event)
            return events

    def decide(
        self, alert_id: str, state: AlertState, by: str, keep: Callable[[AlertEvent], None]
    ) -> AlertEvent | None:
        """Acknowledge or resolve an alert as a person says; None when no key's latest alert is called so.

        `keep` makes the event durable before it holds here. Deciding the same again changes nothing; a resolved alert
        raises ConflictError.
        """
        with self._lock:
            tracks = self._known()
            track = next((one for one in tracks.values() if one.alert and one.alert.alert_id == alert_id), None)
            if track is None or track.alert is None or track.alert.state is state:
                return None if track is None else track.alert
            if not track.is_open:
                raise ConflictError(f"alert {alert_id} is resolved already, by {track.alert.by}")
            after = decided(track, state, by, self._clock.wall())
            assert after.alert is not None
            keep(after.alert)
            tracks[track.key] = after
            self._told(after.alert)
            return after.alert

    def _known(self) -> dict[str, Track]:
        if self._tracks is None:
            tracks = dict(self._state)
            for key, event in _latest_of(self._read_events()).items():
                tracks[key] = replace(tracks.get(key) or Track(key=key), alert=event)
            now = self._clock.wall()
            self._services.begin((beat for one in self._read_health() if (beat := _beat_of(one)) is not None), now)
            self._tracks = tracks
        return self._tracks

    def _hear(self, condition: AlertCondition, tracks: dict[str, Track], changed: dict[str, None]) -> list[Outgoing]:
        """Return the events of one condition, and note its key when anything of it is to be remembered."""
        before = tracks.get(condition.key) or Track(key=condition.key)
        if condition.active and not before.is_open and not self._has_room(tracks):
            return []
        after, events = hear(before, condition, self._patience(condition.key), self._clock.wall())
        if after is not before:
            tracks[condition.key] = after
            changed[condition.key] = None
        for event in events:
            self._told(event)
        return [_out(event) for event in events]

    def _due(self, tracks: dict[str, Track]) -> dict[str, tuple[Track, list[AlertEvent]]]:
        now = self._clock.wall()
        due: dict[str, tuple[Track, list[AlertEvent]]] = {}
        for key, track in tracks.items():
            if track.may_change:
                after, events = advance(track, self._patience(key), now)
                if events:
                    due[key] = after, events
        for condition in (*self._services.conditions(now), *self._own(now)):
            key = condition.key
            before, earlier = due.get(key) or (tracks.get(key) or Track(key=key), [])
            after, events = hear(before, condition, self._patience(key), now)
            due[key] = after, earlier + events
        return due

    def _patience(self, key: str) -> Patience:
        rules = self._rules()
        return Patience(key=rules.of(key), flapping=rules.flapping, listening_since=self._listening_since)

    def _has_room(self, tracks: dict[str, Track]) -> bool:
        if len(tracks) < MOST_OPEN or sum(track.is_open for track in tracks.values()) < MOST_OPEN:
            return True
        log.error("%d alerts are open: no more are opened until some are resolved", MOST_OPEN)
        return False


def _forget_resolved(tracks: dict[str, Track]) -> list[str]:
    """Keep the number of keys bounded, half of what may be forgotten at a time, and return which were."""
    if len(tracks) <= _MOST_KEYS:
        return []
    over = sorted((track.heard_at, key) for key, track in tracks.items() if not track.is_open)
    forgotten = [key for _at, key in over[: len(over) // 2 + 1]]
    for key in forgotten:
        del tracks[key]
    return forgotten


def _out(event: AlertEvent) -> Outgoing:
    return outgoing(Topics.ALERTS, event, key=event.plant_id or event.zone_id)


def _state_of(key: str, track: Track | None) -> Outgoing:
    value = None if track is None else replace(track, alert=None).to_json()
    return Outgoing(Topics.STATE_ALERTS, value, key)


def _beat_of(record: Record) -> HealthReport | None:
    try:
        return HealthReport.from_json(record.value or b"")
    except MessageError:  # the dashboard makes a dead letter of it
        return None


def _tracks_of(state: Sequence[Record]) -> dict[str, Track]:
    tracks: dict[str, Track] = {}
    for key, value in {record.key: record.value for record in state}.items():
        if key is None or value is None:
            continue
        try:
            tracks[key] = Track.from_json(value)
        except MessageError as error:
            log.warning("what was known of %s cannot be read and begins anew: %s", key, error)
    return tracks


def _latest_of(records: Sequence[Record]) -> dict[str, AlertEvent]:
    latest = {}
    for record in records:
        try:
            event = AlertEvent.from_json(record.value or b"")
        except MessageError as error:
            log.warning("alert event %d is passed over: %s", record.offset, error)
            continue
        latest[event.key] = event
    return latest


def _live_condition(record: Record) -> AlertCondition | None:
    """Decode a live condition; those of history and replays open nothing. Raises MessageError."""
    if record.headers.get("origin", _LIVE) != _LIVE:
        return None
    if record.value is None:
        raise MessageError("$", "must be a condition, and is empty")
    condition = AlertCondition.from_json(record.value)
    return condition if condition.origin is Origin.LIVE else None
