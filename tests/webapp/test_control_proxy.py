"""`/api/…` of the controller and of notices: who may look, who may stop, who may let something move."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from dt.webapp.app import Dashboard

Start = Callable[..., Dashboard]


def browser(dashboard: Dashboard, *, signed_in: bool = False, settings: Any = None) -> requests.Session:
    """Return a session as a page has it: cookie, CSRF token, signed in or not."""
    session = requests.Session()
    url = f"http://127.0.0.1:{dashboard.port}"
    session.headers["X-CSRF-Token"] = session.get(f"{url}/api/session", timeout=5).json()["csrf"]
    if signed_in:
        password = (settings.data_dir / "dashboard_password").read_text().strip()
        answer = session.post(f"{url}/api/login", json={"password": password}, timeout=5)
        session.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return session


ACTS = [
    ("POST", "actuators/pump/commands"),
    ("POST", "actuators/pump/release"),
    ("POST", "actuators/pump/prime"),
    ("POST", "actuators/pump/calibrate"),
    ("PUT", "actuators/pump/mode"),
    ("PUT", "actuators/pump/flow"),
    ("PUT", "policies/basil"),
    ("POST", "reservoirs/can/refill"),
    ("POST", "vacation"),
    ("DELETE", "vacation"),
    ("DELETE", "emergency_stop"),
]


@pytest.mark.parametrize("name", ["actuators", "ledger", "policies", "vacation"])
def test_looking_reaches_the_controller(start_dashboard: Start, echo: Any, name: str) -> None:
    """Without a password on loopback, as all reading."""
    dashboard = start_dashboard(flask_controller_url=echo.url)

    answer = requests.get(f"http://127.0.0.1:{dashboard.port}/api/{name}?limit=8", timeout=5).json()

    assert (answer["path"], answer["query"], answer["token"]) == (name, "limit=8", "Bearer test-token")


def test_acting_needs_the_login_and_the_page_and_is_signed(start_dashboard: Start, echo: Any, settings: Any) -> None:
    """A page of elsewhere, or one that nobody signed in to, moves nothing; whoever acts is called the dashboard."""
    dashboard = start_dashboard(flask_controller_url=echo.url)
    stranger, person = browser(dashboard), browser(dashboard, signed_in=True, settings=settings)
    body = {"by": "ada", "issuer": "policy:x", "mode": "off"}
    for method, path in ACTS:
        url = f"http://127.0.0.1:{dashboard.port}/api/{path}"

        answer = person.request(method, url, json=body, timeout=5).json()

        assert (answer["method"], answer["path"]) == (method, path)
        sent = json.loads(answer["body"])
        assert (sent["by"], sent["mode"]) == ("dashboard", "off")
        assert sent["issuer"] == ("dashboard" if path.endswith("commands") else "policy:x")
        assert stranger.request(method, url, json=body, timeout=5).status_code == 401, path
        elsewhere = person.request(method, url, json=body, timeout=5, headers={"X-CSRF-Token": "another"})
        assert elsewhere.status_code == 403, path


def test_whoever_sees_the_page_may_stop_everything_and_nobody_else(start_dashboard: Start, echo: Any) -> None:
    """It only takes freedom away; a page of elsewhere has no token of this one."""
    dashboard = start_dashboard(flask_controller_url=echo.url)
    url = f"http://127.0.0.1:{dashboard.port}/api/emergency_stop"

    assert browser(dashboard).post(url, timeout=5).json()["path"] == "emergency_stop"
    assert requests.post(url, timeout=5).status_code == 403


def test_where_a_password_is_needed_to_look_it_is_needed_to_stop(start_dashboard: Start, echo: Any) -> None:
    """Under a public name the page itself is behind the login."""
    dashboard = start_dashboard(flask_controller_url=echo.url, flask_dashboard_url="http://plants.example:0")
    url = f"http://127.0.0.1:{dashboard.port}/api/emergency_stop"

    assert browser(dashboard).post(url, timeout=5).status_code == 401


def test_refusals_come_through_and_paths_do_not(start_dashboard: Start, echo: Any, settings: Any) -> None:
    """409 with what it says; the controller hears of ids alone."""
    dashboard = start_dashboard(flask_controller_url=echo.url)
    person = browser(dashboard, signed_in=True, settings=settings)
    url = f"http://127.0.0.1:{dashboard.port}/api"
    for path in ("actuators/a%2Fb/mode", "actuators/a:b/mode", "policies/a%3Fb"):
        assert person.put(f"{url}/{path}", json={}, timeout=5).status_code == 404, path
    echo.status = 409

    assert person.post(f"{url}/actuators/pump/commands", json={}, timeout=5).status_code == 409


def test_notices_are_those_of_the_alerts_service(start_dashboard: Start, echo: Any, settings: Any) -> None:
    """Looking needs nothing, a test the login."""
    dashboard = start_dashboard(flask_alerts_url=echo.url)
    url = f"http://127.0.0.1:{dashboard.port}/api/notices"

    assert requests.get(url, timeout=5).json()["path"] == "notices"
    assert browser(dashboard).post(f"{url}/test", timeout=5).status_code == 401
    person = browser(dashboard, signed_in=True, settings=settings)
    assert person.post(f"{url}/test", timeout=5).json()["path"] == "notices/test"
