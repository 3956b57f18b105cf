"""A backup's file: a gzipped tar whose last member is a manifest with the size and SHA-256 of every other one."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self

import msgspec

from dt.utils.exceptions import DTError

FORMAT = 1
MANIFEST = "manifest.json"

_TO_THE_END = 65_536  # bytes at once
_COMPRESSION = 3  # of 9: pictures gain nothing, and a Pi's processor is slow
_PIECE = 1 << 20
_MOST_MANIFEST_BYTES = 256 << 20  # a million pictures
_LONGEST_NAME = 500


class BackupError(DTError):
    """A backup that cannot be made, read or put back."""


class Member(msgspec.Struct, frozen=True):
    """One file of a backup."""

    size: int
    sha256: str


class Manifest(msgspec.Struct):
    """What a backup says of itself; `counts` are readings, records by table, pictures and so on."""

    format: int
    made_at: float
    version: str
    readings: str  # sqlite, influx or none
    records_schema: str
    counts: dict[str, int]
    remarks: list[str]
    members: dict[str, Member]


class ArchiveWriter:
    """Writes aside and renames at the end: the file's name is there only when all of it is, durable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.members: dict[str, Member] = {}
        self._aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
        handle = os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w:gz", compresslevel=_COMPRESSION)  # noqa: SIM115 - closed by exit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            self._aside.unlink(missing_ok=True)

    def add(self, name: str, path: Path) -> None:
        """Add a file as it is now: of one that grows meanwhile what it had, one that shrinks is refused."""
        with path.open("rb") as file:
            self.add_stream(name, file, os.fstat(file.fileno()).st_size)

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a small member."""
        self.add_stream(name, io.BytesIO(content), len(content))

    def add_stream(self, name: str, stream: IO[bytes], size: int) -> None:
        """Add so many bytes of a stream."""
        hashing = _Hashing(stream)
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(time.time())
        try:
            self._tar.addfile(info, hashing)
        except OSError as error:
            raise BackupError(f"{name}: {error.strerror or error}") from error
        self.members[name] = Member(size, hashing.sha256())

    @contextmanager
    def spool(self) -> Iterator[IO[bytes]]:
        """Give a file beside the backup for what has to be written before its size is known; gone afterwards."""
        with tempfile.TemporaryFile(dir=self._path.parent, prefix=".backup-") as file:
            yield file

    def _finish(self) -> None:
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._aside.replace(self._path)
        make_names_durable(self._path.parent)


def extracted(path: Path, folder: Path, progress: Callable[[float, float], None]) -> Manifest:
    """Unpack a backup into an empty folder and return its manifest, every member compared with it.

    Raises BackupError for what is no backup, incomplete, damaged, of a later format, or leads out of the folder.
    """
    found: dict[str, Member] = {}
    manifest: bytes | None = None
    try:
        total = path.stat().st_size
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
            for info in tar:
                progress(file.tell(), total)
                name = _safe_name(info, found)
                if manifest is not None:
                    raise BackupError(f"{path}: {name}: stands behind the manifest")
                stream = tar.extractfile(info)
                assert stream is not None  # _safe_name lets regular files pass alone
                if name == MANIFEST:
                    manifest = _limited(stream, info.size, path)
                else:
                    found[name] = _unpacked(stream, folder / name)
            while tar.fileobj is not None and tar.fileobj.read(_TO_THE_END):
                continue  # the checksum of the whole stands at the end of the file
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        why = getattr(error, "strerror", None) or error
        raise BackupError(f"{path}: is no whole backup: {why}") from error
    return _proven(path, manifest, found)


def make_names_durable(folder: Path) -> None:
    """Bring a folder's own entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Hashing(io.RawIOBase):
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._hash.update(piece)
        return piece

    def sha256(self) -> str:
        return self._hash.hexdigest()


def _safe_name(info: tarfile.TarInfo, found: dict[str, Member]) -> str:
    """Return a member's name; only regular files below the folder pass, each once."""
    name = info.name
    parts = PurePosixPath(name).parts
    if not info.isreg():
        raise BackupError(f"{name!r:.200}: is no regular file, and a backup has no other members")
    is_plain = bool(name) and name.isprintable() and "\\" not in name and len(name) <= _LONGEST_NAME
    if not is_plain or name.startswith("/") or ".." in parts or "/".join(parts) != name:
        raise BackupError(f"{name!r:.200}: leads out of the folder, or is no name that a backup gives")
    if name in found:
        raise BackupError(f"{name!r:.200}: is there twice")
    return name


def _unpacked(stream: IO[bytes], target: Path) -> Member:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    size = 0
    with target.open("xb") as file:
        target.chmod(0o600)
        while piece := stream.read(_PIECE):
            digest.update(piece)
            file.write(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return Member(size, digest.hexdigest())


def _limited(stream: IO[bytes], size: int, path: Path) -> bytes:
    if size > _MOST_MANIFEST_BYTES:
        raise BackupError(f"{path}: {MANIFEST}: has {size} bytes, at most {_MOST_MANIFEST_BYTES} are read")
    return stream.read()


def _proven(path: Path, text: bytes | None, found: dict[str, Member]) -> Manifest:
    if text is None:
        raise BackupError(f"{path}: is no whole backup: its manifest is missing")
    said = 0
    with suppress(msgspec.DecodeError, TypeError, ValueError, AttributeError):
        said = int(msgspec.json.decode(text).get("format", 0))
    if said > FORMAT:
        raise BackupError(f"{path}: has format {said} of a later version, and this program knows up to {FORMAT}")
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupError(f"{path}: {MANIFEST}: {error}") from error
    for name in sorted(manifest.members.keys() | found.keys()):
        if manifest.members.get(name) != found.get(name):
            raise BackupError(f"{path}: {name}: is not what the manifest says: the file is damaged")
    return manifest
