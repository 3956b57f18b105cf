"""The client of the database service: against the service itself, and against servers that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response

from dt.communication.database_api import DatabaseApiClient
from dt.utils.dataclasses import DBIdQuery, DBTimestampQuery
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError
from dt.utils.http_server import HttpServer

Answers = list[tuple[int, bytes]]
QUERY = DBIdQuery(sensor_id="s")


class Scripted:
    """A server that gives prepared answers, the last one for ever, and counts."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.paths: list[str] = []
        app = Flask(__name__)
        for method in ("GET", "POST"):
            app.add_url_rule("/<path:path>", method, self._answer, methods=[method])
        self.server = HttpServer(app, "127.0.0.1", 0, threads=2)

    def _answer(self, path: str) -> Response:
        self.paths.append(path)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(body, status, mimetype="application/json")


@pytest.fixture
def scripted() -> Iterator[Callable[..., tuple[DatabaseApiClient, Scripted]]]:
    """Return a maker of clients with such a server."""
    made: list[tuple[DatabaseApiClient, Scripted]] = []

    def make(*answers: tuple[int, bytes]) -> tuple[DatabaseApiClient, Scripted]:
        server = Scripted(list(answers))
        server.server.start()
        client = DatabaseApiClient(f"http://127.0.0.1:{server.server.port}", "t", pause=lambda _s: None)
        made.append((client, server))
        return made[-1]

    yield make
    for client, server in made:
        client.close()
        server.server.stop()


def test_read_is_tried_again_after_a_failure(scripted: Any) -> None:
    """A service that restarts costs a moment, not an error."""
    client, server = scripted((503, b"{}"), (500, b"no"), (200, b"[]"))

    assert client.query_id(QUERY) == []
    assert len(server.paths) == 3


def test_read_gives_up_after_three_attempts(scripted: Any) -> None:
    """The error is retriable: later may be better."""
    client, server = scripted((503, b'{"detail": "the disk is full"}'))

    with pytest.raises(RemoteServiceError, match="the disk is full") as failed:
        client.query_id(QUERY)

    assert failed.value.retriable
    assert len(server.paths) == 3


def test_refusal_carries_its_problem_and_is_not_repeated(scripted: Any) -> None:
    """The service understood and said no."""
    client, server = scripted((422, b'{"detail": "limit: too much", "field": "limit"}'))

    with pytest.raises(RefusedRequestError, match="limit: too much") as refused:
        client.query_id(QUERY)

    assert (refused.value.status, refused.value.problem["field"]) == (422, "limit")
    assert len(server.paths) == 1


def test_write_is_sent_once(scripted: Any) -> None:
    """Only the caller knows whether a write may be repeated."""
    client, server = scripted((500, b"{}"))

    with pytest.raises(RemoteServiceError):
        client._send("POST", "bind_sensor", {})

    assert len(server.paths) == 1


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff", b'["\xff"]'])
def test_answer_that_is_no_json_is_a_failure_of_the_service(scripted: Any, body: bytes) -> None:
    """A proxy's page is no list of readings."""
    client, _server = scripted((200, body))

    with pytest.raises(RemoteServiceError, match="no JSON"):
        client.query_id(QUERY)


def test_service_that_is_away_is_a_remote_error() -> None:
    """Nothing listens on port 9 of loopback."""
    query = DBTimestampQuery.from_dict({"data_type": "vpd", "since": 0, "until": 1})

    with DatabaseApiClient("http://127.0.0.1:9", pause=lambda _s: None) as client, pytest.raises(RemoteServiceError):
        client.query_timestamp(query)


def test_an_export_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    """The server closes the connection without the last piece; half a file would look whole."""
    app = Flask(__name__)

    def half() -> Iterator[bytes]:
        yield b"time,value\r\n" * 1000
        raise OSError

    app.add_url_rule("/export.csv", "export", lambda: Response(half(), mimetype="text/csv"))
    server = HttpServer(app, "127.0.0.1", 0, threads=2)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        with DatabaseApiClient(url) as client, pytest.raises(RemoteServiceError, match="broke off"):
            client.export_to(tmp_path / "out.csv", "csv")
    finally:
        server.stop()

    assert list(tmp_path.iterdir()) == []


def test_what_is_not_installed_is_not_asked_again(scripted: Any) -> None:
    """501 stays 501; the problem says what to install."""
    client, server = scripted((501, b'{"detail": "make install-db"}'))

    with pytest.raises(RefusedRequestError, match="make install-db"):
        list(client.export("parquet"))

    assert len(server.paths) == 1
