"""Who may ask for what of a REST service: bearer tokens with scopes, and a limit on wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, request

from dt.utils.clock import Clock
from dt.utils.config import LOOPBACK, Settings
from dt.utils.exceptions import ConfigError
from dt.utils.guesses import Guesses
from dt.utils.logger import get_logger
from dt.utils.problems import Problem
from dt.utils.tokens import TOKEN_FILE, Scope, TokenFile, Tokens

WRONG_TOKENS = 10  # from one address, within the window of the guesses
_OPEN_PATHS = frozenset({"/health", "/ready", "/metrics"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_View = TypeVar("_View", bound=Callable[..., Any])

log = get_logger(__name__)


def reads_only(view: _View) -> _View:
    """Mark a POST that only asks, so that it needs no token on loopback."""
    view.scope = Scope.READ  # type: ignore[attr-defined]
    return view


def acts(view: _View) -> _View:
    """Mark a view by which something moves in the real world: it needs the scope `act`."""
    view.scope = Scope.ACT  # type: ignore[attr-defined]
    return view


def writes_or_acts(view: _View) -> _View:
    """Mark a view that any token may ask for but one that only reads."""
    view.scope = None  # type: ignore[attr-defined]
    return view


def open_to_all(view: _View) -> _View:
    """Mark a view that tells nothing but how the API is used: no token is ever asked for."""
    view.is_open = True  # type: ignore[attr-defined]
    return view


def scope_of(view: Any, method: str) -> Scope | None:
    """Return the scope that a view needs; None: write or act."""
    view = getattr(view, "__func__", view)
    found: Scope | None = getattr(view, "scope", Scope.READ if method in _READS else Scope.WRITE)
    return found


class Access:
    """The check before every request of a service."""

    def __init__(self, settings: Settings, token: str, clock: Clock) -> None:
        self._tokens = Tokens(token, TokenFile(settings.data_dir / TOKEN_FILE))
        self._guesses = Guesses(clock, WRONG_TOKENS, None)
        self._is_loopback = settings.is_loopback

    def add_to(self, app: Flask) -> None:
        """Let every request of an app be checked."""
        app.before_request(lambda: self.check(app.view_functions.get(request.endpoint or "")))

    def check(self, view: Any) -> None:
        """Refuse the present request with 401, 403 or 429, or let it pass."""
        needed = scope_of(view, request.method)
        is_open = request.path in _OPEN_PATHS or request.method == "OPTIONS" or getattr(view, "is_open", False)
        if is_open or (needed is Scope.READ and self._is_loopback):
            return
        scopes = self._scopes()
        is_enough = needed in scopes if needed else bool(scopes - {Scope.READ})
        if not is_enough:
            limit = f"scope {needed or 'write or act'}"
            detail = f"this token has {', '.join(sorted(scopes))}, and {limit} is needed"
            raise Problem(403, "Not allowed", detail, field="Authorization", limit=limit)

    def _scopes(self) -> frozenset[Scope]:
        address = request.remote_addr or "?"
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise _token_needed()
        wait_s = self._guesses.wait_s(address)
        # All programs of this machine share one address: a wrong one of them must not lock out the right ones.
        if wait_s > 0 and address not in LOOPBACK:
            raise too_many("tokens", wait_s)
        scopes = self._scopes_of(given.strip())
        if scopes is not None:
            return scopes
        if wait_s > 0:
            raise too_many("tokens", wait_s)
        self._guesses.wrong(address)
        log.warning("wrong token from %s", address)
        raise _token_needed()

    def _scopes_of(self, token: str) -> frozenset[Scope] | None:
        try:
            return self._tokens.scopes_of(token)
        except ConfigError as error:  # it names a path, which is for the log alone
            log.error("only the service's own token is known: %s", error)  # noqa: TRY400
            detail = "the further tokens cannot be read; the service's log says why"
            raise Problem(503, "Not available", detail, field="Authorization") from error


def too_many(of_what: str, wait_s: float) -> Problem:
    """Return the problem of who guessed too often."""
    minutes = max(1, round(wait_s / 60))
    detail = f"Too many wrong {of_what}; try again in {minutes} min."
    return Problem(429, "Too many tries", detail, retry_after_s=max(1, round(wait_s)))


def _token_needed() -> Problem:
    return Problem(401, "Token needed", "send the header `Authorization: Bearer <token>`", field="Authorization")
