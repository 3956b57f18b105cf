"""Static files of a web page, compressed once."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import threading
from dataclasses import dataclass
from pathlib import Path

from flask import Response, abort, request
from werkzeug.security import safe_join

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
        try:
            if path is None or not Path(path).is_file():
                abort(404)
            modified_ns = Path(path).stat().st_mtime_ns
        except OSError:  # a name longer than any file's
            abort(404)
        with self._lock:
            known = self._known.get(path)
            if known is None or known.modified_ns != modified_ns:
                known = self._known[path] = _read(Path(path), modified_ns)
        return known


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
