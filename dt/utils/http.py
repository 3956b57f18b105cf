"""REST pages by Flask: problem+json, bearer tokens, health pages."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from flask import Flask, Response, request
from flask_cors import CORS
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException

from dt.utils.codec import parse_json
from dt.utils.config import Settings
from dt.utils.exceptions import ConflictError, DTError, MessageError
from dt.utils.http_server import readiness
from dt.utils.logger import get_logger
from dt.utils.service import Service

MAX_BODY_BYTES = 8 * 1024 * 1024
_OPEN_PATHS = frozenset({"/health", "/ready", "/metrics"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_View = TypeVar("_View", bound=Callable[..., Any])

log = get_logger(__name__)


class Problem(DTError):  # noqa: N818 - RFC 9457 calls it so
    """An answer that is an error: problem+json (RFC 9457) with the field and the limit."""

    def __init__(self, status: int, title: str, detail: str = "", **more: object) -> None:
        super().__init__(detail or title)
        self.status = status
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail or title, **more}


def json_response(body: object, status: int = 200) -> Response:
    """Return anything that msgspec encodes, messages included, as JSON."""
    return Response(msgspec.json.encode(body), status=status, mimetype="application/json")


def reads_only(view: _View) -> _View:
    """Mark a POST that only asks, so that it needs no token on loopback."""
    view.reads_only = True  # type: ignore[attr-defined]
    return view


def request_object() -> dict[str, Any]:
    """Return the request's JSON object; raises MessageError otherwise."""
    data = parse_json(request.get_data())
    if not isinstance(data, dict):
        raise MessageError("$", "must be a JSON object")
    return data


def create_api(service: Service, settings: Settings, token: str, import_name: str = __name__, **flask: Any) -> Flask:
    """Return a Flask app with health pages, problem+json errors, the bearer guard and CORS closed unless set."""
    app = Flask(import_name, **flask)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    add_health_pages(app, service)
    add_problem_pages(app)
    app.before_request(lambda: _require_token(app, settings, token))
    if settings.allowed_origins:
        CORS(app, origins=list(settings.allowed_origins))
    return app


def add_health_pages(app: Flask, service: Service) -> None:
    """Add `GET /health`, `/ready` and `/metrics`."""
    app.add_url_rule("/health", "health", lambda: json_response(service.report()))
    app.add_url_rule("/ready", "ready", lambda: json_response(*readiness(service)))
    app.add_url_rule(
        "/metrics", "metrics", lambda: Response(generate_latest(service.metrics), content_type=CONTENT_TYPE_LATEST)
    )


def add_problem_pages(app: Flask) -> None:
    """Turn every error into problem+json; what nobody expected is logged and says nothing of the inside."""

    @app.errorhandler(Problem)
    def _problem(error: Problem) -> Response:
        return _problem_response(error)

    @app.errorhandler(MessageError)
    def _message(error: MessageError) -> Response:
        return _problem_response(Problem(422, "Unusable field", str(error), field=error.field, limit=error.why))

    @app.errorhandler(ConflictError)
    def _conflict(error: ConflictError) -> Response:
        return _problem_response(Problem(409, "Conflict", str(error)))

    @app.errorhandler(DTError)
    def _domain(error: DTError) -> Response:
        status = 503 if error.retriable else 400
        return _problem_response(Problem(status, "Not available" if error.retriable else "Refused", str(error)))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if error.code == 413:
            limit = f"a request has at most {MAX_BODY_BYTES} bytes"
            return _problem_response(Problem(413, error.name, limit, field="$", limit=MAX_BODY_BYTES))
        return _problem_response(Problem(error.code or 500, error.name, error.description or ""))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return _problem_response(Problem(500, "Internal error", "the service failed; its log says why"))


def _problem_response(problem: Problem) -> Response:
    response = json_response(problem.body, problem.status)
    response.mimetype = "application/problem+json"
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _require_token(app: Flask, settings: Settings, token: str) -> None:
    view = app.view_functions.get(request.endpoint or "")
    is_read = request.method in _READS or getattr(view, "reads_only", False)
    if request.path in _OPEN_PATHS or (is_read and settings.is_loopback):
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Problem(401, "Token needed", "send the header `Authorization: Bearer <token>`", field="Authorization")
