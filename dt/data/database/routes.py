"""The REST facade: requests in, answers out; what they mean is decided elsewhere."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, request

from dt.data.database.announcer import Announcer
from dt.data.database.frame_files import FrameFiles
from dt.data.database.gap_records import Gaps
from dt.data.database.gaps import GapQuery
from dt.data.database.records import FILTERS, PageQuery, Records
from dt.data.database.registry_records import (
    Binding,
    BindingConflictError,
    RegistryRecords,
    plant_record,
    sensor_record,
)
from dt.data.database.storage import Place, SeriesQuery, Storage
from dt.data.database.trace import Traces
from dt.utils.clock import Clock
from dt.utils.dataclasses import (
    MAX_QUERY_ROWS,
    DBIdQuery,
    DBTimestampQuery,
    Plant,
    SensorData,
    SensorDescriptor,
)
from dt.utils.exceptions import MessageError
from dt.utils.http import Problem, json_response, reads_only, request_object

_DAY_S = 86_400.0
_GAP_FIELDS = ("sensor_id", "since", "until")
_PAGE_FIELDS = ("limit", "since", "until", "cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Everything that the facade answers from."""

    storage: Storage
    registry: RegistryRecords
    records: Records
    traces: Traces
    pictures: FrameFiles
    announcer: Announcer
    gaps: Gaps


def add_routes(app: Flask, store: Store, clock: Clock) -> None:
    """Add every endpoint of the contract to an app."""
    _add_registry(app, store, clock)
    _add_data(app, store, clock)
    _add_records(app, store)


def _add_registry(app: Flask, store: Store, clock: Clock) -> None:
    @app.post("/bind_sensor")
    def bind_sensor() -> Response:
        descriptor = SensorDescriptor.from_dict(request_object())
        try:
            binding, kept = store.registry.bind(descriptor, clock.wall())
        except BindingConflictError as error:
            raise Problem(409, "Conflict", str(error), field=error.fields[0], fields=error.fields) from error
        # Also when nothing changed: the broker may be a new one.
        store.announcer.announce(sensor_record(kept, clock.wall()))
        return json_response(kept, 201 if binding is Binding.CREATED else 200)

    @app.get("/sensors")
    def sensors() -> Response:
        readings, pictures = store.storage.last_seen(), store.records.last_pictures()
        known = store.registry.sensors()
        return _list([_with_last_seen(s, readings.get(s.sensor_id), pictures.get(s.sensor_id)) for s in known])

    @app.patch("/sensors/<sensor_id>")
    def patch_sensor(sensor_id: str) -> Response:
        changed = store.registry.patch(sensor_id, request_object(), clock.wall())
        if changed is None:
            raise _unknown_sensor(sensor_id)
        store.announcer.announce(sensor_record(changed, clock.wall()))
        return json_response(changed)

    @app.get("/plants")
    def plants() -> Response:
        return _list([plant.to_dict() for plant in store.registry.plants()])

    @app.put("/plants/<plant_id>")
    def put_plant(plant_id: str) -> Response:
        data = request_object()
        if data.setdefault("plant_id", plant_id) != plant_id:
            raise MessageError("plant_id", f"is {str(data['plant_id'])[:80]!r}, and the address says {plant_id!r}")
        plant = Plant.from_dict(data)
        is_new = store.registry.put_plant(plant, clock.wall())
        store.announcer.announce(plant_record(plant, clock.wall()))
        return json_response(plant, 201 if is_new else 200)


def _add_data(app: Flask, store: Store, clock: Clock) -> None:
    @app.post("/data/timestamp")
    @reads_only
    def data_timestamp() -> Response:
        query = DBTimestampQuery.from_dict(request_object())
        limit = _limit()
        found = store.storage.between(query, after=_cursor(), limit=limit + 1)
        response = json_response(found[:limit])
        if len(found) > limit:
            response.headers["Link"] = f'<{_next_page(found[limit - 1], limit)}>; rel="next"'
        return response

    @app.post("/data/id")
    @reads_only
    def data_id() -> Response:
        query = DBIdQuery.from_dict(request_object())
        found = store.storage.latest(query)
        if not found and not (store.registry.has_sensor(query.sensor_id) or store.storage.has_sensor(query.sensor_id)):
            raise _unknown_sensor(query.sensor_id)
        return json_response(found)

    @app.get("/series")
    def series() -> Response:
        given: dict[str, Any] = {name: text for name, text in request.args.items() if text}
        given.setdefault("until", clock.wall())
        if "since" not in given:
            given["since"] = SeriesQuery.from_dict({**given, "since": 0.0}).until - _DAY_S
        return json_response(asdict(store.storage.series(SeriesQuery.from_dict(given))))

    @app.get("/gaps")
    def gaps() -> Response:
        query = _gap_query(clock.wall())
        if not (store.registry.has_sensor(query.sensor_id) or store.storage.has_sensor(query.sensor_id)):
            raise _unknown_sensor(query.sensor_id)
        return json_response(asdict(store.gaps.report(query, clock.wall())))


def _add_records(app: Flask, store: Store) -> None:
    def page_of(table: str) -> Response:
        query, filters = _page_query(table)
        return json_response(store.records.page(table, query, filters))

    for table in FILTERS:
        app.add_url_rule(f"/{table}", table, lambda table=table: page_of(table))

    @app.get("/frames/<sha256>.jpg")
    def frame(sha256: str) -> Response:
        jpeg = store.pictures.read(sha256)
        if jpeg is None:
            raise Problem(404, "Not found", f"there is no picture {sha256[:80]}", field="sha256")
        response = Response(jpeg, mimetype="image/jpeg")
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return response

    @app.get("/trace/<correlation_id>")
    def trace(correlation_id: str) -> Response:
        names = ("kind", "timestamp", "id", "correlation_id", "caused_by", "body")
        events = store.traces.trace(correlation_id)
        return json_response({"events": [{name: getattr(event, name) for name in names} for event in events]})


def _gap_query(now: float) -> GapQuery:
    given: dict[str, Any] = {name: text for name, text in request.args.items() if text}
    for name in given:
        if name not in _GAP_FIELDS:
            raise MessageError(name, f"is no field of /gaps; there are {', '.join(_GAP_FIELDS)}")
    given.setdefault("until", now)
    if "since" not in given:
        until = PageQuery.from_dict({"until": given["until"]}).until or now
        given["since"] = max(0.0, until - _DAY_S)
    return GapQuery.from_dict(given)


def _page_query(table: str) -> tuple[PageQuery, dict[str, str]]:
    given = {name: text for name, text in request.args.items() if text}
    for name in given:
        if name not in (*FILTERS[table], *_PAGE_FIELDS):
            known = ", ".join((*FILTERS[table], *_PAGE_FIELDS))
            raise MessageError(name, f"is no filter of /{table}; there are {known}")
    filters = {name: given[name] for name in FILTERS[table] if name in given}
    return PageQuery.from_dict(given), filters


def _limit() -> int:
    limit = DBIdQuery.from_dict({"sensor_id": "-", "limit": request.args.get("limit", MAX_QUERY_ROWS)}).limit
    return min(limit, MAX_QUERY_ROWS)


def _cursor() -> Place | None:
    text = request.args.get("cursor")
    if text is None:
        return None
    timestamp, separator, sensor_id = text.partition("~")
    try:
        place = (float(timestamp), sensor_id)
    except ValueError as error:
        raise MessageError("cursor", "must be that of a `next` link") from error
    if not separator or not 0.0 <= place[0] < 1e12:
        raise MessageError("cursor", "must be that of a `next` link")
    return place


def _next_page(last: SensorData, limit: int) -> str:
    cursor = quote(f"{last.timestamp}~{last.sensor_id}", safe="")
    return f"/data/timestamp?limit={limit}&cursor={cursor}"


def _with_last_seen(sensor: SensorDescriptor, reading: SensorData | None, picture_at: float | None) -> dict[str, Any]:
    latest = None if reading is None else {name: getattr(reading, name) for name in ("value", "unit", "timestamp")}
    return {**sensor.to_dict(), "last_seen": picture_at if reading is None else reading.timestamp, "latest": latest}


def _list(items: list[dict[str, Any]]) -> Response:
    return json_response({"items": items, "next": None})


def _unknown_sensor(sensor_id: str) -> Problem:
    return Problem(404, "Not found", f"no sensor {sensor_id[:200]!r} is known", field="sensor_id")
