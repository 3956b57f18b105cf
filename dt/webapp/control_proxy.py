"""`/api/…` of the controller and of notices: reading for who may see the page, acting for who signed in.

Emergency stop is the exception: whoever may see the page may press it, for it only takes freedom away. Releasing it
needs the login like everything else that lets something move.
"""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
from flask import Blueprint, Response, request

from dt.utils.http import request_object
from dt.webapp.proxy import Backend, checked, passed
from dt.webapp.sessions import Sessions

_BY = "dashboard"
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_READS = ("actuators", "ledger", "policies", "vacation")
_NOTICE_TIMEOUTS_S = (2.0, 120.0)  # a test waits for every address


def control_api(controller: Backend, sessions: Sessions) -> Blueprint:
    """Return the routes that the controller answers."""
    pages = _Control(controller, sessions)
    api = Blueprint("control_api", __name__)
    for name in _READS:
        api.add_url_rule(f"/api/{name}", f"read_{name}", pages.read, defaults={"name": name})
    step = "/api/actuators/<actuator_id>/<any(commands, release, prime, calibrate):step>"
    api.add_url_rule(step, "act_on", pages.act_on, methods=["POST"])
    api.add_url_rule("/api/actuators/<actuator_id>/<any(mode, flow):step>", "set_of", pages.set_of, methods=["PUT"])
    api.add_url_rule("/api/policies/<place>", "set_policy", pages.set_policy, methods=["PUT"])
    api.add_url_rule("/api/reservoirs/<reservoir>/refill", "refill", pages.refill, methods=["POST"])
    api.add_url_rule("/api/vacation", "start_vacation", pages.vacation, methods=["POST"])
    api.add_url_rule("/api/vacation", "end_vacation", pages.vacation, methods=["DELETE"])
    api.add_url_rule("/api/emergency_stop", "stop", pages.stop, methods=["POST"])
    api.add_url_rule("/api/emergency_stop", "release_stop", pages.release_stop, methods=["DELETE"])
    return api


def notices_api(alerts: Backend, sessions: Sessions) -> Blueprint:
    """Return the routes of notices, which the alerts service answers."""
    api = Blueprint("notices_api", __name__)
    slow = replace(alerts, timeouts_s=_NOTICE_TIMEOUTS_S)

    @api.get("/api/notices")
    def notices() -> Response:
        """Return whom alerts are told to, without their secrets."""
        return passed(alerts.ask("GET", "/notices"))

    @api.post("/api/notices/test")
    def test_notices() -> Response:
        """Send a test to every address, for who signed in."""
        sessions.require_writer()
        return passed(slow.ask("POST", "/notices/test"))

    return api


class _Control:
    """One method a route, or several of one kind."""

    def __init__(self, controller: Backend, sessions: Sessions) -> None:
        self._controller = controller
        self._sessions = sessions

    def read(self, name: str) -> Response:
        """Return what the controller says, as its own endpoint of this name does."""
        return passed(self._controller.ask("GET", f"/{name}", request.query_string.decode("latin-1")))

    def act_on(self, actuator_id: str, step: str) -> Response:
        """Pass a command, the release of a lock-out, or a pump's routine on, for who signed in."""
        return self._act(f"/actuators/{checked(_ID, actuator_id)}/{step}")

    def set_of(self, actuator_id: str, step: str) -> Response:
        """Set the mode or the measured flow of an actuator, for who signed in."""
        return self._act(f"/actuators/{checked(_ID, actuator_id)}/{step}")

    def set_policy(self, place: str) -> Response:
        """Set the policy of a plant's or zone's actuators, for who signed in."""
        return self._act(f"/policies/{checked(_ID, place)}")

    def refill(self, reservoir: str) -> Response:
        """Say that a reservoir was filled up, for who signed in."""
        return self._act(f"/reservoirs/{checked(_ID, reservoir)}/refill")

    def vacation(self) -> Response:
        """Begin or end a vacation, for who signed in."""
        return self._act("/vacation")

    def stop(self) -> Response:
        """Everything off now: for whoever may see the page."""
        self._sessions.require_page()
        return passed(self._controller.ask("POST", "/emergency_stop", body=_signed()))

    def release_stop(self) -> Response:
        """Let outputs start again, for who signed in."""
        return self._act("/emergency_stop")

    def _act(self, path: str) -> Response:
        self._sessions.require_writer()
        return passed(self._controller.ask(request.method, path, body=_signed()))


def _signed() -> bytes:
    """Return the request's body under the dashboard's name, whatever name it gave itself."""
    body = request_object() if request.get_data() else {}
    names = ("by", "issuer") if request.path.endswith("/commands") else ("by",)
    return msgspec.json.encode({**body, **dict.fromkeys(names, _BY)})
