"""The dashboard service: one consumer group, one web server, many browsers."""

from __future__ import annotations

import sys
from functools import partial

from flask import Flask, Response
from flask_cors import CORS
from prometheus_client import Gauge

from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Start, Subscription
from dt.communication.process import run_process
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.http import add_health_pages, add_problem_pages
from dt.utils.http_server import HttpServer, server_for
from dt.utils.secrets import ensure_token
from dt.utils.service import Service
from dt.webapp.browsers import Browsers, Gate
from dt.webapp.control_proxy import control_api, notices_api
from dt.webapp.pages import STATIC, StaticFiles, add_security_headers, login_page, pages
from dt.webapp.proxy import Backend, database_api
from dt.webapp.relay import GROUP, TOPICS, Relay
from dt.webapp.sessions import Sessions

MAX_BODY_BYTES = 64 * 1024
_THREADS_FOR_PAGES = 16  # beside one for every live connection


class Dashboard(Service):
    """Relays live values to browsers and serves the page, its history and its pictures."""

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock) -> None:
        super().__init__("webapp", clock)
        self._settings = settings
        self._messaging = messaging
        self._subscription: Subscription | None = None
        self._server: HttpServer | None = None
        self._browsers: Browsers | None = None
        self._relay: Relay | None = None

    @property
    def port(self) -> int:
        """Return the port that the page is served on."""
        return self._server.port if self._server else 0

    def on_start(self) -> None:
        """Serve the page first; live values follow as soon as the log gives them."""
        token = ensure_token(self._settings)
        sessions = Sessions(self._settings, token, self.clock)
        app = _flask_app(self, self._settings, sessions, token)
        browsers = Browsers(app, self.clock, self._settings.max_browsers, self._settings.allowed_origins)
        app.add_url_rule("/api/live", "live", partial(_live, browsers))
        app.wsgi_app = Gate(app.wsgi_app, browsers, partial(sessions.refuses, app))  # type: ignore[method-assign]
        threads = self._settings.max_browsers + _THREADS_FOR_PAGES
        server = server_for(app, self._settings, self._settings.flask_dashboard_url, threads)
        self._browsers, self._server = browsers, server
        self._measure(browsers)
        self.closing("web server", server.stop)
        self.closing("live feed", browsers.stop)
        browsers.start()
        server.start()
        self._relay = Relay(browsers.store, self.clock)
        self._subscription = self._messaging.subscribe(TOPICS, GROUP, self._relay, start=Start.LATEST)
        self.closing("subscription", self._subscription.stop)
        self.closing("health", HealthBeat(self, self._messaging, self.clock).start())

    def ready(self) -> str | None:
        """Wait for the consumer group's partitions."""
        if self._subscription is None or not self._subscription.is_running:
            return "the live feed is not read"
        if not self._messaging.health().get("connected"):
            return "waits for the broker"
        return None if self._subscription.is_assigned else "waits for its partitions"

    def health(self) -> dict[str, object]:
        """Return how many browsers there are and what waits for them."""
        if self._browsers is None or self._relay is None:
            return {}
        return {
            "browsers": self._browsers.connected,
            "max_browsers": self._browsers.limit,
            "waiting_values": self._browsers.store.backlog(),
            "unreadable": self._relay.unreadable,
            "messaging": self._messaging.health(),
        }

    def _measure(self, browsers: Browsers) -> None:
        for name, words, read in (
            ("dt_webapp_browsers", "live connections", lambda: browsers.connected),
            ("dt_webapp_waiting_values", "values that wait for a browser", browsers.store.backlog),
        ):
            Gauge(name, words, registry=self.metrics).set_function(read)


def create_service(settings: Settings, messaging: MessagingService, clock: Clock) -> Dashboard:
    """Assemble the dashboard; it opens nothing before `start`."""
    return Dashboard(settings, messaging, clock)


def main() -> int:
    """Run the dashboard on the broker until a signal, and return the exit code."""
    return run_process("webapp", create_service)


def _flask_app(service: Service, settings: Settings, sessions: Sessions, token: str) -> Flask:
    database = Backend("database", settings.flask_db_url, token)
    controller = Backend("controller", settings.flask_controller_url, token)
    alerts = Backend("alerts", settings.flask_alerts_url, token)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.after_request(add_security_headers)
    add_problem_pages(app)
    add_health_pages(app, service)
    sessions.add_to(app, settings)
    app.add_url_rule("/static/<path:filename>", "static", StaticFiles(STATIC).answer)
    app.add_url_rule("/login", "login_page", login_page)
    app.register_blueprint(pages())
    app.register_blueprint(database_api(database, sessions))
    app.register_blueprint(control_api(controller, sessions))
    app.register_blueprint(notices_api(alerts, sessions))
    if settings.allowed_origins:
        CORS(app, resources={r"/(api|frames)/.*": {"origins": list(settings.allowed_origins)}})
    return app


def _live(browsers: Browsers) -> Response:
    """Return the latest of everything, for pages without a live connection."""
    latest = browsers.store.latest()
    events = (f'"{event}":[{",".join(item.body for item in items)}]' for event, items in latest.items())
    response = Response("{" + ",".join(events) + "}", mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


if __name__ == "__main__":
    sys.exit(main())
