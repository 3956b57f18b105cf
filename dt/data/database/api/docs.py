"""`/openapi.json`, and `/docs` to try it: Swagger UI, vendored, so that it works without a network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
from flask import Flask, Response

from dt.data.database.api.described import Media, described
from dt.utils.http import open_to_all
from dt.utils.static_files import StaticFiles

_STATIC = Path(__file__).parents[1] / "static"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plant Twin: REST of the database service</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/vendor/swagger-ui.css">
<link rel="stylesheet" href="docs/docs.css">
<script src="docs/theme.js"></script>
<script src="docs/vendor/swagger-ui-bundle.js" defer></script>
<script src="docs/docs.js" defer></script>
</head>
<body>
<main id="docs"></main>
<noscript>This page needs JavaScript; the document itself is openapi.json.</noscript>
</body>
</html>
"""
# Swagger UI draws its icons from data URLs and sets style attributes.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_docs(app: Flask) -> None:
    """Add the document and its page."""
    from dt.data.database.api.openapi import document_of  # spectree is loaded with the first app, not with the module

    text = _Once(lambda: msgspec.json.encode(document_of(app)))
    files = StaticFiles(_STATIC)

    @app.get("/openapi.json")
    @open_to_all
    @described("service", {200: Media(kind="application/json")})
    def document() -> Response:
        """Return this document."""
        return Response(text.value(), mimetype="application/json")

    @app.get("/docs")
    @open_to_all
    @described("service", {200: Media(kind="text/html")})
    def docs() -> Response:
        """Return the page to try it."""
        response = Response(_PAGE, mimetype="text/html")
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    _describe_health(app)

    @app.get("/docs/<path:filename>")
    @open_to_all
    def docs_static(filename: str) -> Response:
        return files.answer(filename)


def _describe_health(app: Flask) -> None:
    report = Media(kind="application/json")
    described("service", {200: report})(app.view_functions["health"]).__doc__ = "Return how the service does."
    ready = described("service", {200: report, 503: report})(app.view_functions["ready"])
    ready.__doc__ = "Return whether the service is ready, and what it waits for: 503 until then."
    metrics = described("service", {200: Media(kind="text/plain")})(app.view_functions["metrics"])
    metrics.__doc__ = "Return counters for Prometheus."


class _Once:
    """A value that is made when it is first asked for."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: bytes | None = None

    def value(self) -> bytes:
        with self._lock:
            value = self._value = self._make() if self._value is None else self._value
            return value
