"""Pictures as files named by their SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from dt.utils.exceptions import StorageError
from dt.utils.whole_file import make_names_durable

_SHA256 = re.compile(r"[0-9a-f]{64}")


class FrameFiles:
    """A folder of JPEG files; the same picture twice is one file. `spare` hears of each put before `remove` can act."""

    def __init__(self, folder: Path, spare: Callable[[str], None] = lambda _sha256: None) -> None:
        self._folder = folder
        self._spare = spare
        self._lock = threading.Lock()

    def put(self, jpeg: bytes) -> str:
        """Keep a picture durably and return its SHA-256; raises StorageError when the disk does not take it."""
        sha256 = hashlib.sha256(jpeg).hexdigest()
        with self._lock:
            self._write(sha256, jpeg)
            self._spare(sha256)
        return sha256

    def remove(self, sha256: str, is_needed: Callable[[], bool]) -> int | None:
        """Remove a picture unless it is needed, and return its bytes, 0 when it was gone; None when it stays."""
        with self._lock:
            if is_needed():
                return None
            path = self._path(sha256)
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                return 0
            except OSError as error:
                raise StorageError(f"{path}: {error.strerror}") from error
            return size

    def read(self, sha256: str) -> bytes | None:
        """Return a picture; None for one that is not here or a name that none can have."""
        if not _SHA256.fullmatch(sha256):
            return None
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{sha256}.jpg: {error.strerror}") from error

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.jpg"

    def _write(self, sha256: str, jpeg: bytes) -> None:
        path = self._path(sha256)
        if path.exists():
            return
        aside = self._folder / f".{sha256}.{os.getpid()}.{threading.get_ident()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(jpeg)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            make_names_durable(self._folder)
        except OSError as error:
            with contextlib.suppress(OSError):  # it may never have come to be
                aside.unlink()
            raise StorageError(f"{path}: {error.strerror}") from error
