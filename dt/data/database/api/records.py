"""Records, newest first, in pages; pictures; the chain of causes and effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response

from dt.data.database.api import answers
from dt.data.database.api.arguments import page_query
from dt.data.database.api.described import Media, described
from dt.data.database.api.store import Store
from dt.data.database.records import FILTERS
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, DeadLetter, Prediction
from dt.utils.http import Problem, json_response

_GROUP = "records"
_EVENT_FIELDS = ("kind", "timestamp", "id", "correlation_id", "caused_by", "body")

# What each table of `FILTERS` holds, and what its endpoint does.
_TABLES: dict[str, tuple[Any, str]] = {
    "alerts": (AlertEvent, "Return alerts as they stand, newest first."),
    "actions": (ActionResult, "Return the results of commands, newest first."),
    "predictions": (Prediction, "Return predictions, newest first."),
    "dead_letters": (DeadLetter, "Return records that nobody could use, newest first."),
    "frames": (CameraFrame, "Return descriptions of pictures, newest first."),
}


def add_records(app: Flask, store: Store) -> None:
    """Add a page of each table, and what belongs to them."""
    for table, (kind, words) in _TABLES.items():
        app.add_url_rule(f"/{table}", table, _page_view(store, table, kind, words))

    @app.get("/frames/<sha256>.jpg")
    @described(_GROUP, {200: Media(kind="image/jpeg")}, problems=(404,))
    def frame(sha256: str) -> Response:
        """Return a picture by the SHA-256 of its bytes."""
        jpeg = store.pictures.read(sha256)
        if jpeg is None:
            raise Problem(404, "Not found", f"there is no picture {sha256[:80]}", field="sha256")
        response = Response(jpeg, mimetype="image/jpeg")
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return response

    @app.get("/trace/<path:correlation_id>")
    @described("trace", {200: answers.TraceAnswer})
    def trace(correlation_id: str) -> Response:
        """Return everything that led to a reading and that it caused, in causal order."""
        events = store.traces.trace(correlation_id)
        return json_response({"events": [{name: getattr(event, name) for name in _EVENT_FIELDS} for event in events]})


def _page_view(store: Store, table: str, kind: Any, words: str) -> Callable[[], Response]:
    @described(_GROUP, {200: answers.page_of(kind)}, query=answers.page_query_type(table, FILTERS[table]))
    def page() -> Response:
        query, filters = page_query(FILTERS[table])
        return json_response(store.records.page(table, query, filters))

    page.__doc__ = words
    return page
