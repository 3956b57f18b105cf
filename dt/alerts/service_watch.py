"""Services that fell silent, told by their beats on `dt.health`; who says that it stops is not missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dt.utils.dataclasses import AlertCondition, HealthReport, HealthStatus, Severity
from dt.utils.ids import derived_id

KIND = "service_silent"
SILENT_AFTER_S = 60.0  # a beat comes every ten
_AGAIN_S = 60.0  # what still holds is said again
_FORGOTTEN_S = 86_400.0  # who has been silent for a day when this begins was taken away
_MOST = 200
_LOOKS_AT_LEAST_EVERY_S = 10.0  # else the machine slept, or its clock was set: nobody could be heard
_OWN = "alerts"
# Without these the plants are on their own.
_CRITICAL = frozenset({"collector", "processing", "controller"})


@dataclass(slots=True)
class _Service:
    heard_at: float
    is_expected: bool
    told: bool | None = None
    told_at: float = 0.0


class ServiceWatch:
    """Hears beats and says by the clock who is missing; used under the desk's lock."""

    def __init__(self) -> None:
        self._services: dict[str, _Service] = {}
        self._looked_at: float | None = None

    def begin(self, reports: Iterable[HealthReport], now: float) -> None:
        """Forget everything and expect whom the log knows; their silence counts from now on."""
        self._services = {}
        for report in reports:
            self.hear(report, now)
            if now - report.timestamp > _FORGOTTEN_S:
                self._services.pop(report.service, None)

    def hear(self, report: HealthReport, now: float) -> None:
        """Take a beat of a service; those of single sensors are not of interest."""
        if report.sensor_id is not None or report.service == _OWN:
            return
        known = self._services.get(report.service)
        if known is None and len(self._services) >= _MOST:
            return
        service = known or _Service(now, is_expected=True)
        service.heard_at, service.is_expected = now, report.status is not HealthStatus.STOPPED
        self._services[report.service] = service

    def conditions(self, now: float) -> Iterator[AlertCondition]:
        """Yield what is to be said now: who is missing, every minute, and who is back or has stopped."""
        self._forgive(now)
        for name, service in self._services.items():
            silent_s = now - service.heard_at
            is_missing = service.is_expected and silent_s > SILENT_AFTER_S
            is_due = is_missing != bool(service.told) or (is_missing and now - service.told_at >= _AGAIN_S)
            if is_due:
                service.told, service.told_at = is_missing, now
                yield _condition(name, now, silent_s, is_missing=is_missing)

    def _forgive(self, now: float) -> None:
        """Let time in which nobody looked count as no silence."""
        gap_s = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        if not 0.0 <= gap_s <= _LOOKS_AT_LEAST_EVERY_S:
            for service in self._services.values():
                service.heard_at = min(service.heard_at + gap_s, now)


def _condition(name: str, now: float, silent_s: float, *, is_missing: bool) -> AlertCondition:
    key = f"{KIND}:{name}"
    words = f"The service {name} has not been heard of for {silent_s:.0f} s; a beat every 10 s is expected."
    return AlertCondition(
        key=key,
        severity=Severity.CRITICAL if name in _CRITICAL else Severity.WARNING,
        description=words if is_missing else f"The service {name} is heard of again, or was stopped.",
        advice="See with dt status whether it runs, and start it with dt up; its log says why it ended."
        if is_missing
        else "",
        active=is_missing,
        timestamp=now,
        correlation_id=derived_id(key, now, at=now),
    )
