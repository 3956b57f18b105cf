"""Readings, their series, and what is missing of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from urllib.parse import quote

from flask import Flask, Response, request

from dt.data.database.api import arguments
from dt.data.database.api.described import described
from dt.data.database.api.store import Store
from dt.data.database.gaps import GapQuery, GapReport
from dt.data.database.storage import Series, SeriesQuery
from dt.utils.clock import Clock
from dt.utils.dataclasses import MAX_QUERY_ROWS, DBIdQuery, DBTimestampQuery, SensorData
from dt.utils.http import json_response, reads_only, request_object

_GROUP = "readings"


def add_readings(app: Flask, store: Store, clock: Clock) -> None:
    """Add the endpoints that readings are asked by."""
    _add_queries(app, store)

    @app.get("/series")
    @described(_GROUP, {200: Series, 304: None}, query=SeriesQuery)
    def series() -> Response:
        """Return minimum, mean, maximum and count by bucket, from the coarsest roll-up that serves.

        The last day unless said otherwise. A plant without own readings of a quantity has those of its zone.
        The answer has an ETag: with If-None-Match an unchanged one is 304.
        """
        query = SeriesQuery.from_dict(arguments.with_last_day(arguments.given(), clock.wall()))
        if query.resolution is not None and query.timezone is None:
            query = replace(query, timezone=store.timezone_of(query))
        return _tagged(json_response(store.storage.series(query)))

    @app.get("/gaps")
    @described(_GROUP, {200: GapReport}, query=GapQuery, problems=(404,))
    def gaps() -> Response:
        """Account for every reading of a sensor that was due: the last day unless said otherwise, a year at most."""
        query = GapQuery.from_dict(arguments.with_last_day(arguments.given(), clock.wall()))
        store.require_sensor(query.sensor_id)
        return json_response(store.gaps.report(query, clock.wall()))


def _add_queries(app: Flask, store: Store) -> None:
    @app.post("/data/timestamp")
    @reads_only
    @described(
        _GROUP, {200: list[SensorData]}, query=arguments.ReadingsQuery, body=DBTimestampQuery, problems=(413, 415)
    )
    def data_timestamp() -> Response:
        """Return the readings of one quantity with since <= timestamp < until, oldest first, every verdict.

        At most `limit`; where there are more, the header `Link` with rel="next" says where to post the same body.
        """
        query = DBTimestampQuery.from_dict(request_object())
        limit = arguments.whole_number("limit", MAX_QUERY_ROWS, default=MAX_QUERY_ROWS) or MAX_QUERY_ROWS
        found = store.storage.between(query, after=arguments.place(), limit=limit + 1)
        response = json_response(found[:limit])
        if len(found) > limit:
            response.headers["Link"] = f'<{_next_page(found[limit - 1], limit)}>; rel="next"'
        return response

    @app.post("/data/id")
    @reads_only
    @described(_GROUP, {200: list[SensorData]}, body=DBIdQuery, problems=(404, 413, 415))
    def data_id() -> Response:
        """Return one sensor's latest readings, newest first."""
        query = DBIdQuery.from_dict(request_object())
        found = store.storage.latest(query)
        if not found:
            store.require_sensor(query.sensor_id)
        return json_response(found)


def _tagged(response: Response) -> Response:
    # Weak: the bytes differ with their compression, what they say does not.
    response.set_etag(hashlib.blake2b(response.get_data(), digest_size=12).hexdigest(), weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


def _next_page(last: SensorData, limit: int) -> str:
    cursor = quote(f"{last.timestamp}~{last.sensor_id}", safe="")
    return f"/data/timestamp?limit={limit}&cursor={cursor}"
