"""Errors as problem+json (RFC 9457): every answer that is one names the field and the limit."""

from __future__ import annotations

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from dt.utils.exceptions import ConflictError, DTError, MessageError
from dt.utils.logger import get_logger

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


def add_problem_pages(app: Flask) -> None:
    """Turn every error into problem+json; what nobody expected is logged and says nothing of the inside."""

    @app.errorhandler(Problem)
    def _problem(error: Problem) -> Response:
        return _response(error)

    @app.errorhandler(MessageError)
    def _message(error: MessageError) -> Response:
        return _response(Problem(422, "Unusable field", str(error), field=error.field, limit=error.why))

    @app.errorhandler(ConflictError)
    def _conflict(error: ConflictError) -> Response:
        return _response(Problem(409, "Conflict", str(error)))

    @app.errorhandler(DTError)
    def _domain(error: DTError) -> Response:
        status = 503 if error.retriable else 400
        return _response(Problem(status, "Not available" if error.retriable else "Refused", str(error)))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        return _http_problem(app, error)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return _response(Problem(500, "Internal error", "the service failed; its log says why"))


def _http_problem(app: Flask, error: HTTPException) -> Response:
    status = error.code or 500
    if status == 413:
        most = app.config["MAX_CONTENT_LENGTH"]
        return _response(Problem(413, error.name, f"a request has at most {most} bytes", field="$", limit=most))
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        detail = f"{request.path[:200]} takes {allowed}, not {request.method[:40]}"
        answer = _response(Problem(405, error.name, detail, field="method", limit=allowed))
        answer.headers["Allow"] = allowed
        return answer
    if status == 404:
        return _response(Problem(404, error.name, f"there is no {request.path[:200]} here"))
    if 300 <= status < 400:  # a redirection is no error
        return error.get_response()  # type: ignore[return-value]
    return _response(Problem(status, error.name, error.description or ""))


def _response(problem: Problem) -> Response:
    response = json_response(problem.body, problem.status)
    response.mimetype = "application/problem+json"
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if "retry_after_s" in problem.body:
        response.headers["Retry-After"] = str(problem.body["retry_after_s"])
    return response
