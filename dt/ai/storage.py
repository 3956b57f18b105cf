"""Where models lie on disk: small files, written whole or not at all.

Rules are kept as their parameters in JSON. Trained models come as skops files, which hold no code; a pickle runs
whatever its author wrote as soon as it is opened, and is refused by its first bytes and by its name.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from dt.ai.models.base_model import ModelError, ModelNotFoundError
from dt.utils.whole_file import make_names_durable

_PICKLE_NAMES = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle"})
_PICKLE_STARTS = tuple(bytes((0x80, protocol)) for protocol in range(2, 16))  # PROTO opcode of protocols 2 and later


class ModelStorage(Protocol):
    """Bytes by name, e.g. `rule_based/dry_soil-1.json`."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises ModelNotFoundError or ModelError."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Replace a file as a whole, durably; raises ModelError."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """Return a context in which no other process changes the store; raises ModelError."""
        ...


class FileModelStorage:
    """`ModelStorage` in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes:
        """Return a file's bytes, unless they are a pickle's."""
        try:
            data = self._path_of(name).read_bytes()
        except FileNotFoundError as error:
            raise ModelNotFoundError(f"{name}: is not in {self._folder}") from error
        except OSError as error:
            raise ModelError(f"{name}: cannot be read: {error.strerror}") from error
        refuse_pickles(name, data)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Write aside, sync, and rename into place."""
        refuse_pickles(name, data)
        path = self._path_of(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, data)
        except OSError as error:
            raise ModelError(f"{name}: cannot be written under {self._folder}: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock file."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ModelError(f"{self._folder}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _path_of(self, name: str) -> Path:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise ModelError(f"{name}: lies outside of the models' folder")
        return path


def refuse_pickles(name: str, data: bytes) -> None:
    """Raise ModelError for what is a pickle, whatever it is called, or is called one."""
    if data.startswith(_PICKLE_STARTS) or Path(name).suffix.lower() in _PICKLE_NAMES:
        raise ModelError(f"{name}: pickles are refused, for opening one runs its author's code")


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:  # Ctrl-C too must leave no half a model behind
        aside.unlink(missing_ok=True)
        raise
    make_names_durable(path.parent)
