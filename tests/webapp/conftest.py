"""A running dashboard on a free port, and a database service to stand behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, request

from dt.communication.memory import MemoryMessaging
from dt.utils.clock import SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.http import json_response
from dt.utils.http_server import HttpServer
from dt.webapp.app import Dashboard, create_service

Start = Callable[..., Dashboard]


@pytest.fixture
def start_dashboard(settings: Settings, messaging: MemoryMessaging) -> Iterator[Start]:
    """Return a function that starts a dashboard with further settings; all are stopped afterwards."""
    started: list[Dashboard] = []

    def start(**more: Any) -> Dashboard:
        own = load_settings(
            env_file=None,
            data_dir=settings.data_dir,
            dt_token=settings.dt_token,
            messaging="memory",
            **{"flask_dashboard_url": "http://127.0.0.1:0", "flask_db_url": "http://127.0.0.1:9", **more},
        )
        dashboard = create_service(own, messaging, SystemClock())
        dashboard.start()
        started.append(dashboard)
        return dashboard

    yield start
    for dashboard in started:
        dashboard.stop()


@pytest.fixture
def dashboard(start_dashboard: Start) -> Dashboard:
    """Return a dashboard on loopback whose database is away."""
    return start_dashboard()


class Echo:
    """A service that answers with what it was asked, to show what the proxy passes on."""

    def __init__(self) -> None:
        app = Flask(__name__)
        app.add_url_rule("/<path:path>", "echo", self._answer, methods=["GET", "POST", "PUT", "DELETE"])
        self.server = HttpServer(app, "127.0.0.1", 0)
        self.status = 200

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.server.port}"

    def _answer(self, path: str) -> Response:
        if path.endswith(".jpg"):
            return Response(b"\xff\xd8 a picture", mimetype="image/jpeg")
        body = {
            "method": request.method,
            "path": path,
            "query": request.query_string.decode(),
            "body": request.get_data(as_text=True),
            "token": request.headers.get("Authorization", ""),
        }
        return json_response(body, self.status)


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Return the echoing service, stopped afterwards."""
    service = Echo()
    service.server.start()
    yield service
    service.server.stop()
