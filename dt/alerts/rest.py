"""REST of the alerts service (5007): what people decide about alerts, and how they are told of them."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, request

from dt.alerts.desk import AlertDesk
from dt.alerts.notices import Notices
from dt.utils.dataclasses import AlertEvent, AlertState
from dt.utils.http import Problem, json_response, person_of, request_object

_STEPS = {"acknowledge": AlertState.ACKNOWLEDGED, "resolve": AlertState.RESOLVED}


def add_pages(app: Flask, desk: AlertDesk, keep: Callable[[AlertEvent], None], notices: Notices) -> None:
    """Add the endpoints to an API; `keep` makes an event durable."""

    @app.get("/alerts")
    def alerts() -> Response:
        """Return the alerts that are not resolved."""
        return json_response({"items": sorted(desk.open, key=lambda event: -event.timestamp), "next": None})

    @app.post("/alerts/<alert_id>/<any(acknowledge, resolve):step>")
    def decide(alert_id: str, step: str) -> Response:
        """Acknowledge or resolve an alert, as `{"by": who}` says; what still holds reopens it after its cool-down."""
        by = person_of(request_object() if request.get_data() else {})
        event = desk.decide(alert_id, _STEPS[step], by, keep)
        if event is None:
            raise Problem(404, "Not found", f"no alert {alert_id[:200]!r} is open", field="alert_id")
        return json_response(event)

    @app.get("/notices")
    def list_addresses() -> Response:
        """Return whom alerts are told to, without secrets, and what became of the last message to each."""
        return json_response(notices.status())

    @app.post("/notices/test")
    def test_notices() -> Response:
        """Send a test message to every address now, and return which took it; takes as long as they need."""
        return json_response({"addresses": notices.test()})
