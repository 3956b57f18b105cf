"""The browsers' end of the live feed: Socket.IO connections, their limit, and what is sent to them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec
import socketio
from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI
from engineio.packet import MESSAGE, Packet
from flask import Flask, request
from flask_socketio import SocketIO
from simple_websocket import ConnectionClosed

from dt.utils.clock import Clock
from dt.utils.logger import get_logger
from dt.webapp.outbox import Item, Outbox
from dt.webapp.realtime_store import RealtimeStore
from dt.webapp.relay import NAMESPACES

SOCKET_PATH = "/socket.io/"
_PING_EVERY_S = 15
_PONG_WITHIN_S = 10
_SILENT_FOR_MS = 20_000  # a peer that takes no data for so long is cut off by the kernel
_MAX_FROM_BROWSER_BYTES = 16_384

log = get_logger(__name__)


class Browsers:
    """All connected browsers; owns the real-time store's sending."""

    def __init__(self, app: Flask, clock: Clock, limit: int, origins: Sequence[str]) -> None:
        self.limit = limit
        self.store = RealtimeStore(clock, self._send, self._is_idle)
        self._socketio = SocketIO(
            app,
            async_mode="threading",
            client_manager=_Acknowledgements(self.store.acknowledge),
            **_origins(origins),
            manage_session=False,
            always_connect=True,  # the answer to CONNECT precedes the first value
            ping_interval=_PING_EVERY_S,
            ping_timeout=_PONG_WITHIN_S,
            max_http_buffer_size=_MAX_FROM_BROWSER_BYTES,
        )
        self._server: socketio.Server = self._socketio.server  # pyright: ignore[reportAttributeAccessIssue]
        self._server.eio._async = {**self._server.eio._async, "websocket": _WebSocket}
        for namespace in ("/", *NAMESPACES):
            self._welcome(namespace)

    @property
    def connected(self) -> int:
        """Return how many connections there are."""
        return sum(not connection.closed for connection in list(self._server.eio.sockets.values()))

    def start(self) -> None:
        """Send values from now on."""
        self.store.start()

    def stop(self) -> None:
        """End the sending and the watch over silent connections."""
        self.store.stop()
        self._server.shutdown()

    def _welcome(self, namespace: str) -> None:
        self._socketio.on_event("connect", lambda *_auth: self.store.connect(namespace, _sid()), namespace)
        self._socketio.on_event("disconnect", lambda *_reason: self.store.disconnect(_sid()), namespace)

    def _send(self, outbox: Outbox, items: Sequence[Item]) -> None:
        transport = self._server.manager.eio_sid_from_sid(outbox.sid, outbox.namespace)
        if transport is None:
            return
        last = len(items) - 1
        try:
            for number, item in enumerate(items):
                text = item.packet(outbox.namespace, is_last=number == last)
                self._server.eio.send_packet(transport, Packet(MESSAGE, data=text))
        except Exception as error:  # noqa: BLE001 - whatever one connection dies of must not reach the others
            log.debug("browser %s is gone: %s", outbox.sid, error)
            self.store.disconnect(outbox.sid)

    def _is_idle(self, outbox: Outbox) -> bool:
        transport = self._server.manager.eio_sid_from_sid(outbox.sid, outbox.namespace)
        connection = self._server.eio.sockets.get(transport)
        return connection is not None and bool(connection.queue.empty())


class _WebSocket(SimpleWebSocketWSGI):  # type: ignore[misc]
    """A web socket that may be closed after the other end, or the server, has closed it already."""

    def close(self) -> None:
        """Say goodbye where there is still someone to hear it."""
        with contextlib.suppress(OSError, ConnectionClosed):
            super().close()


class _Acknowledgements(socketio.Manager):  # type: ignore[misc]
    """Hears the acknowledgement of id 0, which ends every batch; other ids are python-socketio's own, from 1 on."""

    def __init__(self, on_acknowledged: Callable[[str], None]) -> None:
        super().__init__()
        self._on_acknowledged = on_acknowledged

    def trigger_callback(self, sid: str, id: int, data: list[Any]) -> None:  # noqa: A002 - the base's name
        """Pass the acknowledgement on."""
        if id == 0:
            self._on_acknowledged(sid)
        else:
            super().trigger_callback(sid, id, data)


class Gate:
    """WSGI in front of everything: who may open a live connection, and how many of them there are."""

    def __init__(
        self, app: Callable[..., Iterable[bytes]], browsers: Browsers, refuses: Callable[[dict[str, Any]], int | None]
    ) -> None:
        self._app = app
        self._browsers = browsers
        self._refuses = refuses

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if not environ.get("PATH_INFO", "").startswith(SOCKET_PATH):
            return self._app(environ, start_response)
        status = self._refuses(environ)
        if status is not None:
            return _problem(start_response, status, "Sign in first" if status == 401 else "Unknown host")
        if _is_new(environ) and self._browsers.connected >= self._browsers.limit:
            limit = self._browsers.limit
            return _problem(start_response, 503, f"all {limit} live connections are taken; ask /api/live")
        _prepare(environ)
        return self._app(environ, start_response)


def _origins(origins: Sequence[str]) -> dict[str, Any]:
    """Without any, Socket.IO lets in the page's own origin alone; an empty list would let in all."""
    return {"cors_allowed_origins": list(origins)} if origins else {}


def _sid() -> str:
    return str(request.sid)  # type: ignore[attr-defined]


def _is_new(environ: dict[str, Any]) -> bool:
    return "sid" not in parse_qs(environ.get("QUERY_STRING", ""))


def _prepare(environ: dict[str, Any]) -> None:
    # Compressing every small frame anew for every client would cost more than it saves.
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    connection = environ.get("gunicorn.socket")
    if connection is not None and environ.get("HTTP_UPGRADE"):
        with contextlib.suppress(OSError, AttributeError):  # not every system has the option
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_FOR_MS)


_TITLES = {401: "401 Unauthorized", 403: "403 Forbidden", 503: "503 Service Unavailable"}


def _problem(start_response: Callable[..., Any], status: int, detail: str) -> Iterable[bytes]:
    title = _TITLES[status]
    body = msgspec.json.encode({"type": "about:blank", "title": title[4:], "status": status, "detail": detail})
    headers = [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body)))]
    if status == 503:
        headers.append(("Retry-After", "15"))
    start_response(title, headers)
    return [body]
