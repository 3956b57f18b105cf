"""Readings as a file: CSV and Parquet, streamed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain
from typing import Any

from flask import Flask, Response, request

from dt.data.database.api.arguments import choice, given
from dt.data.database.api.described import Media, described
from dt.data.database.api.store import Store
from dt.data.database.exporting import ExportQuery, ParquetMissingError, csv_of, parquet_of, readings_of
from dt.utils.clock import Clock
from dt.utils.codec import LATEST_TIMESTAMP
from dt.utils.dataclasses import Verdict
from dt.utils.http import Problem
from dt.utils.http_server import let_go_of_stalled
from dt.utils.quantities import Quantity

_GROUP = "exports"
_REPEATED: Mapping[str, type[StrEnum]] = {"data_type": Quantity, "verdicts": Verdict}
_NAMES = tuple(_REPEATED)
_PARQUET = "application/vnd.apache.parquet"
_AGAIN_S = 10
STALLED_AFTER_S = 30  # a reader that takes nothing for so long gives its place to others
MOST_AT_ONCE = 3  # each holds a thread of the server and pages of readings as long as its reader takes


def add_exports(app: Flask, store: Store, clock: Clock) -> None:
    """Add the two exports."""
    slots = threading.BoundedSemaphore(MOST_AT_ONCE)

    @app.get("/export.csv")
    @described(_GROUP, {200: Media(kind="text/csv")}, query=ExportQuery, repeated=_NAMES)
    def export_csv() -> Response:
        """Stream readings as CSV, oldest first: ISO 8601 times in UTC, values with their units.

        All quantities and all that is kept, unless `data_type` (several, with commas or repeated) or a range is given.
        A stream that breaks off before its end closes the connection without the last chunk.
        """
        query = _query()
        return _file(slots, csv_of(readings_of(store.storage, query)), "text/csv", "csv", clock.wall())

    @app.get("/export.parquet")
    @described(
        _GROUP,
        {200: Media(kind=_PARQUET)},
        query=ExportQuery,
        repeated=_NAMES,
        problems=(501,),
    )
    def export_parquet() -> Response:
        """Stream readings as a Parquet file, oldest first; 501 where pyarrow is not installed."""
        query = _query()
        try:
            parts = parquet_of(readings_of(store.storage, query))
        except ParquetMissingError as error:
            raise Problem(501, "Not installed", str(error), limit="group db") from error
        return _file(slots, parts, _PARQUET, "parquet", clock.wall())


def _query() -> ExportQuery:
    values: dict[str, Any] = given()
    for name, kinds in _REPEATED.items():
        words = [word.strip() for text in request.args.getlist(name) for word in text.split(",") if word.strip()]
        values[name] = tuple(dict.fromkeys(choice(name, word, kinds) for word in words))
    values.setdefault("since", 0.0)
    values.setdefault("until", LATEST_TIMESTAMP)
    return ExportQuery.from_dict(values)


def _file(slots: threading.BoundedSemaphore, parts: Iterator[bytes], kind: str, ending: str, now: float) -> Response:
    if not slots.acquire(blocking=False):
        detail = f"{MOST_AT_ONCE} exports are under way, which is the most at once"
        raise Problem(429, "Too many exports", detail, limit=MOST_AT_ONCE, retry_after_s=_AGAIN_S)
    try:
        # The first piece is made here: what fails at once gets a proper answer instead of a broken stream.
        first = next(parts, b"")
    except BaseException:
        slots.release()
        raise
    let_go_of_stalled(request.environ, STALLED_AFTER_S)
    response = Response(chain((first,), parts), mimetype=kind)
    response.call_on_close(slots.release)
    made_at = datetime.fromtimestamp(now, UTC)
    response.headers["Content-Disposition"] = f'attachment; filename="readings-{made_at:%Y%m%dT%H%M%SZ}.{ending}"'
    response.headers["Cache-Control"] = "no-store"
    return response
