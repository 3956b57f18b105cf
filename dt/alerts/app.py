"""The alerts service: follows conditions, keeps the alerts that come of them, and tells people."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from prometheus_client import Counter, Gauge

from dt.alerts.addresses import Address, load_addresses
from dt.alerts.desk import AlertDesk
from dt.alerts.log_watch import LogWatch
from dt.alerts.notice_queue import QUEUE_FILE, NoticeQueue
from dt.alerts.notice_sender import AppriseSender
from dt.alerts.notices import Notices
from dt.alerts.rest import add_pages
from dt.alerts.rules_file import LAST_GOOD_FILE, RulesFile
from dt.alerts.rules_watch import RulesWatch
from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Outgoing, Record, Subscription
from dt.communication.process import run_process
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertEvent
from dt.utils.exceptions import MessageError
from dt.utils.http import create_api
from dt.utils.http_server import HttpServer, server_for
from dt.utils.logger import get_logger
from dt.utils.rounds import Rounds
from dt.utils.secrets import ensure_token
from dt.utils.service import Service

GROUP = "alerts"
NOTICES_GROUP = "alerts_notices"

log = get_logger("dt.alerts")


class AlertService(Service):
    """Opens, raises and resolves alerts, and tells people."""

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock) -> None:
        super().__init__("alerts", clock)
        self._settings = settings
        self._messaging = messaging
        self._rules = RulesFile(settings.alerts_file, settings.data_dir / LAST_GOOD_FILE)
        self._addresses = _checked_addresses(settings)
        self._events = Counter("dt_alert_events", "steps of alerts", ["state", "severity"], registry=self.metrics)
        self._desk = AlertDesk(
            lambda: messaging.read_all(Topics.ALERTS),
            clock,
            self._note,
            rules=lambda: self._rules.rules,
            read_health=lambda: messaging.read_all(Topics.HEALTH),
            own=RulesWatch(self._rules).conditions,
        )
        self._log_watch = LogWatch(clock)
        self._notices: Notices | None = None
        self._subscription: Subscription | None = None
        self._server: HttpServer | None = None
        self._rounds: list[Rounds] = []
        Gauge("dt_alerts_open", "alerts that are not resolved", registry=self.metrics).set_function(
            lambda: len(self._desk.open)
        )

    @property
    def port(self) -> int:
        """Return the port that REST is served on."""
        return self._server.port if self._server else 0

    def on_start(self) -> None:
        """Serve people's decisions, follow the conditions and the clock, and send notices."""
        notices = self._notices = self._opened_notices()
        app = create_api(self, self._settings, ensure_token(self._settings), __name__)
        add_pages(app, self._desk, self._keep, notices)
        self._server = server_for(app, self._settings, self._settings.flask_alerts_url, threads=2)
        self._server.start()
        self.closing("web server", self._server.stop)
        self._subscription = self._messaging.transform(
            [Topics.ALERT_CONDITIONS, Topics.HEALTH], GROUP, self._desk, state_topic=Topics.STATE_ALERTS
        )
        self.closing("conditions", self._subscription.stop)
        if self._addresses:
            told = self._messaging.subscribe(
                [Topics.ALERTS], NOTICES_GROUP, lambda some: notices.hear(_events_in(some))
            )
            self.closing("events", told.stop)
        self._rounds = [Rounds("alert timers", self._look, self.clock)]
        if self._addresses:
            self._rounds.append(Rounds("notices", notices.step, self.clock))
        for rounds in self._rounds:
            self.closing(rounds.name, rounds.start())
        self.closing("health", HealthBeat(self, self._messaging, self.clock).start())

    def _opened_notices(self) -> Notices:
        queue = NoticeQueue(self._settings.data_dir / QUEUE_FILE)
        self.closing("notice queue", queue.close)
        return Notices(
            self._addresses,
            queue,
            AppriseSender().send,
            lambda: self._rules.rules,
            self.clock,
            self._settings.zone_name,
        )

    def _look(self) -> None:
        """Let timers run out; only the member that has the conditions, and has heard all of them, knows what is due."""
        self._rules.look()
        subscription, notices = self._subscription, self._notices
        if subscription is None or notices is None:
            return
        is_connected = bool(self._messaging.health()["connected"])
        self._tell_of_the_log(notices, is_connected=is_connected)
        if is_connected and subscription.is_assigned:
            self._desk.tick(self._publish, lambda: subscription.lag() == 0)
        if self._addresses and (subscription.is_assigned or not is_connected):
            away = [self._log_watch.open] if self._log_watch.open is not None else []
            notices.repeat([*self._desk.open, *away])

    def _tell_of_the_log(self, notices: Notices, *, is_connected: bool) -> None:
        """Tell people that the log is away although it takes no alert now; it gets both ends of it afterwards."""
        events = self._log_watch.look(is_connected=is_connected)
        if self._addresses:
            notices.hear(events)
        if is_connected:
            for event in events:
                self._keep(event)

    def _publish(self, batch: Sequence[Outgoing]) -> None:
        self._messaging.publish_batch(batch)
        self._messaging.flush()

    def ready(self) -> str | None:
        """Wait for the group's partition."""
        if self._subscription is None or not self._subscription.is_running:
            return "the conditions are not followed"
        if not self._subscription.is_assigned:
            return "waiting for the log"
        return None if self._messaging.health()["connected"] else "the log is away"

    def trouble(self) -> str | None:
        """Return what is wrong with the file of rules: others hold meanwhile."""
        return self._rules.why or None

    def health(self) -> dict[str, object]:
        """Return which alerts are open."""
        return {
            "open": sorted(event.key for event in self._desk.open),
            "lag": self._subscription.last_lag if self._subscription is not None else 0,
            "messaging": self._messaging.health(),
            "addresses": len(self._addresses),
            "troubles": [why for why in self._whys() if why],
        }

    def _whys(self) -> list[str]:
        notices = "" if self._notices is None else self._notices.why
        return [self._rules.why, notices, *(rounds.why for rounds in self._rounds)]

    def _keep(self, event: AlertEvent) -> None:
        self._messaging.publish(Topics.ALERTS, event, key=event.plant_id or event.zone_id)
        self._messaging.flush()

    def _note(self, event: AlertEvent) -> None:
        self._events.labels(event.state, event.severity).inc()
        log.info("alert %s: %s", event.state, event.description, correlation_id=event.correlation_id)


def _checked_addresses(settings: Settings) -> tuple[Address, ...]:
    """Return whom to tell; raises ConfigError for a URL that apprise does not understand."""
    addresses, sender = load_addresses(settings), AppriseSender()
    for address in addresses:
        sender.check(address)
    return addresses


def _events_in(records: Sequence[Record]) -> list[AlertEvent]:
    events = []
    for record in records:
        try:
            events.append(AlertEvent.from_json(record.value or b""))
        except MessageError as error:  # the database makes a dead letter of it
            log.warning("alert event %d is passed over: %s", record.offset, error)
    return events


def create_service(settings: Settings, messaging: MessagingService, clock: Clock) -> AlertService:
    """Assemble the service; it opens nothing before `start`."""
    return AlertService(settings, messaging, clock)


def main() -> int:
    """Run the service on the broker until a signal, and return the exit code."""
    return run_process("alerts", create_service)


if __name__ == "__main__":
    sys.exit(main())
