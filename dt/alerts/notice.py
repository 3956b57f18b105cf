"""What is told to people: one notice an event, several of one cause in one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dt.alerts.rules import AlertRules, Escalation
from dt.utils.dataclasses import AlertEvent, AlertState, Severity

RECENT_S = 3600.0  # what is older is history when it is heard of, and no news
_ORDER = tuple(Severity)
_MOST_TOLD = 20  # in one message
_LEADS: Mapping[AlertState, str] = {AlertState.REOPENED: "Again: ", AlertState.RESOLVED: "Over: "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One piece of news for one list of addresses; `notice_id` is the same for the same news."""

    notice_id: str
    alert_id: str
    group: str
    severity: Severity
    is_over: bool
    text: str
    at: float  # epoch seconds of the event
    escalated: bool = False


def notice_of(event: AlertEvent, rules: AlertRules) -> Notice | None:
    """Return what is told of an event; None for what a person did, for what matters less, and where nobody asked."""
    if event.state is AlertState.ACKNOWLEDGED:
        return None
    is_over = event.state is AlertState.RESOLVED
    if _ORDER.index(event.severity) < _ORDER.index(rules.notices.least_severity):
        return None
    if is_over and (event.by != "alerts" or not rules.notices.on_resolved):
        return None
    marks = f"{event.state}/{event.severity}{'/stale' * event.stale}{'/flapping' * event.flapping}"
    return Notice(
        notice_id=f"{event.alert_id}/{marks}/{event.timestamp:.3f}",
        alert_id=event.alert_id,
        group=group_of(event, rules),
        severity=event.severity,
        is_over=is_over,
        text=_text(event),
        at=event.timestamp,
    )


def group_of(event: AlertEvent, rules: AlertRules) -> str:
    """Return by what an event's notices are bundled: silence of sources, else its kind's group and its zone."""
    if event.stale:
        return "stale"
    return f"{rules.of(event.key).group or event.key}/{event.zone_id or ''}"


def repetition(event: AlertEvent, rule: Escalation, asked_at: float, now: float) -> Notice | None:
    """Return the latest repetition that is due of a critical alert which nobody acknowledged since `asked_at`."""
    is_unheeded = event.severity is Severity.CRITICAL and event.state in (AlertState.OPEN, AlertState.REOPENED)
    waited_s = now - asked_at
    if not is_unheeded or not rule.after_s or waited_s < rule.after_s:
        return None
    number = min(int((waited_s - rule.after_s) // rule.every_s) + 1, rule.times)
    since = f"Nobody has acknowledged this for {waited_s / 60.0:.0f} min. "
    return Notice(
        notice_id=f"{event.alert_id}/{asked_at:.3f}/repeat {number}",
        alert_id=event.alert_id,
        group=f"escalation/{event.alert_id}",
        severity=Severity.CRITICAL,
        is_over=False,
        text=since + _text(event),
        at=asked_at + rule.after_s + (number - 1) * rule.every_s,
        escalated=True,
    )


def message_of(notices: Sequence[tuple[str, Severity, bool, str]]) -> tuple[str, str]:
    """Return title and body of one message for (alert id, severity, is over, text), oldest first; of an alert the last.

    >>> message_of([("a", Severity.WARNING, False, "The soil of Basil is dry. Give water.")])
    ('Plant Twin: warning', 'The soil of Basil is dry. Give water.')
    """
    latest = {alert_id: (severity, is_over, text) for alert_id, severity, is_over, text in notices}
    told = sorted(latest.values(), key=lambda one: (one[1], -_ORDER.index(one[0])))
    open_ones = [severity for severity, is_over, _text in told if not is_over]
    word = max(open_ones, key=_ORDER.index).value if open_ones else "over"
    count = f"{len(told)} alerts, " if len(told) > 1 else ""
    lines = [text for _severity, _is_over, text in told[:_MOST_TOLD]]
    more = [f"and {len(told) - _MOST_TOLD} more; the dashboard has them all."] if len(told) > _MOST_TOLD else []
    return f"Plant Twin: {count}{word}", "\n\n".join([*lines, *more])


def _text(event: AlertEvent) -> str:
    lead = _LEADS.get(event.state, "")
    advice = "" if event.state is AlertState.RESOLVED else f"\n{event.advice}"
    return f"{lead}{event.description}{advice}"
