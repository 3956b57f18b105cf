"""The secrets of an installation: made at the first run, kept in files of mode 0600."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError

_MODE = 0o600


def ensure_token(settings: Settings) -> str:
    """Return the service token: the setting `DT_TOKEN`, else the file under DATA_DIR, made when absent."""
    return settings.dt_token or ensure_secret(settings.data_dir / "dt_token", lambda: secrets.token_urlsafe(32))


def ensure_session_key(settings: Settings) -> str:
    """Return the key that signs the dashboard's session cookies."""
    return ensure_secret(settings.data_dir / "session_key", lambda: secrets.token_urlsafe(48))


def ensure_secret(path: Path, make: Callable[[], str]) -> str:
    """Return a file's secret; the first caller makes it, and two at once agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _create(path, make())
    text = path.read_text("utf-8").strip()
    if not text:
        raise ConfigError(f"{path}: is empty; delete it and a new secret is made")
    return text


def sign(value: bytes, token: str) -> bytes:
    """Return the HMAC-SHA-256 in hexadecimal that a record on `dt.actions` carries as header `hmac`.

    >>> sign(b"dose", "key")[:8]
    b'c78a5fac'
    """
    return hmac.new(token.encode(), value, hashlib.sha256).hexdigest().encode()


def verify(value: bytes, signature: bytes | None, token: str) -> bool:
    """Return whether a signature was made over this value with this token."""
    return signature is not None and hmac.compare_digest(sign(value, token), signature)


def _create(path: Path, text: str) -> None:
    # Written aside and linked into place: a reader never sees half a secret, and the first writer wins.
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.link(aside, path)
    except FileExistsError:
        return
    finally:
        aside.unlink()
