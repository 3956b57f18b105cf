"""Servers that notices go to: a webhook by HTTP and a mail server by SMTP, on free ports of this machine."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """Takes POSTs and keeps them; answers with `status` until told otherwise."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        self.port = 0

    @contextmanager
    def serving(self) -> Iterator[Webhook]:
        """Serve until the block ends."""
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.paths.append(self.path)
                if hook.status == 200:
                    hook.taken.append(json.loads(body))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_address[1]
            yield from _serving(server, self)


class MailServer:
    """Speaks as much SMTP (RFC 5321) as a client needs to hand over a message, and keeps the messages."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.port = 0

    @contextmanager
    def serving(self) -> Iterator[MailServer]:
        """Serve until the block ends."""
        mails = self.mails

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 here ESMTP")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self._say("354 go on")
                        mails.append(message_from_bytes(self._data(), policy=policy.default))
                    elif verb == b"QUIT":
                        self._say("221 bye")
                        return
                    self._say("250 ok")

            def _data(self) -> bytes:
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line.removeprefix(b"."))
                return b"".join(lines)

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_address[1]
            yield from _serving(server, self)


def _serving(server: socketserver.BaseServer, given: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield given
    finally:
        server.shutdown()
        thread.join()
