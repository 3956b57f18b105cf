"""The state machine of alerts: one open alert per key, remembered by the topic of its own events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from dt.communication.messaging import Outgoing, Record, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, AlertEvent, AlertState, Origin, Severity
from dt.utils.exceptions import ConflictError, DTError, MessageError
from dt.utils.ids import derived_id, new_correlation_id
from dt.utils.logger import get_logger

BY = "alerts"
_RECENT_S = 900.0  # as old as a moisture reading may be to act on (safety, S4)
_AHEAD_AT_MOST_S = 300.0
_LIVE = Origin.LIVE.value.encode()
_ORDER = tuple(Severity)

log = get_logger(__name__)


class AlertDesk:
    """`Transformer` from conditions to alert events; what it knows is what `dt.alerts` says.

    A condition that is delivered or published again changes nothing: alert ids derive from the condition that opened
    the alert, and what is not newer than a key's last event is old news.
    """

    def __init__(
        self,
        read_events: Callable[[], Sequence[Record]],
        clock: Clock,
        told: Callable[[AlertEvent], None] = lambda _event: None,
    ) -> None:
        self._read_events = read_events
        self._clock = clock
        self._told = told
        self._latest: dict[str, AlertEvent] | None = None  # by key; None while the events have to be read
        self._lock = threading.RLock()  # conditions come by the log, people's decisions by REST

    @property
    def open(self) -> list[AlertEvent]:
        """Return the last event of every alert that is not resolved."""
        return [event for event in list((self._latest or {}).values()) if _is_open(event)]

    def restore(self, state: Sequence[Record]) -> None:
        """Begin from the committed events; when they cannot be read now, the next condition tries again."""
        del state
        with self._lock:
            self._latest = None
            try:
                self._known()
            except DTError as error:
                log.info("the alerts so far are not known yet: %s", error)

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the events that a batch of conditions causes; raises a retriable error while events cannot be read."""
        events = []
        with self._lock:
            latest = self._known()
            for record in records:
                condition = _live_condition(record)
                event = None if condition is None else self._step(condition, latest)
                if event is not None:
                    latest[event.key] = event
                    events.append(event)
                    self._told(event)
        return [outgoing(Topics.ALERTS, event, key=event.plant_id or event.zone_id) for event in events]

    def decide(
        self, alert_id: str, state: AlertState, by: str, keep: Callable[[AlertEvent], None]
    ) -> AlertEvent | None:
        """Acknowledge or resolve an alert as a person says; None when no key's latest alert is called so.

        `keep` makes the event durable before it holds here. Deciding the same again changes nothing; a resolved alert
        raises ConflictError.
        """
        with self._lock:
            latest = self._known()
            last = next((event for event in latest.values() if event.alert_id == alert_id), None)
            if last is None or last.state is state:
                return last
            if not _is_open(last):
                raise ConflictError(f"alert {alert_id} is resolved already, by {last.by}")
            event = _decided(last, state, by, self._clock.wall())
            keep(event)
            latest[event.key] = event
            self._told(event)
            return event

    def _known(self) -> dict[str, AlertEvent]:
        if self._latest is None:
            self._latest = _latest_of(self._read_events())
        return self._latest

    def _step(self, condition: AlertCondition, latest: dict[str, AlertEvent]) -> AlertEvent | None:
        last = latest.get(condition.key)
        if last is not None and self._is_old_news(condition, last):
            return None
        if last is None or not _is_open(last):
            return _opened(condition) if condition.active and self._is_recent(condition) else None
        return _raised(condition, last) if condition.active else _resolved(condition, last)

    def _is_recent(self, condition: AlertCondition) -> bool:
        # What still holds is said again every minute; what came late corrects history and raises nothing.
        return self._clock.wall() - condition.timestamp <= _RECENT_S

    def _is_old_news(self, condition: AlertCondition, last: AlertEvent) -> bool:
        # An event from the future was made under a clock that has been set back since: it must not silence its key.
        return condition.timestamp <= last.timestamp <= self._clock.wall() + _AHEAD_AT_MOST_S


def _opened(condition: AlertCondition) -> AlertEvent:
    alert_id = derived_id("alert", condition.key, condition.correlation_id, at=condition.timestamp)
    return _event(condition, alert_id, AlertState.OPEN, condition.severity, condition.caused_by)


def _raised(condition: AlertCondition, last: AlertEvent) -> AlertEvent | None:
    """Return the event of an alert that got worse; one that a person had acknowledged asks for attention again."""
    if _ORDER.index(condition.severity) <= _ORDER.index(last.severity):
        return None
    state = AlertState.REOPENED if last.state is AlertState.ACKNOWLEDGED else last.state
    return _event(condition, last.alert_id, state, condition.severity, _parents(condition, last))


def _resolved(condition: AlertCondition, last: AlertEvent) -> AlertEvent:
    return _event(condition, last.alert_id, AlertState.RESOLVED, last.severity, _parents(condition, last))


def _decided(last: AlertEvent, state: AlertState, by: str, now: float) -> AlertEvent:
    return replace(
        last,
        state=state,
        by=by,
        timestamp=max(now, last.timestamp),
        correlation_id=new_correlation_id(now),
        caused_by=(last.correlation_id,),
    )


def _event(
    condition: AlertCondition, alert_id: str, state: AlertState, severity: Severity, caused_by: tuple[str, ...]
) -> AlertEvent:
    return AlertEvent(
        alert_id=alert_id,
        key=condition.key,
        severity=severity,
        description=condition.description,
        active=condition.active,
        state=state,
        by=BY,
        timestamp=condition.timestamp,
        correlation_id=condition.correlation_id,
        plant_id=condition.plant_id,
        zone_id=condition.zone_id,
        advice=condition.advice,
        recommended_dose_ml=condition.recommended_dose_ml,
        caused_by=caused_by,
    )


def _parents(condition: AlertCondition, last: AlertEvent) -> tuple[str, ...]:
    parents = dict.fromkeys((last.correlation_id, *condition.caused_by))
    parents.pop(condition.correlation_id, None)
    return tuple(parents)


def _is_open(event: AlertEvent) -> bool:
    return event.state is not AlertState.RESOLVED


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
