"""Who may see and do what: password login, session cookie, CSRF token, limit on guesses."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, redirect, request, session
from werkzeug.security import check_password_hash, generate_password_hash

from dt.utils.clock import Clock
from dt.utils.config import LOOPBACK, Settings
from dt.utils.guesses import Guesses
from dt.utils.http import Problem, json_response, request_object, too_many
from dt.utils.logger import get_logger
from dt.utils.secrets import ensure_secret, ensure_session_key

SESSION_LASTS = timedelta(hours=12)
_MAX_PASSWORD_CHARS = 1000
_OPEN_ENDPOINTS = frozenset({"login_page", "static", "session_state", "log_in", "health", "ready", "metrics"})

log = get_logger(__name__)


class Sessions:
    """The dashboard's sessions, and the decision whether a request needs one."""

    def __init__(self, settings: Settings, token: str, clock: Clock) -> None:
        public_host = urlsplit(settings.flask_dashboard_url).hostname or ""
        self.is_login_needed = not settings.is_loopback or public_host not in LOOPBACK
        self._hosts = None if not settings.is_loopback else LOOPBACK | {public_host}
        self._hash = password_hash(settings)
        self._token = token
        self._guesses = Guesses(clock)
        # A new password ends the sessions that the old one opened.
        self._of_password = hashlib.sha256(self._hash.encode()).hexdigest()[:16]

    def add_to(self, app: Flask, settings: Settings) -> None:
        """Add session pages and the check before every request."""
        app.config.update(
            SECRET_KEY=ensure_session_key(settings),
            SESSION_COOKIE_NAME="dt_session",
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Strict",
            SESSION_COOKIE_SECURE=settings.flask_dashboard_url.startswith("https:"),
            PERMANENT_SESSION_LIFETIME=SESSION_LASTS,
        )
        app.before_request(self._check)
        app.add_url_rule("/api/session", "session_state", self._state)
        app.add_url_rule("/api/login", "log_in", self._log_in, methods=["POST"])
        app.add_url_rule("/api/logout", "log_out", self._log_out, methods=["POST"])

    def refuses(self, app: Flask, environ: dict[str, Any]) -> int | None:
        """Return the status with which a live connection is refused, or None."""
        with app.request_context(environ):
            if not self._is_known_host():
                return 403
            return 401 if self.is_login_needed and not self.is_trusted() else None

    def is_trusted(self) -> bool:
        """Return whether the present request comes from who signed in or holds the token."""
        return self._is_signed_in() or self._has_token()

    def require_page(self) -> None:
        """Refuse a request that no page of this dashboard makes; whoever sees the page may make it."""
        if not self._has_token():
            self._require_csrf()

    def require_writer(self) -> None:
        """Refuse a writing request without login, or without its CSRF token."""
        if self._has_token():
            return
        if not self._is_signed_in():
            raise Problem(401, "Sign in first", "changing something needs the dashboard's password")
        self._require_csrf()

    def _check(self) -> Response | None:
        if not self._is_known_host():
            raise Problem(403, "Unknown host", f"this dashboard is not called {request.host}; set FLASK_DASHBOARD_URL")
        is_open = request.method == "OPTIONS" or request.endpoint in _OPEN_ENDPOINTS
        if not self.is_login_needed or is_open or self.is_trusted():
            return None
        if request.path.startswith("/api/"):
            raise Problem(401, "Sign in first", "this dashboard asks for its password")
        return redirect("/login")  # type: ignore[return-value]

    def _state(self) -> Response:
        session.permanent = True
        session.setdefault("csrf", secrets.token_urlsafe(24))
        return json_response(
            {"login_needed": self.is_login_needed, "signed_in": self._is_signed_in(), "csrf": session["csrf"]}
        )

    def _log_in(self) -> Response:
        self._require_csrf()
        address = request.remote_addr or "?"
        wait_s = self._guesses.wait_s(address)
        if wait_s > 0:
            raise too_many("passwords", wait_s)
        password = request_object().get("password")
        if not isinstance(password, str) or not 0 < len(password) <= _MAX_PASSWORD_CHARS:
            raise Problem(422, "Unusable field", "password: must be a text", field="password")
        if not check_password_hash(self._hash, password):
            self._guesses.wrong(address)
            log.warning("wrong dashboard password from %s", address)
            raise Problem(403, "Wrong password", "The password is not right.", field="password")
        self._guesses.right(address)
        session.clear()
        session["signed_in"] = self._of_password
        return self._state()

    def _log_out(self) -> Response:
        self._require_csrf()
        session.clear()
        return self._state()

    def _is_signed_in(self) -> bool:
        return hmac.compare_digest(str(session.get("signed_in", "")), self._of_password)

    def _has_token(self) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token.encode())

    def _require_csrf(self) -> None:
        given, known = request.headers.get("X-CSRF-Token", ""), session.get("csrf", "")
        if not known or not hmac.compare_digest(given.encode(), str(known).encode()):
            detail = "send X-CSRF-Token as GET /api/session gave it"
            raise Problem(403, "Wrong CSRF token", detail, field="X-CSRF-Token")

    def _is_known_host(self) -> bool:
        """A page elsewhere must not reach a loopback dashboard through a name that it points at 127.0.0.1."""
        if self._hosts is None:
            return True
        return urlsplit(f"//{request.host}").hostname in self._hosts


def password_hash(settings: Settings) -> str:
    """Return the hash of the dashboard's password; the first run makes a password and says where it lies."""
    if settings.dt_password_hash:
        return settings.dt_password_hash
    hash_file = settings.data_dir / "dt_password_hash"
    if not hash_file.exists():
        password_file = settings.data_dir / "dashboard_password"
        password = ensure_secret(password_file, lambda: secrets.token_urlsafe(12))
        ensure_secret(hash_file, lambda: generate_password_hash(password))
        log.info("the dashboard's password is in %s", password_file)
    return ensure_secret(hash_file, lambda: "")
