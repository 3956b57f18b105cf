"""Sensors, plants and zones as they stand, and every version of their calibrations."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Table, select, update

from dt.data.database.calibration_records import keep_version, last_version, version_of, versions_of, with_version
from dt.data.database.decision_records import DecisionRecords
from dt.data.database.record_keepers import ms
from dt.data.database.records_db import insert_into
from dt.data.database.registry_messages import plant_record, sensor_record
from dt.data.database.sensor_texts import descriptor_of, text_of
from dt.data.database.tables import CADENCES, PLANTS, SENSORS, ZONES
from dt.plant.calibration import require_calibration
from dt.utils.dataclasses import Plant, SensorCalibration, SensorDescriptor
from dt.utils.exceptions import ConflictError, MessageError
from dt.utils.rig import Zone

__all__ = ["Binding", "BindingConflictError", "RegistryRecords", "plant_record", "sensor_record"]

_FIXED = ("zone_id", "plant_id", "data_type", "kind", "pin", "address")
_RIG = "rig"  # who changed what a collector bound
_CHANGEABLE = ("name", "read_interval", "calibration", "zone_id", "plant_id", "pin", "address")


class Binding(StrEnum):
    """What became of a descriptor."""

    CREATED = "created"
    SAME = "same"
    UPDATED = "updated"


class BindingConflictError(ConflictError):
    """A descriptor contradicts the one on record; `fields` says where."""

    def __init__(self, sensor_id: str, fields: list[str]) -> None:
        names = ", ".join(fields)
        super().__init__(f"{sensor_id} is registered with another {names}; PATCH /sensors/{sensor_id} changes it")
        self.fields = fields


class RegistryRecords(DecisionRecords):
    """Sensors with their calibrations, plants and zones; policies, grants and models."""

    def bind(
        self, descriptor: SensorDescriptor, now: float, *, take_over: bool = False
    ) -> tuple[Binding, SensorDescriptor]:
        """Register a sensor and return it as it now stands; raises BindingConflictError, or MessageError.

        What a person changed by `patch` wins over what the collector repeats. Whoever says `take_over` speaks for the
        rig: new name, cadence, options and calibrations of a higher version are taken over then, else they conflict.
        """
        with self._db.write() as connection:
            found = _sensor(connection, descriptor.sensor_id)
            if found is None:
                require_calibration(descriptor)
                row = {"bound": text_of(descriptor), "body": text_of(descriptor), "updated_ms": ms(now)}
                connection.execute(SENSORS.insert().values(sensor_id=descriptor.sensor_id, **row))
                keep_version(connection, None, descriptor, now, _RIG)
                _keep_cadence(connection, descriptor)
                return Binding.CREATED, descriptor
            bound, body = found
            changed = _changes(descriptor, bound, body, last_version(connection, body), take_over=take_over)
            if not changed:
                return Binding.SAME, body
            if "calibration" in changed:
                require_calibration(descriptor)
            merged = SensorDescriptor.from_dict({**body.to_dict(), **changed})
            _change(connection, merged, now, bound=text_of(descriptor))
            keep_version(connection, body, merged, now, _RIG)
            return Binding.UPDATED, merged

    def patch(self, sensor_id: str, changes: Mapping[str, Any], now: float, by: str = "") -> SensorDescriptor | None:
        """Change fields of a sensor; None when there is no such sensor, MessageError for what cannot be changed."""
        for name in changes:
            if name not in _CHANGEABLE:
                raise MessageError(name, f"cannot be changed; only {', '.join(_CHANGEABLE)}")
        with self._db.write() as connection:
            found = _sensor(connection, sensor_id)
            if found is None:
                return None
            before = found[1]
            numbered = with_version(changes, before, last_version(connection, before), now)
            after = SensorDescriptor.from_dict({**before.to_dict(), **numbered})
            _change(connection, after, now)
            keep_version(connection, before, after, now, by)
            return after

    def sensors(self) -> list[SensorDescriptor]:
        """Return every registered sensor by id."""
        with self._db.read() as connection:
            bodies = connection.scalars(select(SENSORS.c.body).order_by(SENSORS.c.sensor_id))
            return [descriptor_of(body) for body in bodies]

    def has_sensor(self, sensor_id: str) -> bool:
        """Return whether a sensor is registered."""
        with self._db.read() as connection:
            return connection.scalar(select(SENSORS.c.sensor_id).filter_by(sensor_id=sensor_id)) is not None

    def calibrations(self, sensor_id: str | None = None) -> list[SensorCalibration]:
        """Return every version of the calibrations of a sensor, or of all, by sensor and then oldest first."""
        with self._db.read() as connection:
            return versions_of(connection, sensor_id)

    def put_plant(self, plant: Plant, now: float, *, replace: bool = True) -> bool:
        """Keep a plant; return whether it is new. Without `replace` a known one stays as it is."""
        row = {"body": text_of(plant), "archived": plant.archived, "updated_ms": ms(now)}
        return self._put(PLANTS, {"plant_id": plant.plant_id}, row, replace=replace)

    def plants(self) -> list[Plant]:
        """Return every plant by id."""
        with self._db.read() as connection:
            bodies = connection.scalars(select(PLANTS.c.body).order_by(PLANTS.c.plant_id))
            return [Plant.from_json(body) for body in bodies]

    def zone_of(self, plant_id: str) -> str | None:
        """Return the zone that a plant stands in; None when nobody knows the plant."""
        with self._db.read() as connection:
            body = connection.scalar(select(PLANTS.c.body).filter_by(plant_id=plant_id))
        return None if body is None else Plant.from_json(body).zone_id

    def archived_plants(self) -> set[str]:
        """Return the plants whose readings came from files: none of these is thinned or removed."""
        with self._db.read() as connection:
            return set(connection.scalars(select(PLANTS.c.plant_id).where(PLANTS.c.archived)))

    def put_zone(self, zone: Zone, now: float, *, replace: bool = True) -> bool:
        """Keep a zone; return whether it is new. Without `replace` a known one stays as it is."""
        row = {"body": text_of(zone), "updated_ms": ms(now)}
        return self._put(ZONES, {"zone_id": zone.zone_id}, row, replace=replace)

    def places(self) -> tuple[set[str], set[str]]:
        """Return the zones and plants that are known: those kept, and those that a registered sensor stands in."""
        plants, sensors = self.plants(), self.sensors()
        zones = {one.zone_id for one in self.zones()} | {one.zone_id for one in plants}
        known = {plant.plant_id for plant in plants} | {one.plant_id for one in sensors if one.plant_id}
        return zones | {one.zone_id for one in sensors}, known

    def zones(self) -> list[Zone]:
        """Return every zone by id."""
        with self._db.read() as connection:
            bodies = connection.scalars(select(ZONES.c.body).order_by(ZONES.c.zone_id))
            return [Zone.from_json(body) for body in bodies]

    def _put(self, table: Table, key: dict[str, str], row: dict[str, Any], *, replace: bool) -> bool:
        with self._db.write() as connection:
            new = insert_into(connection, table).values(**key, **row).on_conflict_do_nothing()
            is_new = connection.scalar(new.returning(*(table.c[name] for name in key))) is not None
            if not is_new and replace:
                connection.execute(update(table).filter_by(**key).values(**row))
            return is_new


def _sensor(connection: Connection, sensor_id: str) -> tuple[SensorDescriptor, SensorDescriptor] | None:
    """Return a sensor as it was bound and as it stands."""
    row = connection.execute(select(SENSORS.c.bound, SENSORS.c.body).filter_by(sensor_id=sensor_id)).first()
    return None if row is None else (descriptor_of(row[0]), descriptor_of(row[1]))


def _change(connection: Connection, sensor: SensorDescriptor, now: float, **more: str) -> None:
    row = {"body": text_of(sensor), "updated_ms": ms(now), **more}
    connection.execute(update(SENSORS).filter_by(sensor_id=sensor.sensor_id).values(**row))
    _keep_cadence(connection, sensor)


def _keep_cadence(connection: Connection, sensor: SensorDescriptor) -> None:
    row = {"sensor_id": sensor.sensor_id, "read_interval": sensor.read_interval}
    connection.execute(insert_into(connection, CADENCES).values(**row).on_conflict_do_nothing())


def _changes(
    new: SensorDescriptor, bound: SensorDescriptor, body: SensorDescriptor, last: int, *, take_over: bool
) -> dict[str, Any]:
    """Return the fields that the rig changed since it bound the sensor last; raises BindingConflictError."""
    differing = [
        name
        for name in (*_FIXED, "calibration", "name", "read_interval", "options")
        if getattr(new, name) not in (getattr(bound, name), getattr(body, name))
    ]
    conflicts = [name for name in differing if name in _FIXED or not take_over]
    if take_over and "calibration" in differing and version_of(new) <= last:
        conflicts.append("calibration")
    if conflicts:
        raise BindingConflictError(new.sensor_id, conflicts)
    return {name: getattr(new, name) for name in differing}
