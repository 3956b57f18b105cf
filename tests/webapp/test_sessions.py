"""Who may see and do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
import websocket
from werkzeug.security import generate_password_hash

from dt.utils.clock import ManualClock
from dt.utils.config import Settings
from dt.utils.guesses import ALL_GUESSES, GUESSES, GUESSES_WINDOW_S, Guesses
from dt.webapp.app import Dashboard
from dt.webapp.sessions import password_hash

Start = Callable[..., Dashboard]
PASSWORD = "correct horse"
BEYOND = "127.0.0.2"  # still this machine alone, and none of the names that count as loopback
HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")


class Browser:
    """A browser without JavaScript: cookies, and the CSRF token as the page would send it."""

    def __init__(self, dashboard: Dashboard, host: str = "127.0.0.1") -> None:
        self.base = f"http://{host}:{dashboard.port}"
        self.http = requests.Session()
        self.csrf = ""

    def get(self, path: str) -> requests.Response:
        return self.http.get(self.base + path, timeout=10, allow_redirects=False)

    def post(self, path: str, body: object = None, csrf: str | None = None) -> requests.Response:
        return self.send("POST", path, body, csrf)

    def send(self, method: str, path: str, body: object = None, csrf: str | None = None) -> requests.Response:
        headers = {"X-CSRF-Token": self.csrf if csrf is None else csrf}
        return self.http.request(method, self.base + path, json=body or {}, headers=headers, timeout=10)

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.get("/api/session").json()
        self.csrf = state["csrf"]
        return state

    def sign_in(self, password: str = PASSWORD) -> requests.Response:
        self.state()
        answer = self.post("/api/login", {"password": password})
        if answer.ok:
            self.csrf = answer.json()["csrf"]
        return answer


@pytest.fixture
def open_to_all(start_dashboard: Start) -> Dashboard:
    """Return a dashboard that listens beyond loopback."""
    return start_dashboard(bind_host=BEYOND, dt_password_hash=HASH)


def test_on_loopback_reading_needs_no_password(dashboard: Dashboard) -> None:
    """One's own machine is trusted to look."""
    browser = Browser(dashboard)

    assert browser.get("/").status_code == 200
    assert browser.state() == {"login_needed": False, "signed_in": False, "csrf": browser.csrf}


def test_beyond_loopback_the_page_leads_to_the_login(open_to_all: Dashboard) -> None:
    """Page, data and live feed are closed; the login page and health are not."""
    browser = Browser(open_to_all, BEYOND)

    assert browser.get("/").headers["Location"] == "/login"
    assert browser.get("/api/plants").status_code == 401
    assert browser.get("/api/live").status_code == 401
    assert browser.get("/socket.io/?EIO=4&transport=polling").status_code == 401
    assert browser.get("/login").status_code == 200
    assert browser.get("/static/css/base.css").status_code == 200
    assert browser.get("/health").status_code == 200


def test_the_right_password_opens_page_and_live_feed(open_to_all: Dashboard) -> None:
    """The session cookie is out of scripts' reach and stays on its own site."""
    browser = Browser(open_to_all, BEYOND)

    answer = browser.sign_in()

    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert browser.get("/").status_code == 200
    jar = f"dt_session={browser.http.cookies['dt_session']}"
    feed = websocket.create_connection(
        f"ws://{BEYOND}:{open_to_all.port}/socket.io/?EIO=4&transport=websocket", cookie=jar
    )
    assert str(feed.recv()).startswith("0")
    feed.close()


def test_the_service_token_opens_reads_for_machines(open_to_all: Dashboard) -> None:
    """A script beyond loopback needs no cookie."""
    url = f"http://{BEYOND}:{open_to_all.port}/api/live"

    assert requests.get(url, headers={"Authorization": "Bearer test-token"}, timeout=10).status_code == 200
    assert requests.get(url, headers={"Authorization": "Bearer wrong"}, timeout=10).status_code == 401


def test_a_wrong_password_is_refused_and_the_sixth_try_waits(open_to_all: Dashboard) -> None:
    """Then even the right one has to wait."""
    browser = Browser(open_to_all, BEYOND)
    for _ in range(GUESSES):
        assert browser.sign_in("wrong").status_code == 403

    answer = browser.sign_in()

    assert answer.status_code == 429
    assert answer.json()["retry_after_s"] > 0


def test_login_without_csrf_token_is_refused(open_to_all: Dashboard) -> None:
    """A foreign page cannot sign a person in."""
    browser = Browser(open_to_all, BEYOND)
    browser.state()

    assert browser.post("/api/login", {"password": PASSWORD}, csrf="").status_code == 403
    assert browser.post("/api/login", {"password": PASSWORD}, csrf="guess").status_code == 403


def test_writing_needs_a_login_on_loopback_too(start_dashboard: Start, echo: Any) -> None:
    """A person's action is a person's; it goes on with the service's token."""
    browser = Browser(start_dashboard(dt_password_hash=HASH, flask_db_url=echo.url))
    browser.state()
    assert browser.send("PUT", "/api/plants/basil").status_code == 401

    browser.sign_in()

    assert browser.send("PUT", "/api/plants/basil", csrf="wrong").status_code == 403
    answer = browser.send("PUT", "/api/plants/basil")
    assert answer.json()["path"] == "plants/basil"
    assert answer.json()["token"] == "Bearer test-token"


@pytest.mark.parametrize("step", ["acknowledge", "resolve"])
def test_who_signed_in_decides_about_alerts(start_dashboard: Start, echo: Any, step: str) -> None:
    """The decision goes on to the database service with its author; there are no other steps."""
    browser = Browser(start_dashboard(dt_password_hash=HASH, flask_db_url=echo.url))
    browser.state()
    assert browser.post(f"/api/alerts/alert-1/{step}").status_code == 401

    browser.sign_in()

    assert browser.post(f"/api/alerts/alert-1/{step}", csrf="wrong").status_code == 403
    answer = browser.post(f"/api/alerts/alert-1/{step}", {"by": "Ada"}).json()
    assert (answer["method"], answer["path"]) == ("POST", f"alerts/alert-1/{step}")
    assert (answer["body"], answer["token"]) == ('{"by": "Ada"}', "Bearer test-token")
    assert browser.post("/api/alerts/alert-1/delete").status_code == 404


def test_signing_out_ends_the_session(open_to_all: Dashboard) -> None:
    """The next request has to sign in again."""
    browser = Browser(open_to_all, BEYOND)
    browser.sign_in()

    browser.post("/api/logout")

    assert browser.get("/api/live").status_code == 401


def test_a_forged_cookie_opens_nothing(open_to_all: Dashboard) -> None:
    """The session is signed."""
    browser = Browser(open_to_all, BEYOND)
    browser.http.cookies.set("dt_session", "eyJzaWduZWRfaW4iOiJ5ZXMifQ.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")

    assert browser.get("/api/live").status_code == 401


def test_a_name_that_points_at_loopback_is_refused(dashboard: Dashboard) -> None:
    """DNS rebinding: a foreign page's host name reaches neither data nor live feed."""
    base = f"http://127.0.0.1:{dashboard.port}"

    for path in ("/api/live", "/socket.io/?EIO=4&transport=polling"):
        answer = requests.get(base + path, headers={"Host": "evil.example"}, timeout=10)
        assert answer.status_code == 403


def test_a_public_name_asks_for_the_password_behind_a_proxy(start_dashboard: Start) -> None:
    """Listening on loopback behind a public reverse proxy is not local."""
    dashboard = start_dashboard(flask_dashboard_url="https://plants.example:0", dt_password_hash=HASH)

    answer = requests.get(f"http://127.0.0.1:{dashboard.port}/api/live", headers={"Host": "plants.example"}, timeout=10)

    assert answer.status_code == 401


def test_the_first_run_makes_a_password_that_fits_its_hash(start_dashboard: Start, settings: Settings) -> None:
    """It lies in a file that only its owner reads, and opens the dashboard."""
    dashboard = start_dashboard(bind_host=BEYOND)
    file = settings.data_dir / "dashboard_password"

    answer = Browser(dashboard, BEYOND).sign_in(file.read_text().strip())

    assert answer.status_code == 200
    assert file.stat().st_mode & 0o077 == 0
    assert (settings.data_dir / "dt_password_hash").stat().st_mode & 0o077 == 0
    assert password_hash(settings) == password_hash(settings)


def test_guesses_from_everywhere_are_counted_together(clock: ManualClock) -> None:
    """Many addresses do not multiply the tries; time gives them back."""
    guesses = Guesses(clock)
    for number in range(ALL_GUESSES):
        guesses.wrong(f"10.0.0.{number}")

    waits = guesses.wait_s("192.0.2.1")
    clock.advance(GUESSES_WINDOW_S)

    assert waits == GUESSES_WINDOW_S
    assert guesses.wait_s("192.0.2.1") == 0.0
