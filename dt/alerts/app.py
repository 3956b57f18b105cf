"""The alerts service: follows conditions and keeps the alerts that come of them."""

from __future__ import annotations

import sys

from prometheus_client import Counter, Gauge

from dt.alerts.desk import AlertDesk
from dt.alerts.rest import add_pages
from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Subscription
from dt.communication.process import run_process
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertEvent
from dt.utils.http import create_api
from dt.utils.http_server import HttpServer, server_for
from dt.utils.logger import get_logger
from dt.utils.secrets import ensure_token
from dt.utils.service import Service

GROUP = "alerts"

log = get_logger("dt.alerts")


class AlertService(Service):
    """Opens, raises and resolves alerts."""

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock) -> None:
        super().__init__("alerts", clock)
        self._settings = settings
        self._messaging = messaging
        self._events = Counter("dt_alert_events", "steps of alerts", ["state", "severity"], registry=self.metrics)
        self._desk = AlertDesk(lambda: messaging.read_all(Topics.ALERTS), clock, self._note)
        self._subscription: Subscription | None = None
        self._server: HttpServer | None = None
        Gauge("dt_alerts_open", "alerts that are not resolved", registry=self.metrics).set_function(
            lambda: len(self._desk.open)
        )

    @property
    def port(self) -> int:
        """Return the port that REST is served on."""
        return self._server.port if self._server else 0

    def on_start(self) -> None:
        """Serve people's decisions and follow the conditions."""
        app = create_api(self, self._settings, ensure_token(self._settings), __name__)
        add_pages(app, self._desk, self._keep)
        self._server = server_for(app, self._settings, self._settings.flask_alerts_url, threads=2)
        self._server.start()
        self.closing("web server", self._server.stop)
        self._subscription = self._messaging.transform([Topics.ALERT_CONDITIONS], GROUP, self._desk)
        self.closing("conditions", self._subscription.stop)
        self.closing("health", HealthBeat(self, self._messaging, self.clock).start())

    def ready(self) -> str | None:
        """Wait for the group's partition."""
        if self._subscription is None or not self._subscription.is_running:
            return "the conditions are not followed"
        if not self._subscription.is_assigned:
            return "waiting for the log"
        return None if self._messaging.health()["connected"] else "the log is away"

    def health(self) -> dict[str, object]:
        """Return which alerts are open."""
        return {
            "open": sorted(event.key for event in self._desk.open),
            "lag": self._subscription.last_lag if self._subscription is not None else 0,
            "messaging": self._messaging.health(),
        }

    def _keep(self, event: AlertEvent) -> None:
        self._messaging.publish(Topics.ALERTS, event, key=event.plant_id or event.zone_id)
        self._messaging.flush()

    def _note(self, event: AlertEvent) -> None:
        self._events.labels(event.state, event.severity).inc()
        log.info("alert %s: %s", event.state, event.description, correlation_id=event.correlation_id)


def create_service(settings: Settings, messaging: MessagingService, clock: Clock) -> AlertService:
    """Assemble the service; it opens nothing before `start`."""
    return AlertService(settings, messaging, clock)


def main() -> int:
    """Run the service on the broker until a signal, and return the exit code."""
    return run_process("alerts", create_service)


if __name__ == "__main__":
    sys.exit(main())
