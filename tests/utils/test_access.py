"""Tokens, scopes, the limit on wrong ones, and the names that a service answers to."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from flask import Flask, Response
from flask.testing import FlaskClient

from dt.utils.access import WRONG_TOKENS
from dt.utils.clock import ManualClock
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError, ConflictError, MessageError
from dt.utils.guesses import GUESSES_WINDOW_S, Guesses
from dt.utils.http import acts, create_api, json_response, writes_or_acts
from dt.utils.http_server import server_for
from dt.utils.service import Service
from dt.utils.tokens import TOKEN_FILE, Scope, TokenFile, Tokens, scopes_from


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    """Return the token file of an empty folder."""
    return TokenFile(tmp_path / TOKEN_FILE)


def api(settings: Settings, clock: ManualClock) -> Flask:
    """Return an app that reads, writes, acts and stops."""
    app = create_api(Service("example", clock), settings, "service-token")

    app.add_url_rule("/thing", "read", fine())
    app.add_url_rule("/thing", "write", fine(), methods=["PUT"])
    app.add_url_rule("/pump", "act", acts(fine()), methods=["POST"])
    app.add_url_rule("/stop", "stop", writes_or_acts(fine()), methods=["POST"])
    return app


def fine() -> Callable[[], Response]:
    """Return a view of its own, for marks stay on it."""
    return lambda: json_response({"ok": True})


def status(client: FlaskClient, method: str, path: str, token: str = "", address: str = "203.0.113.5") -> int:
    """Return the status of a request from an address."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.open(path, method=method, headers=headers, environ_base={"REMOTE_ADDR": address}).status_code


PAGES = [("GET", "/thing"), ("PUT", "/thing"), ("POST", "/pump"), ("POST", "/stop")]


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ("read", [200, 403, 403, 403]),
        ("write", [403, 200, 403, 200]),
        ("act", [403, 403, 200, 200]),
        ("read,write,act", [200, 200, 200, 200]),
    ],
)
def test_a_token_does_what_its_scopes_say(
    settings: Settings, clock: ManualClock, file: TokenFile, scopes: str, expected: list[int]
) -> None:
    """Beyond loopback reading is a scope as well; the emergency stop is for everyone who may change anything."""
    public = settings.model_copy(update={"bind_host": "0.0.0.0", "data_dir": file.path.parent})
    token = file.add("grafana", scopes_from(scopes), 0.0)
    client = api(public, clock).test_client()

    assert [status(client, *page, token) for page in PAGES] == expected
    assert [status(client, *page, "service-token") for page in PAGES] == [200] * 4
    assert [status(client, *page) for page in PAGES] == [401] * 4


def test_a_refusal_names_the_scope_that_is_needed(settings: Settings, clock: ManualClock, file: TokenFile) -> None:
    """People see which token to make."""
    own = settings.model_copy(update={"data_dir": file.path.parent})
    token = file.add("reader", [Scope.READ], 0.0)

    answer = api(own, clock).test_client().post("/pump", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json["field"], answer.json["limit"]) == (403, "Authorization", "scope act")


def test_a_removed_token_is_unknown_from_the_next_request_on(
    settings: Settings, clock: ManualClock, file: TokenFile
) -> None:
    """Nothing has to be restarted, neither for a new one."""
    client = api(settings.model_copy(update={"data_dir": file.path.parent}), clock).test_client()
    token = file.add("script", [Scope.WRITE], 0.0)

    before = status(client, "PUT", "/thing", token)
    file.remove("script")

    assert (before, status(client, "PUT", "/thing", token)) == (200, 401)


def test_the_file_holds_hashes_and_is_for_its_owner_alone(file: TokenFile) -> None:
    """Who reads the file cannot use it; a file that others may read is refused."""
    token = file.add("grafana", [Scope.READ, Scope.WRITE], 1.0)

    assert token.encode() not in file.path.read_bytes()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.path.chmod(0o644)
    with pytest.raises(ConfigError, match="0600"):
        Tokens("service", file).scopes_of(token)


def test_a_file_that_cannot_be_used_stops_only_the_tokens_in_it(
    settings: Settings, clock: ManualClock, file: TokenFile
) -> None:
    """The services go on with their own token, and nobody hears where the file lies."""
    client = api(settings.model_copy(update={"data_dir": file.path.parent}), clock).test_client()
    token = file.add("script", [Scope.WRITE], 0.0)
    file.path.chmod(0o644)

    answer = client.put("/thing", headers={"Authorization": f"Bearer {token}"})

    assert status(client, "PUT", "/thing", "service-token") == 200
    assert answer.status_code == 503
    assert str(file.path.parent) not in answer.text


def test_impossible_tokens_are_refused(file: TokenFile) -> None:
    """By field and limit."""
    file.add("a", [Scope.READ], 0.0)

    with pytest.raises(ConflictError, match="remove it first"):
        file.add("a", [Scope.READ], 0.0)
    with pytest.raises(MessageError, match=r"^name: must be 1 to 60"):
        file.add("a b", [Scope.READ], 0.0)
    with pytest.raises(MessageError, match=r"^scopes: must be of read, write, act"):
        scopes_from("read,fly")
    assert not file.remove("b")


def test_wrong_tokens_are_slowed_down_per_address(settings: Settings, clock: ManualClock) -> None:
    """429 with Retry-After, also for a right one; other addresses are served; the wait ends."""
    client = api(settings, clock).test_client()
    statuses = [status(client, "PUT", "/thing", f"guess-{n}") for n in range(WRONG_TOKENS + 1)]

    answer = client.put(
        "/thing", headers={"Authorization": "Bearer service-token"}, environ_base={"REMOTE_ADDR": "203.0.113.5"}
    )
    other = status(client, "PUT", "/thing", "service-token", "203.0.113.6")
    clock.advance(GUESSES_WINDOW_S)

    assert statuses == [401] * WRONG_TOKENS + [429]
    assert (answer.status_code, answer.headers["Retry-After"], other) == (429, "300", 200)
    assert status(client, "PUT", "/thing", "service-token") == 200


def test_a_wrong_program_of_this_machine_does_not_lock_out_the_right_ones(
    settings: Settings, clock: ManualClock
) -> None:
    """All of them share one address."""
    client = api(settings, clock).test_client()
    wrong = [status(client, "PUT", "/thing", "wrong", "127.0.0.1") for _again in range(WRONG_TOKENS + 1)]

    assert wrong[-1] == 429
    assert status(client, "PUT", "/thing", "service-token", "127.0.0.1") == 200


def test_remembered_addresses_are_bounded(clock: ManualClock) -> None:
    """A crowd of guessers costs no memory."""
    guesses = Guesses(clock, own=3, everywhere=None)
    for number in range(5000):
        guesses.wrong(f"address-{number}")

    assert len(guesses._by_address) == 1000


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", 200),
        ("localhost:5001", 200),
        ("[::1]:5001", 200),
        ("plants.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:5001", 403),
        ("[", 403),
    ],
)
def test_a_service_on_loopback_answers_to_its_own_names_alone(
    settings: Settings, clock: ManualClock, host: str, expected: int
) -> None:
    """A page elsewhere cannot reach it by a name that it points at 127.0.0.1."""
    named = settings.model_copy(update={"flask_ai_url": "http://plants.example:5002"})
    server = server_for(api(named, clock), named, "http://127.0.0.1:0")
    server.start()
    try:
        answer = requests.get(f"http://127.0.0.1:{server.port}/thing", headers={"Host": host}, timeout=5)
    finally:
        server.stop()

    assert answer.status_code == expected
    if expected == 403:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["field"] == "Host"


@pytest.mark.parametrize(("method", "path", "expected"), [("DELETE", "/thing", 405), ("GET", "/nowhere", 404)])
def test_what_is_not_there_is_said_in_problem_json(
    settings: Settings, clock: ManualClock, method: str, path: str, expected: int
) -> None:
    """405 says what is allowed."""
    answer = api(settings, clock).test_client().open(
        path, method=method, headers={"Authorization": "Bearer service-token"}
    )  # fmt: skip

    assert (answer.status_code, answer.mimetype) == (expected, "application/problem+json")
    if expected == 405:
        assert answer.json["limit"] == answer.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"
