"""An HTTP server inside the process, and health pages, for services of every size: no Flask is loaded here."""

from __future__ import annotations

import contextlib
import logging
import selectors
import signal
import socket
import struct
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from gunicorn.config import Config as GunicornConfig
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.workers.gthread import ThreadWorker
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dt.utils.config import Settings
from dt.utils.precedence import Precedence
from dt.utils.service import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class HttpServer:
    """Gunicorn's threaded worker in a thread of this process: one life cycle, web sockets included."""

    def __init__(
        self, app: WSGIApplication, host: str, port: int, threads: int = 8, precedence: Precedence | None = None
    ) -> None:
        self._app = app
        self._precedence = precedence or Precedence()
        self._address = (host, port)
        self._threads = threads
        self._worker: _Worker | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Return the port that is listened on, also when 0 was asked for."""
        return self._address[1]

    def start(self) -> None:
        """Listen; raises OSError that names the address when it is taken."""
        listener = _listen(*self._address)
        self._address = (self._address[0], listener.getsockname()[1])
        config = GunicornConfig()
        for name, value in {
            "threads": self._threads,
            "keepalive": 15,
            "worker_connections": max(1000, 4 * self._threads),
            "graceful_timeout": 1,
            "umask": 0o077,
        }.items():
            config.set(name, value)
        self._worker = _Worker(self._precedence, 0, 0, [listener], _Holder(self._app), 0, config, _Log(config))
        self._thread = threading.Thread(target=self._worker.serve, name=f"http {self.port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and end; requests under way get a second."""
        if self._worker is not None and self._thread is not None:
            self._worker.leave()
            self._thread.join(3.0)
            self._worker = self._thread = None


def server_for(
    app: WSGIApplication, settings: Settings, url: str, threads: int = 8, precedence: Precedence | None = None
) -> HttpServer:
    """Return a server for a service's own URL: its port, on BIND_HOST; on loopback known names alone."""
    port = urlsplit(url).port
    if settings.own_hosts is not None:
        app = known_hosts(app, settings.own_hosts)
    return HttpServer(app, settings.bind_host, 80 if port is None else port, threads, precedence)


class known_hosts:  # noqa: N801 - a WSGI callable around another
    """Refuses requests by strange names: a page elsewhere must not reach loopback by a name that it points there."""

    def __init__(self, app: WSGIApplication, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass a request on, or answer 403."""
        host = environ.get("HTTP_HOST")
        if host is None or _name_of(host) in self._hosts:
            return self._app(environ, start_response)
        detail = f"this service is not called {host[:200]}; its address is in the FLASK_..._URL settings"
        problem = {"type": "about:blank", "title": "Unknown host", "status": 403, "detail": detail, "field": "Host"}
        body = msgspec.json.encode(problem)
        headers = [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body)))]
        start_response("403 Forbidden", headers)
        return [body]


class health_app:  # noqa: N801 - a WSGI callable without Flask, for services that have no other pages
    """Serves the three health pages."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        status, content_type, body = self._answer(environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "GET"))
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, path: str, method: str) -> tuple[str, str, bytes]:
        if method not in {"GET", "HEAD"}:
            return "405 Method Not Allowed", "application/problem+json", b'{"title":"Method Not Allowed","status":405}'
        if path == "/health":
            return "200 OK", "application/json", msgspec.json.encode(self._service.report())
        if path == "/ready":
            body, code = readiness(self._service)
            return ("200 OK" if code == 200 else "503 Waiting"), "application/json", msgspec.json.encode(body)
        if path == "/metrics":
            return "200 OK", CONTENT_TYPE_LATEST, generate_latest(self._service.metrics)
        return "404 Not Found", "application/problem+json", b'{"title":"Not Found","status":404}'


def let_go_of_stalled(environ: Mapping[str, Any], after_s: int) -> None:
    """Close a request's connection when its client takes nothing of the answer for so long; a slow one may go on."""
    connection = environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):  # a test client has none
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", after_s, 0))


def readiness(service: Service) -> tuple[dict[str, object], int]:
    """Return the body of `GET /ready` and its status."""
    waits_for = service.ready()
    return {"service": service.name, "ready": waits_for is None, "why": waits_for or ""}, 503 if waits_for else 200


def _name_of(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # brackets that do not close
        return None


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    listener.listen(512)
    listener.setblocking(False)
    return listener


class _Holder:
    """What gunicorn's worker asks of its application object."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def wsgi(self) -> WSGIApplication:
        return self._app


class _Log(GunicornLogger):  # type: ignore[misc]
    """Gunicorn's messages in our own log."""

    def setup(self, cfg: GunicornConfig) -> None:
        self.error_log = logging.getLogger("dt.http")
        self.access_log = logging.getLogger("dt.http.access")
        self.cfg = cfg

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if isinstance(sys.exc_info()[1], BlockingIOError):  # what a send gives up with
            self.error_log.info("a client took nothing of its answer for too long, and was let go")
        else:
            super().exception(msg, *args, **kwargs)


class _Worker(ThreadWorker):  # type: ignore[misc]
    """The threaded worker without its parent process: no signals, no heartbeat file."""

    def __init__(self, precedence: Precedence, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._precedence = precedence
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._busy: set[Any] = set()
        self._is_over = False
        self._lock = threading.Lock()
        self.tpool = self.get_thread_pool()
        self.poller = selectors.DefaultSelector()
        self.method_queue.init()
        self.wsgi: Any = self.app.wsgi()

    def serve(self) -> None:
        """Run until `leave`, then cut what is still connected, so that no thread and no socket stays behind."""
        self.run()
        with self._lock:
            self._is_over = True
            busy = list(self._busy)
            idle = [connection for connection in self._known if connection not in self._busy]
        for connection in busy:  # its own thread closes it
            with contextlib.suppress(OSError):  # already gone
                connection.sock.shutdown(socket.SHUT_RDWR)
        for connection in idle:
            connection.close()
        self.tmp.close()

    def leave(self) -> None:
        """Let `serve` end."""
        self.handle_exit(signal.SIGTERM, None)

    def enqueue_req(self, conn: Any) -> None:
        self._known.add(conn)
        self._precedence.begin(conn)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        with self._lock:
            self._busy.add(conn)
        try:
            return super().handle(conn)
        finally:
            self._precedence.end(conn)
            with self._lock:
                self._busy.discard(conn)
                is_over = self._is_over
            if is_over:
                conn.close()

    def notify(self) -> None:
        """No parent waits for a sign of life."""

    def is_parent_alive(self) -> bool:
        return True
