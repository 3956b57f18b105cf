"""The page itself and its static files, compressed once, under a strict content security policy."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import threading
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.security import safe_join

HERE = Path(__file__).parent
STATIC = HERE / "static"
# Plotly sets the style attribute of SVG nodes, hence style-src-attr; its style sheet is vendored as a file.
SECURITY_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_COMPRESSED_FROM_BYTES = 1024
_TEXT = frozenset({"text/javascript", "text/css", "application/json", "image/svg+xml", "text/markdown", "text/plain"})
# Whatever the machine's own tables say.
_TYPES = {".js": "text/javascript", ".md": "text/markdown", ".LICENSE": "text/plain"}


@dataclass(frozen=True, slots=True)
class _File:
    modified_ns: int
    mimetype: str
    etag: str
    plain: bytes
    gzipped: bytes | None


class StaticFiles:
    """The files under one folder; each is read and compressed when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, _File] = {}
        self._lock = threading.Lock()

    def answer(self, filename: str) -> Response:
        """Return a file, compressed for who takes it; 304 when the browser has it, 404 when there is none."""
        found = self._file(filename)
        is_gzipped = found.gzipped is not None and "gzip" in request.headers.get("Accept-Encoding", "")
        response = Response(found.gzipped if is_gzipped else found.plain, mimetype=found.mimetype)
        if is_gzipped:
            response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(f"{found.etag}{'-gz' if is_gzipped else ''}")
        response.make_conditional(request)
        return response

    def _file(self, filename: str) -> _File:
        path = safe_join(str(self._folder), filename)
        if path is None or not Path(path).is_file():
            abort(404)
        modified_ns = Path(path).stat().st_mtime_ns
        with self._lock:
            known = self._known.get(path)
            if known is None or known.modified_ns != modified_ns:
                known = self._known[path] = _read(Path(path), modified_ns)
        return known


def pages() -> Blueprint:
    """Return the routes of the page and the login form."""
    blueprint = Blueprint("pages", __name__, template_folder=str(HERE / "templates"))
    components = sorted(path.stem for path in (STATIC / "js" / "components").glob("*.css"))

    @blueprint.get("/")
    def index() -> Response:
        return _html(render_template("index.html", components=components))

    @blueprint.get("/favicon.ico")
    def icon() -> Response:
        return redirect("/static/leaf.svg", 301)  # type: ignore[return-value]

    return blueprint


def login_page() -> Response:
    """Return the page that asks for the password."""
    return _html(render_template("login.html"))


def add_security_headers(response: Response) -> Response:
    """Set what keeps foreign pages and scripts out."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _html(text: str) -> Response:
    response = Response(text, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response


def _read(path: Path, modified_ns: int) -> _File:
    plain = path.read_bytes()
    mimetype = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_compressed = mimetype in _TEXT and len(plain) >= _COMPRESSED_FROM_BYTES
    return _File(
        modified_ns,
        mimetype,
        hashlib.sha256(plain).hexdigest()[:20],
        plain,
        gzip.compress(plain, 6, mtime=0) if is_compressed else None,
    )
