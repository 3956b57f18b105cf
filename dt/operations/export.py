"""Readings of the database service as a file that is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from dt.communication.database_api import DatabaseApiClient

FORMATS = ("csv", "parquet")


def export_to(client: DatabaseApiClient, out: Path, kind: str, query: dict[str, Any], told: Callable[[int], None]) -> int:
    """Write an export to a file beside its place, then rename it; return its size in bytes."""
    with _whole(out) as file:
        return export_into(client, file, kind, query, told)


def export_into(
    client: DatabaseApiClient, file: IO[bytes], kind: str, query: dict[str, Any], told: Callable[[int], None]
) -> int:
    """Write an export to an open file; `told` hears how many bytes there are so far."""
    size = 0
    for piece in client.export(kind, **query):
        file.write(piece)
        size += len(piece)
        told(size)
    return size


@contextmanager
def _whole(out: Path) -> Iterator[IO[bytes]]:
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
