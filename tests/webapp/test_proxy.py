"""`/api/…`: reads under the page's own origin, and errors that name the service."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
import requests

from dt.utils.http import Problem
from dt.webapp.app import Dashboard
from dt.webapp.proxy import Backend

Start = Callable[..., Dashboard]


def _url(dashboard: Dashboard, path: str) -> str:
    return f"http://127.0.0.1:{dashboard.port}{path}"


def _get(dashboard: Dashboard, path: str, **more: Any) -> requests.Response:
    return requests.get(_url(dashboard, path), timeout=10, **more)


@pytest.mark.parametrize("name", ["plants", "sensors", "series", "alerts", "actions", "predictions", "frames"])
def test_reads_reach_the_database_with_their_query(start_dashboard: Start, echo: Any, name: str) -> None:
    """Path and query arrive as they were sent, with the service token."""
    dashboard = start_dashboard(flask_db_url=echo.url)

    answer = _get(dashboard, f"/api/{name}?plant_id=basil%201&points=300").json()

    assert answer["path"] == name
    assert answer["query"] == "plant_id=basil%201&points=300"
    assert answer["token"] == "Bearer test-token"


def test_queries_are_posted_on(start_dashboard: Start, echo: Any) -> None:
    """The two `/data/` reads carry a body."""
    dashboard = start_dashboard(flask_db_url=echo.url)

    answer = requests.post(_url(dashboard, "/api/data/id"), json={"sensor_id": "s"}, timeout=10).json()

    assert (answer["method"], answer["path"], answer["body"]) == ("POST", "data/id", '{"sensor_id": "s"}')


def test_the_next_page_of_readings_is_another_one(start_dashboard: Start, echo: Any) -> None:
    """Its cursor is in the query string of the link."""
    dashboard = start_dashboard(flask_db_url=echo.url)

    answer = requests.post(_url(dashboard, "/api/data/timestamp?limit=2&cursor=5.0~s"), json={}, timeout=10).json()

    assert (answer["path"], answer["query"]) == ("data/timestamp", "limit=2&cursor=5.0~s")


def test_a_trace_is_asked_for_by_its_id(start_dashboard: Start, echo: Any) -> None:
    """Correlation ids are passed on, anything that climbs out of the path is not."""
    dashboard = start_dashboard(flask_db_url=echo.url)

    assert _get(dashboard, "/api/trace/2f7c1b52-6f0f").json()["path"] == "trace/2f7c1b52-6f0f"
    assert _get(dashboard, "/api/trace/..%2Fplants").status_code == 404


def test_a_picture_is_passed_on_and_kept_by_the_browser(start_dashboard: Start, echo: Any) -> None:
    """Its name is its content's hash, so it never changes."""
    dashboard = start_dashboard(flask_db_url=echo.url)

    answer = _get(dashboard, f"/api/frames/{'a' * 64}.jpg")

    assert answer.content.startswith(b"\xff\xd8")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert "immutable" in answer.headers["Cache-Control"]
    assert _get(dashboard, "/api/frames/passwd").status_code == 404


def test_a_database_that_is_away_is_502_by_name(dashboard: Dashboard) -> None:
    """The page can say which service is missing."""
    answer = _get(dashboard, "/api/plants")

    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["service"] == "database"


def test_a_database_that_hangs_is_504_by_name() -> None:
    """A server that accepts and says nothing costs the time-out, not for ever."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        database = Backend("database", f"http://127.0.0.1:{mute.getsockname()[1]}", "token", timeouts_s=(0.2, 0.2))

        with pytest.raises(Problem) as caught:
            database.ask("GET", "/plants")

    assert caught.value.status == 504
    assert caught.value.body["service"] == "database"


def test_a_problem_of_the_database_stays_what_it_is(start_dashboard: Start, echo: Any) -> None:
    """422 with a field comes through; a refused token is the dashboard's own fault."""
    dashboard = start_dashboard(flask_db_url=echo.url)

    echo.status = 422
    assert _get(dashboard, "/api/series").status_code == 422
    echo.status = 401
    assert _get(dashboard, "/api/series").status_code == 502


def test_what_is_not_listed_is_not_passed_on(start_dashboard: Start, echo: Any) -> None:
    """The proxy is no open door to the service behind it."""
    dashboard = start_dashboard(flask_db_url=echo.url)

    assert _get(dashboard, "/api/docs").status_code == 404
    assert requests.post(_url(dashboard, "/api/bind_sensor"), json={}, timeout=10).status_code == 404
    assert requests.put(_url(dashboard, "/api/sensors/x"), json={}, timeout=10).status_code in (404, 405)
    assert requests.patch(_url(dashboard, "/api/sensors/x"), json={}, timeout=10).status_code in (404, 405)
