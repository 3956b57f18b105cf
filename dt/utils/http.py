"""REST pages by Flask: health pages, request bodies, and the app that every service begins with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request
from flask_cors import CORS
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dt.utils.access import Access, acts, open_to_all, reads_only, too_many, writes_or_acts
from dt.utils.codec import parse_json
from dt.utils.config import Settings
from dt.utils.exceptions import MessageError
from dt.utils.http_server import readiness
from dt.utils.problems import Problem, add_problem_pages, json_response
from dt.utils.service import Service

MAX_BODY_BYTES = 8 * 1024 * 1024
_FORM = "application/x-www-form-urlencoded"
_LONGEST_NAME = 200

__all__ = [
    "MAX_BODY_BYTES",
    "Problem",
    "acts",
    "add_health_pages",
    "add_problem_pages",
    "create_api",
    "json_response",
    "open_to_all",
    "person_of",
    "reads_only",
    "request_object",
    "too_many",
    "writes_or_acts",
]


def request_object() -> dict[str, Any]:
    """Return the request's JSON object; raises MessageError otherwise, Problem 415 for another kind of body."""
    kind, body = request.mimetype, request.get_data()
    # curl and urllib call every body a form unless they are told otherwise.
    is_json = kind in ("", "application/json") or kind.endswith("+json") or (kind == _FORM and body.startswith(b"{"))
    if not is_json:
        limit = "application/json"
        detail = f"send Content-Type: {limit}, not {kind[:80]}"
        raise Problem(415, "Unsupported media type", detail, field="Content-Type", limit=limit)
    if b"\\u0000" in body:  # PostgreSQL keeps no such text
        raise MessageError("$", "must not hold the character NUL")
    data = parse_json(body)
    if not isinstance(data, dict):
        raise MessageError("$", "must be a JSON object")
    return data


def person_of(body: Mapping[str, Any]) -> str:
    """Return who does it, as `by` of a body says; a person without a name where it is left out."""
    by = body.get("by", "person")
    if not isinstance(by, str) or not 0 < len(by) <= _LONGEST_NAME:
        raise MessageError("by", f"must be a name of 1 to {_LONGEST_NAME} characters")
    return by


def create_api(service: Service, settings: Settings, token: str, import_name: str = __name__, **flask: Any) -> Flask:
    """Return a Flask app with health pages, problem+json errors, the bearer guard and CORS closed unless set."""
    app = Flask(import_name, **flask)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    add_health_pages(app, service)
    add_problem_pages(app)
    Access(settings, token, service.clock).add_to(app)
    if settings.allowed_origins:
        CORS(app, origins=list(settings.allowed_origins), expose_headers=["ETag", "Link", "Retry-After"])
    return app


def add_health_pages(app: Flask, service: Service) -> None:
    """Add `GET /health`, `/ready` and `/metrics`."""
    app.add_url_rule("/health", "health", lambda: json_response(service.report()))
    app.add_url_rule("/ready", "ready", lambda: json_response(*readiness(service)))
    app.add_url_rule(
        "/metrics", "metrics", lambda: Response(generate_latest(service.metrics), content_type=CONTENT_TYPE_LATEST)
    )
