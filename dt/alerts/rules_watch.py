"""The file of rules as a condition of its own: while it is wrong, an alert says where and what holds instead."""

from __future__ import annotations

from collections.abc import Iterator

from dt.alerts.rules_file import RulesFile
from dt.utils.dataclasses import AlertCondition, Severity
from dt.utils.ids import derived_id

KEY = "alert_rules_wrong"
_AGAIN_S = 60.0  # what still holds is said again


class RulesWatch:
    """Says by the clock whether the file is wrong; used under the desk's lock."""

    def __init__(self, file: RulesFile) -> None:
        self._file = file
        self._told: str | None = None  # what was said to be wrong last
        self._told_at = 0.0

    def conditions(self, now: float) -> Iterator[AlertCondition]:
        """Yield what is to be said now; another mistake ends the alert of the one before it, and opens it anew."""
        why = self._file.why
        if why == self._told and 0.0 <= now - self._told_at < _AGAIN_S:
            return
        self._told, self._told_at = "" if self._told and why != self._told else why, now
        yield _condition(self._told, self._file.instead, now)


def _condition(why: str, instead: str, now: float) -> AlertCondition:
    wrong = f"The rules of alerts are wrong and not followed; {instead} hold. {why}"
    return AlertCondition(
        key=KEY,
        severity=Severity.WARNING,
        description=wrong if why else "The rules of alerts are followed as their file says.",
        advice="Put that line right; the file is read again when it changes. notes/alerts.md has every field."
        if why
        else "",
        active=bool(why),
        timestamp=now,
        correlation_id=derived_id(KEY, now, at=now),
    )
