"""`/api/…`: the services' REST under the dashboard's own origin, for who may see the page; changes need a login."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import requests
from flask import Blueprint, Response, request

from dt.utils.http import Problem
from dt.utils.logger import get_logger
from dt.webapp.sessions import Sessions

CONNECT_WITHIN_S = 2.0
ANSWER_WITHIN_S = 15.0
_READS = ("plants", "sensors", "series", "alerts", "actions", "predictions", "dead_letters", "frames")
_QUERIES = ("data/timestamp", "data/id")
_PICTURE = re.compile(r"[0-9a-f]{64}\.jpg")
_ID = re.compile(r"[\w.:/-]{1,200}")
_PASSED_ON = ("Content-Type", "ETag", "Last-Modified", "Retry-After")
_A_YEAR = "private, max-age=31536000, immutable"  # a picture's name is its content's hash

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Backend:
    """A service behind the dashboard: how people call it, where it is, and the token it asks for."""

    name: str
    url: str
    token: str
    timeouts_s: tuple[float, float] = (CONNECT_WITHIN_S, ANSWER_WITHIN_S)

    def ask(self, method: str, path: str, query: str = "", body: bytes | None = None) -> requests.Response:
        """Return the answer, whatever its status; raises Problem 502 or 504 that names the service."""
        url = f"{self.url}{path}" + (f"?{query}" if query else "")
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            with requests.Session() as session:
                session.trust_env = False  # http_proxy is for the world outside, and .netrc would replace the token
                answer = session.request(
                    method, url, data=body, headers=headers, timeout=self.timeouts_s, allow_redirects=False
                )
        except requests.Timeout as error:
            raise self._problem(504, f"The {self.name} service did not answer in time.") from error
        except requests.RequestException as error:
            log.debug("%s: %s", url, error)
            raise self._problem(502, f"The {self.name} service does not answer.") from error
        if answer.status_code in (401, 403):
            raise self._problem(502, f"The {self.name} service refused the dashboard's token.")
        return answer

    def _problem(self, status: int, detail: str) -> Problem:
        return Problem(status, "Bad gateway" if status == 502 else "Gateway time-out", detail, service=self.name)


def database_api(database: Backend, sessions: Sessions) -> Blueprint:
    """Return the routes that the database service answers."""
    api = Blueprint("database_api", __name__)

    def read(path: str) -> Response:
        return passed(database.ask("GET", path, request.query_string.decode("latin-1")))

    def query(path: str) -> Response:
        return passed(database.ask("POST", path, request.query_string.decode("latin-1"), request.get_data()))

    for name in _READS:
        api.add_url_rule(f"/api/{name}", name, read, defaults={"path": f"/{name}"})
    for name in _QUERIES:
        api.add_url_rule(f"/api/{name}", name.replace("/", "_"), query, defaults={"path": f"/{name}"}, methods=["POST"])

    @api.get("/api/trace/<path:correlation_id>")
    def trace(correlation_id: str) -> Response:
        return read(f"/trace/{checked(_ID, correlation_id)}")

    @api.get("/api/frames/<name>")
    @api.get("/frames/<name>")
    def picture(name: str) -> Response:
        response = read(f"/frames/{checked(_PICTURE, name)}")
        if response.status_code == 200:
            response.headers["Cache-Control"] = _A_YEAR
        return response

    @api.put("/api/plants/<plant_id>")
    def put_plant(plant_id: str) -> Response:
        sessions.require_writer()
        return passed(database.ask("PUT", f"/plants/{checked(_ID, plant_id)}", body=request.get_data()))

    @api.post("/api/alerts/<alert_id>/<any(acknowledge, resolve):step>")
    def decide(alert_id: str, step: str) -> Response:
        sessions.require_writer()
        return passed(database.ask("POST", f"/alerts/{checked(_ID, alert_id)}/{step}", body=request.get_data()))

    return api


def checked(pattern: re.Pattern[str], text: str) -> str:
    """Return a part of a path that may be passed on; raises Problem 404 for any other."""
    if pattern.fullmatch(text) is None or ".." in text:
        raise Problem(404, "Not Found", "there is no such thing")
    return text


def passed(answer: requests.Response) -> Response:
    """Return another service's answer as the dashboard's own."""
    headers: Mapping[str, str] = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
    response = Response(answer.content, status=answer.status_code, headers=dict(headers))
    response.headers.setdefault("Cache-Control", "no-store")
    link = answer.headers.get("Link")
    if link:
        response.headers["Link"] = link.replace("</", "</api/", 1)
    return response
