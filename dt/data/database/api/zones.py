"""Zones, and every version of the calibrations and models."""

from __future__ import annotations

from flask import Flask, Response, request

from dt.data.database.api import answers
from dt.data.database.api.arguments import ListQuery, list_page
from dt.data.database.api.described import described
from dt.data.database.api.store import Store, require_id, require_same
from dt.data.database.registry_messages import zone_record
from dt.utils.clock import Clock
from dt.utils.http import json_response, request_object
from dt.utils.rig import Zone

_GROUP = "registry"


def add_zones(app: Flask, store: Store, clock: Clock) -> None:
    """Add the endpoints of zones, calibrations and models."""

    @app.get("/zones")
    @described(_GROUP, {200: answers.ZoneList}, query=ListQuery)
    def zones() -> Response:
        """Return the zones by id."""
        return json_response(list_page(store.registry.zones(), lambda zone: zone.zone_id))

    @app.put("/zones/<path:zone_id>")
    @described(_GROUP, {200: Zone, 201: Zone}, body=Zone, problems=(413, 415))
    def put_zone(zone_id: str) -> Response:
        """Make or change a zone: its name, time zone and place; `zone_id` may be left out of the body."""
        data = request_object()
        require_same("zone_id", data.setdefault("zone_id", zone_id), zone_id)
        zone = Zone.from_dict(data)
        require_id("zone_id", zone_id)
        is_new = store.registry.put_zone(zone, clock.wall())
        store.announcer.announce(zone_record(zone, clock.wall()))
        return json_response(zone, 201 if is_new else 200)

    @app.get("/sensors/<path:sensor_id>/calibrations")
    @described(_GROUP, {200: answers.CalibrationList}, query=ListQuery, problems=(404,))
    def calibrations(sensor_id: str) -> Response:
        """Return every version of a sensor's calibration, oldest first, with who gave it and since when it holds."""
        store.require_sensor(sensor_id)
        return json_response(list_page(store.registry.calibrations(sensor_id), lambda kept: f"{kept.version:012d}"))

    @app.get("/models")
    @described(_GROUP, {200: answers.ModelList}, query=answers.ModelsQuery)
    def models() -> Response:
        """Return the versions of models on record.

        Which one is used is what `GET /models` of the ai service says; it does not report them here, and nothing else
        fills this list.
        """
        name = request.args.get("name")
        found = [model for model in store.registry.models() if name in (None, "", model.name)]
        return json_response(list_page(found, lambda model: f"{model.name}~{model.version}"))
