"""Bearer tokens and what each may do: the service token, and further ones kept as hashes in a file of mode 0600."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from dt.utils.exceptions import ConfigError, ConflictError, MessageError

TOKEN_FILE = "tokens.json"  # noqa: S105 - under DATA_DIR
MOST_TOKENS = 200
_MODE = 0o600
_NAME = re.compile(r"[\w.-]{1,60}")


class Scope(StrEnum):
    """What a token is good for."""

    READ = "read"
    WRITE = "write"
    ACT = "act"  # actuator commands, release of the emergency stop, grants


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptToken:
    """A token as the file has it: its SHA-256 alone, which suffices for 256 random bits."""

    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    made_at: float


class TokenFile:
    """The further tokens of an installation."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def tokens(self) -> list[KeptToken]:
        """Return what is kept, by name; raises ConfigError for a file that is damaged or that others may read."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise ConfigError(f"{self.path}: must have mode 0600; others may read or write it")
                return msgspec.json.decode(file.read(), type=list[KeptToken])
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise ConfigError(f"{self.path}: is damaged: {error}") from error

    def add(self, name: str, scopes: Iterable[Scope], now: float) -> str:
        """Make a token and return it: the only time that anyone sees it."""
        if _NAME.fullmatch(name) is None:
            raise MessageError("name", f"must be 1 to 60 letters, digits, '.', '_' or '-', not {name[:80]!r}")
        token = secrets.token_urlsafe(32)
        with self._changing() as kept:
            if any(other.name == name for other in kept):
                raise ConflictError(f"there is a token {name!r} already; remove it first")
            if len(kept) >= MOST_TOKENS:
                raise ConflictError(f"there are {MOST_TOKENS} tokens already, which is the most")
            chosen = tuple(sorted(set(scopes)))
            kept.append(KeptToken(name=name, sha256=_hash(token), scopes=chosen, made_at=now))
        return token

    def remove(self, name: str) -> bool:
        """Take a token away; return whether there was one."""
        with self._changing() as kept:
            left = [token for token in kept if token.name != name]
            is_gone = len(left) < len(kept)
            kept[:] = left
        return is_gone

    @contextmanager
    def _changing(self) -> Iterator[list[KeptToken]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f".{self.path.name}.lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = self.tokens()
            yield kept
            self._write(sorted(kept, key=lambda token: token.name))

    def _write(self, kept: list[KeptToken]) -> None:
        # Written aside and renamed: a service never reads half a file.
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.path)


class Tokens:
    """Tells what a token may do; a change of the file holds from the next request on."""

    def __init__(self, service_token: str, file: TokenFile) -> None:
        self._service_hash = _hash(service_token)
        self._file = file
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._kept: list[KeptToken] = []

    def scopes_of(self, token: str) -> frozenset[Scope] | None:
        """Return what a token may do, or None when it is unknown; the time it takes does not tell how near it came.

        The service's own holds whatever has become of the file; for others a file that cannot be used is a ConfigError.
        """
        given = _hash(token)
        if hmac.compare_digest(given, self._service_hash):
            return ALL_SCOPES
        found = None
        for kept in self._known():
            if hmac.compare_digest(given, kept.sha256):
                found = found or frozenset(kept.scopes)
        return found

    def _known(self) -> list[KeptToken]:
        try:
            stat = self._file.path.stat()
            now = (stat.st_mtime_ns, stat.st_ino, stat.st_mode)
        except FileNotFoundError:
            return []
        with self._lock:
            if now != self._seen:
                self._kept = self._file.tokens()
                self._seen = now
            return self._kept


def scopes_from(text: str) -> tuple[Scope, ...]:
    """Return the scopes of a text such as `read,write`.

    >>> scopes_from("read, act")
    (<Scope.READ: 'read'>, <Scope.ACT: 'act'>)
    """
    found = []
    for word in re.split(r"[,\s]+", text.strip()):
        try:
            found.append(Scope(word))
        except ValueError as error:
            raise MessageError("scopes", f"must be of {', '.join(Scope)}, not {word[:80]!r}") from error
    return tuple(found)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
