"""The page itself and its static files, compressed once, under a strict content security policy."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, redirect, render_template

from dt.utils.static_files import StaticFiles

__all__ = ["STATIC", "StaticFiles", "add_security_headers", "login_page", "pages"]

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
