"""Sensors and plants."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response

from dt.data.database.api import answers
from dt.data.database.api.arguments import ListQuery, list_page
from dt.data.database.api.described import described
from dt.data.database.api.store import Store, require_id, require_same, unknown
from dt.data.database.registry_records import Binding, BindingConflictError, plant_record, sensor_record
from dt.utils.clock import Clock
from dt.utils.dataclasses import Plant, SensorData, SensorDescriptor
from dt.utils.http import Problem, json_response, person_of, request_object

_GROUP = "registry"


def add_registry(app: Flask, store: Store, clock: Clock) -> None:
    """Add the endpoints of sensors and plants."""
    _add_sensors(app, store, clock)
    _add_plants(app, store, clock)


def _add_sensors(app: Flask, store: Store, clock: Clock) -> None:
    @app.post("/bind_sensor")
    @described(_GROUP, {200: SensorDescriptor, 201: SensorDescriptor}, body=answers.NewSensor, problems=(409, 413, 415))
    def bind_sensor() -> Response:
        """Register a sensor: 201; the same again 200 and no change; a conflicting one 409.

        A rig whose file was edited says `take_over`: its new name, cadence, options or calibration of a higher version
        are kept then. Its zone and plant need not be known yet.
        """
        asked = answers.NewSensor.from_dict(request_object())
        descriptor = SensorDescriptor.from_dict(asked.to_dict())
        for name in ("sensor_id", "zone_id", "plant_id"):
            require_id(name, getattr(descriptor, name))
        try:
            binding, kept = store.registry.bind(descriptor, clock.wall(), take_over=asked.take_over)
        except BindingConflictError as error:
            raise Problem(409, "Conflict", str(error), field=error.fields[0], fields=error.fields) from error
        # Also when nothing changed: the broker may be a new one.
        store.announcer.announce(sensor_record(kept, clock.wall()))
        return json_response(kept, 201 if binding is Binding.CREATED else 200)

    @app.get("/sensors")
    @described(_GROUP, {200: answers.SensorList}, query=ListQuery)
    def sensors() -> Response:
        """Return the sensors by id, with calibration and last value."""
        readings, pictures = store.storage.last_seen(), store.records.last_pictures()
        known = store.registry.sensors()
        items = [_with_last_seen(s, readings.get(s.sensor_id), pictures.get(s.sensor_id)) for s in known]
        return json_response(list_page(items, lambda item: str(item["sensor_id"])))

    @app.patch("/sensors/<path:sensor_id>")
    @described(_GROUP, {200: SensorDescriptor}, body=answers.SensorChanges, problems=(404, 413, 415))
    def patch_sensor(sensor_id: str) -> Response:
        """Change a sensor's record: name, cadence, calibration (it gets the next version and says `by` whom), place."""
        changes = request_object()
        by = person_of(changes)
        changes.pop("by", None)
        if not store.registry.has_sensor(sensor_id):
            raise unknown("sensor", sensor_id)
        store.require_places(changes.get("zone_id"), changes.get("plant_id"))
        changed = store.registry.patch(sensor_id, changes, clock.wall(), by)
        if changed is None:
            raise unknown("sensor", sensor_id)
        store.announcer.announce(sensor_record(changed, clock.wall()))
        return json_response(changed)


def _add_plants(app: Flask, store: Store, clock: Clock) -> None:
    @app.get("/plants")
    @described(_GROUP, {200: answers.PlantList}, query=ListQuery)
    def plants() -> Response:
        """Return the plants by id."""
        return json_response(list_page(store.registry.plants(), lambda plant: plant.plant_id))

    @app.put("/plants/<path:plant_id>")
    @described(_GROUP, {200: Plant, 201: Plant}, body=Plant, problems=(413, 415))
    def put_plant(plant_id: str) -> Response:
        """Make or change a plant in a zone that is known; `plant_id` may be left out of the body.

        An archived plant may stand in a zone of its own name, as that of a replayed file does.
        """
        data = request_object()
        require_same("plant_id", data.setdefault("plant_id", plant_id), plant_id)
        plant = Plant.from_dict(data)
        require_id("plant_id", plant_id)
        if not (plant.archived and plant.zone_id == plant_id):
            store.require_places(plant.zone_id)
        is_new = store.registry.put_plant(plant, clock.wall())
        store.announcer.announce(plant_record(plant, clock.wall()))
        return json_response(plant, 201 if is_new else 200)


def _with_last_seen(sensor: SensorDescriptor, reading: SensorData | None, picture_at: float | None) -> dict[str, Any]:
    latest = None if reading is None else {name: getattr(reading, name) for name in ("value", "unit", "timestamp")}
    return {**sensor.to_dict(), "last_seen": picture_at if reading is None else reading.timestamp, "latest": latest}
