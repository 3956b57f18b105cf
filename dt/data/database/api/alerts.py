"""What people decide about alerts goes on to the alerts service, whose event comes back by the log."""

from __future__ import annotations

from flask import Flask, Response, request

from dt.data.database.api import answers
from dt.data.database.api.described import described
from dt.data.database.api.store import Store, unknown
from dt.data.database.records import PageQuery
from dt.utils.dataclasses import AlertEvent
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError
from dt.utils.http import Problem, json_response, person_of, request_object
from dt.utils.logger import get_logger

log = get_logger(__name__)


def add_alerts(app: Flask, store: Store) -> None:
    """Add the two steps that a person can take."""

    @app.post("/alerts/<alert_id>/acknowledge")
    @described("care", {200: AlertEvent}, body=answers.Person, problems=(404, 409, 413, 415, 502))
    def acknowledge_alert(alert_id: str) -> Response:
        """Say that somebody looks after an alert; the same again changes nothing."""
        return _step(store, alert_id, "acknowledge")

    @app.post("/alerts/<alert_id>/resolve")
    @described("care", {200: AlertEvent}, body=answers.Person, problems=(404, 409, 413, 415, 502))
    def resolve_alert(alert_id: str) -> Response:
        """End an alert; what still holds opens another one. An alert that is over answers 409."""
        return _step(store, alert_id, "resolve")


def _step(store: Store, alert_id: str, step: str) -> Response:
    by = person_of(request_object() if request.get_data() else {})
    if not store.records.page("alerts", PageQuery(limit=1), {"alert_id": alert_id}).items:
        raise unknown("alert", alert_id)
    try:
        return json_response(store.alerts.step(alert_id, step, by))
    except RefusedRequestError as error:
        if error.status in (404, 409):  # it is on record, so it is over
            detail = f"alert {alert_id[:200]!r} is resolved already"
            raise Problem(409, "Conflict", detail, field="alert_id", limit="open alerts") from error
        raise Problem(502, "Bad gateway", f"the alerts service refused: {error}") from error
    except RemoteServiceError as error:
        log.warning("an alert's step was not passed on: %s", error)
        raise Problem(502, "Bad gateway", "the alerts service does not answer", service="alerts") from error
