"""The log itself: while it is away no alert can be recorded, so people are told of that directly, once."""

from __future__ import annotations

from dt.alerts.track import BY
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertEvent, AlertState, Severity
from dt.utils.ids import derived_id

KEY = "log_away"
AWAY_AFTER_S = 120.0


class LogWatch:
    """Looks at whether the log is there, by the monotonic clock, and gives the events of the alert that is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._away_since_s: float | None = None
        self._open: AlertEvent | None = None

    @property
    def open(self) -> AlertEvent | None:
        """Return the alert while it is open."""
        return self._open

    def look(self, *, is_connected: bool) -> list[AlertEvent]:
        """Return the alert when the log has been away for long, and its end with it when the log is back."""
        now_s = self._clock.monotonic()
        if is_connected:
            opened, self._open, self._away_since_s = self._open, None, None
            return [] if opened is None else [opened, self._ended(opened)]
        self._away_since_s = now_s if self._away_since_s is None else self._away_since_s
        if self._open is not None or now_s - self._away_since_s < AWAY_AFTER_S:
            return []
        self._open = self._begun()
        return [self._open]

    def _begun(self) -> AlertEvent:
        now = self._clock.wall()
        return AlertEvent(
            alert_id=derived_id("alert", KEY, now, at=now),
            key=KEY,
            severity=Severity.CRITICAL,
            description=f"The log (Kafka) has been away for {AWAY_AFTER_S:.0f} s: nothing is stored, shown or judged.",
            advice="See with dt status whether the broker runs; dt up starts it. Readings wait in the collector.",
            active=True,
            state=AlertState.OPEN,
            by=BY,
            timestamp=now,
            correlation_id=derived_id(KEY, now, at=now),
        )

    def _ended(self, opened: AlertEvent) -> AlertEvent:
        now = max(self._clock.wall(), opened.timestamp)
        return AlertEvent(
            alert_id=opened.alert_id,
            key=KEY,
            severity=Severity.CRITICAL,
            description="The log (Kafka) is there again; what waited is read now.",
            advice="Nothing needs doing.",
            active=False,
            state=AlertState.RESOLVED,
            by=BY,
            timestamp=now,
            correlation_id=derived_id(KEY, now, at=now),
            caused_by=(opened.correlation_id,),
        )
