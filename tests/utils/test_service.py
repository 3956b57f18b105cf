"""The life cycle and the HTTP server that every service uses."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
import requests

from dt.utils.config import Settings, load_settings
from dt.utils.exceptions import ConflictError, MessageError, StorageError
from dt.utils.http import MAX_BODY_BYTES, Problem, create_api, json_response, reads_only, request_object
from dt.utils.http_server import HttpServer, health_app
from dt.utils.service import Service

TOKEN = {"Authorization": "Bearer test-token"}


class Counting(Service):
    """Opens two things and remembers how they were closed."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.closed: list[str] = []
        self.opened = 0

    def on_start(self) -> None:
        self.opened += 1
        self.closing("first", lambda: self.closed.append("first"))
        self.closing("broken", self._fail)
        self.closing("last", lambda: self.closed.append("last"))

    def _fail(self) -> None:
        msg = "cannot close"
        raise OSError(msg)


def test_a_service_closes_in_reverse_and_survives_a_failure() -> None:
    """What is broken does not keep the rest open."""
    service = Counting()

    service.start()
    service.start()
    service.stop()
    service.stop()

    assert service.opened == 1
    assert service.closed == ["last", "first"]


def test_a_service_that_cannot_start_closes_what_it_opened() -> None:
    """No half-started service stays behind."""

    class Failing(Counting):
        def on_start(self) -> None:
            super().on_start()
            raise StorageError("no disk")

    service = Failing()

    with pytest.raises(StorageError):
        service.start()

    assert service.closed == ["last", "first"]
    assert service.ready() == "not started"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_service_in_order(number: signal.Signals) -> None:
    """A real process, a real signal, exit code 0, closers run."""
    program = (
        "from dt.utils.service import Service, run_service\n"
        "class S(Service):\n"
        "    def on_start(self):\n"
        "        self.closing('x', lambda: print('closed', flush=True)); print('up', flush=True)\n"
        "raise SystemExit(run_service(S('s')))\n"
    )
    environment = {**os.environ, "LOG_DIR": os.devnull + "/none"}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        while "up" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        out, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert "closed" in out


@pytest.fixture
def base_url(settings: Settings) -> Iterator[str]:
    """Serve an API with pages that fail in every way."""
    service = Counting()
    app = create_api(service, settings, "test-token")
    app.add_url_rule("/write", "write", lambda: json_response(request_object()), methods=["POST"])
    app.add_url_rule("/ask", "ask", reads_only(lambda: json_response([1])), methods=["POST"])
    app.add_url_rule("/fail/<what>", "fail", _fail)
    server = HttpServer(app, "127.0.0.1", 0)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def _fail(what: str) -> None:
    raise {
        "field": MessageError("value", "must be a number"),
        "conflict": ConflictError("another one is there"),
        "busy": StorageError("disk full"),
        "problem": Problem(418, "Teapot", "short and stout", field="spout"),
    }.get(what, RuntimeError("secret inside"))


def test_writing_needs_the_token_and_reading_on_loopback_does_not(base_url: str) -> None:
    """No token and a wrong one are refused with 401."""
    assert requests.post(f"{base_url}/write", json={}, timeout=5).status_code == 401
    assert (
        requests.post(f"{base_url}/write", json={}, headers={"Authorization": "Bearer no"}, timeout=5).status_code
        == 401
    )
    assert requests.post(f"{base_url}/write", json={"a": 1}, headers=TOKEN, timeout=5).json() == {"a": 1}
    assert requests.post(f"{base_url}/ask", timeout=5).json() == [1]


def test_beyond_loopback_reading_needs_the_token_too(settings: Settings) -> None:
    """Health pages alone stay open."""
    public = load_settings(env_file=None, data_dir=settings.data_dir, bind_host="0.0.0.0")
    app = create_api(Counting(), public, "test-token")
    app.add_url_rule("/data", "data", lambda: json_response([1]))
    client = app.test_client()

    assert client.get("/data").status_code == 401
    assert client.get("/data", headers=TOKEN).status_code == 200
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        ("field", 422, ("value", "must be a number")),
        ("conflict", 409, ("another one",)),
        ("busy", 503, ("disk full",)),
        ("problem", 418, ("spout",)),
    ],
)
def test_errors_are_problem_json(base_url: str, what: str, status: int, words: tuple[str, ...]) -> None:
    """RFC 9457: type, title, status, detail, and the field."""
    answer = requests.get(f"{base_url}/fail/{what}", timeout=5)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert all(word in answer.text for word in words)


def test_an_unexpected_error_tells_nothing_of_the_inside(base_url: str) -> None:
    """500 without the exception's words."""
    answer = requests.get(f"{base_url}/fail/other", timeout=5)

    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_a_body_over_the_limit_is_refused(base_url: str) -> None:
    """9 MB are too much, and the connection says so."""
    answer = requests.post(f"{base_url}/write", data=b"x" * 9_000_000, headers=TOKEN, timeout=10)

    assert answer.status_code == 413
    assert answer.json()["limit"] == MAX_BODY_BYTES


def test_cors_is_closed_by_default_and_opens_by_setting(settings: Settings) -> None:
    """Only a named origin is let in."""
    origin = {"Origin": "https://garden.example"}
    opened = load_settings(env_file=None, data_dir=settings.data_dir, cors_origins="https://garden.example")

    closed_answer = create_api(Counting(), settings, "t").test_client().get("/health", headers=origin)
    open_answer = create_api(Counting(), opened, "t").test_client().get("/health", headers=origin)

    assert "Access-Control-Allow-Origin" not in closed_answer.headers
    assert open_answer.headers["Access-Control-Allow-Origin"] == "https://garden.example"


def test_health_pages_work_without_flask() -> None:
    """Small services serve the same three pages."""
    server = HttpServer(health_app(Counting()), "127.0.0.1", 0)
    server.start()
    base = f"http://127.0.0.1:{server.port}"
    try:
        assert requests.get(f"{base}/health", timeout=5).json()["service"] == "counting"
        assert requests.get(f"{base}/ready", timeout=5).status_code == 503
        assert "dt_up" in requests.get(f"{base}/metrics", timeout=5).text
        assert requests.get(f"{base}/else", timeout=5).status_code == 404
    finally:
        server.stop()


def test_a_taken_port_is_named() -> None:
    """The error says which address."""
    server = HttpServer(health_app(Counting()), "127.0.0.1", 0)
    server.start()
    try:
        with pytest.raises(OSError, match=f"127.0.0.1:{server.port}"):
            HttpServer(health_app(Counting()), "127.0.0.1", server.port).start()
    finally:
        server.stop()


def test_a_stopped_server_leaves_no_thread(eventually: Callable[..., None]) -> None:
    """Also while a client holds its connection open, the process can end."""
    server = HttpServer(health_app(Counting()), "127.0.0.1", 0)
    server.start()
    session = requests.Session()
    session.get(f"http://127.0.0.1:{server.port}/health", timeout=5)
    before = time.monotonic()

    server.stop()

    assert time.monotonic() - before < 4.0
    eventually(lambda: not any(thread.name.startswith("http ") for thread in threading.enumerate()), "the server ended")
    session.close()


def test_a_stopped_server_closes_every_connection(eventually: Callable[..., None]) -> None:
    """Idle, half-open and busy ones: the other end sees the end, and no socket is left for the garbage collector."""
    entered, leave = threading.Event(), threading.Event()

    def app(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
        entered.set()
        leave.wait(5.0)
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    server = HttpServer(app, "127.0.0.1", 0)
    server.start()
    silent, busy = (socket.create_connection(("127.0.0.1", server.port), 10.0) for _ in range(2))
    busy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert entered.wait(5.0)

    server.stop()
    leave.set()

    with silent, busy:
        assert silent.recv(1) == b""
        assert busy.recv(1) == b""
    eventually(lambda: gc.collect() >= 0 and not _open_server_sockets(server.port), "all sockets are closed")


def _open_server_sockets(port: int) -> list[object]:
    return [
        entry
        for entry in psutil.Process().net_connections("tcp4")
        if entry.laddr and entry.laddr.port == port and entry.fd >= 0
    ]


def test_a_deeply_nested_body_is_the_clients_fault(base_url: str) -> None:
    """200,000 brackets are refused with 422, and the service goes on."""
    answer = requests.post(f"{base_url}/write", data=b"[" * 200_000, headers=TOKEN, timeout=10)

    assert answer.status_code == 422
    assert answer.json()["field"] == "$"


def test_sighup_reads_again_and_ends_nothing() -> None:
    """Also twice, and when what it does fails."""
    code = (
        "import os, signal, threading\n"
        "from dt.utils.service import stopping_on_signals\n"
        "stop, heard = threading.Event(), threading.Semaphore(0)\n"
        "def again():\n    heard.release()\n    raise ValueError('bad rig')\n"
        "with stopping_on_signals(stop, again):\n"
        "    for _ in range(2):\n"
        "        os.kill(os.getpid(), signal.SIGHUP)\n        assert heard.acquire(timeout=5)\n"
        "    assert not stop.is_set()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    assert stop.wait(5)\n"
        "print('ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ended"), done.stderr
