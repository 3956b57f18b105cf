"""Sending by apprise: mail, ntfy, Telegram, webhooks and a hundred more, loaded when the first notice goes out."""

from __future__ import annotations

import logging
import re
from typing import Any

from dt.alerts.addresses import Address
from dt.utils.exceptions import ConfigError

_WAITS_S = 10.0  # to connect, and again for an answer
_MASK = "********"
_LONGEST_WHY = 300


class AppriseSender:
    """Sends a message to one address, and says why when that fails; blocks for at most about 20 s."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def check(self, address: Address) -> None:
        """Raise ConfigError for an address that apprise does not understand."""
        self._service(address)

    def send(self, address: Address, title: str, body: str, kind: str) -> str:
        """Send, and return '' or why not; `kind` is apprise's info, success, warning or failure."""
        import apprise

        service = self._service(address)
        capture: Any = apprise.LogCapture  # half typed
        with capture(level=logging.WARNING, name="apprise", fmt="%(message)s") as captured:
            try:
                is_taken = bool(service.notify(title=title, body=body, notify_type=apprise.NotifyType(kind)))
            except Exception as error:  # noqa: BLE001 - a plug-in of a hundred; the notice is tried again
                return without_secrets(f"{type(error).__name__}: {error}", address.url)
            said = captured.getvalue().strip()
        if is_taken:
            return ""
        return without_secrets(said.splitlines()[-1] if said else "it was not taken", address.url)

    def _service(self, address: Address) -> Any:
        import apprise

        service = self._made.get(address.address_id)
        if service is None:
            logging.getLogger("apprise").propagate = False  # its lines name addresses
            service = apprise.Apprise.instantiate(_with_time_limits(address.url), suppress_exceptions=True)
            if service is None:
                raise ConfigError(f"{address.name}: apprise does not understand this URL")
            self._made[address.address_id] = service
        return service


def without_secrets(text: str, url: str) -> str:
    """Return a text without any part of a URL but its scheme.

    >>> without_secrets("POST https://10.0.0.7/s3cret failed: refused", "json://ada:s3cret@10.0.0.7/")
    'POST https://********/******** failed: refused'
    """
    parts = {part for part in re.split(r"[/:@?&=,]+", url.partition("://")[2]) if len(part) > 2}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, _MASK)
    return text[:_LONGEST_WHY]


def _with_time_limits(url: str) -> str:
    if re.search(r"[?&](cto|rto)=", url):
        return url
    return f"{url}{'&' if '?' in url else '?'}cto={_WAITS_S:g}&rto={_WAITS_S:g}"
