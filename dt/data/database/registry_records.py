"""Sensors and plants as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from dt.data.database.sqlite_file import SQLiteFile
from dt.plant.calibration import parse_calibration
from dt.utils.dataclasses import Plant, RegistryRecord, SensorDescriptor
from dt.utils.exceptions import ConflictError, MessageError

_FIXED = ("zone_id", "plant_id", "data_type", "kind", "pin", "address")
_CHANGEABLE = ("name", "read_interval", "calibration", "zone_id", "plant_id", "pin", "address")


class Binding(StrEnum):
    """What became of a descriptor."""

    CREATED = "created"
    SAME = "same"
    UPDATED = "updated"


class BindingConflictError(ConflictError):
    """A descriptor contradicts the one on record; `fields` says where."""

    def __init__(self, sensor_id: str, fields: list[str]) -> None:
        super().__init__(f"{sensor_id} is registered with another {', '.join(fields)}; PATCH /sensors/{sensor_id}")
        self.fields = fields


class RegistryRecords:
    """Sensors and plants in the SQLite file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    def bind(self, descriptor: SensorDescriptor, now: float) -> tuple[Binding, SensorDescriptor]:
        """Register a sensor and return it as it now stands; raises BindingConflictError.

        What a person changed by `patch` wins over what the collector repeats. A new name, cadence or calibration of
        a higher version is taken over.
        """
        with self._file.write() as db:
            found = db.execute(
                "SELECT bound, body FROM sensors WHERE sensor_id = ?", (descriptor.sensor_id,)
            ).fetchone()
            if found is None:
                text = _text(descriptor)
                db.execute("INSERT INTO sensors VALUES (?, ?, ?, ?)", (descriptor.sensor_id, text, text, _ms(now)))
                return Binding.CREATED, descriptor
            bound, body = map(SensorDescriptor.from_json, found)
            changed = _changes(descriptor, bound, body)
            if not changed:
                return Binding.SAME, body
            merged = SensorDescriptor.from_dict({**body.to_dict(), **changed})
            db.execute(
                "UPDATE sensors SET bound = ?, body = ?, updated_ms = ? WHERE sensor_id = ?",
                (_text(descriptor), _text(merged), _ms(now), descriptor.sensor_id),
            )
            return Binding.UPDATED, merged

    def patch(self, sensor_id: str, changes: Mapping[str, Any], now: float) -> SensorDescriptor | None:
        """Change fields of a sensor; None when there is no such sensor, MessageError for what cannot be changed."""
        for name in changes:
            if name not in _CHANGEABLE:
                raise MessageError(name, f"cannot be changed; only {', '.join(_CHANGEABLE)}")
        with self._file.write() as db:
            found = db.execute("SELECT body FROM sensors WHERE sensor_id = ?", (sensor_id,)).fetchone()
            if found is None:
                return None
            before = SensorDescriptor.from_json(found[0])
            after = SensorDescriptor.from_dict({**before.to_dict(), **_numbered(changes, before)})
            db.execute(
                "UPDATE sensors SET body = ?, updated_ms = ? WHERE sensor_id = ?", (_text(after), _ms(now), sensor_id)
            )
            return after

    def sensors(self) -> list[SensorDescriptor]:
        """Return every registered sensor by id."""
        with self._file.read() as db:
            rows = db.execute("SELECT body FROM sensors ORDER BY sensor_id").fetchall()
        return [SensorDescriptor.from_json(body) for (body,) in rows]

    def has_sensor(self, sensor_id: str) -> bool:
        """Return whether a sensor is registered."""
        with self._file.read() as db:
            return db.execute("SELECT 1 FROM sensors WHERE sensor_id = ?", (sensor_id,)).fetchone() is not None

    def put_plant(self, plant: Plant, now: float, *, replace: bool = True) -> bool:
        """Keep a plant; return whether it is new. Without `replace` a known one stays as it is."""
        with self._file.write() as db:
            row = (plant.plant_id, _text(plant), _ms(now))
            is_new = db.execute("INSERT OR IGNORE INTO plants VALUES (?, ?, ?)", row).rowcount == 1
            if not is_new and replace:
                db.execute("UPDATE plants SET body = ?, updated_ms = ? WHERE plant_id = ?", (row[1], row[2], row[0]))
            return is_new

    def plants(self) -> list[Plant]:
        """Return every plant by id."""
        with self._file.read() as db:
            rows = db.execute("SELECT body FROM plants ORDER BY plant_id").fetchall()
        return [Plant.from_json(body) for (body,) in rows]


def sensor_record(descriptor: SensorDescriptor, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of a sensor."""
    record_id = f"sensor:{descriptor.sensor_id}"
    return RegistryRecord(record_id=record_id, kind="sensor", timestamp=now, body=descriptor.to_dict())


def plant_record(plant: Plant, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of a plant."""
    return RegistryRecord(record_id=f"plant:{plant.plant_id}", kind="plant", timestamp=now, body=plant.to_dict())


def _changes(new: SensorDescriptor, bound: SensorDescriptor, body: SensorDescriptor) -> dict[str, Any]:
    """Return the fields that the rig changed since it bound the sensor last; raises BindingConflictError."""
    differing = [
        name
        for name in (*_FIXED, "calibration", "name", "read_interval")
        if getattr(new, name) not in (getattr(bound, name), getattr(body, name))
    ]
    conflicts = [name for name in differing if name in _FIXED]
    if "calibration" in differing and _version(new) <= _version(body):
        conflicts.append("calibration")
    if conflicts:
        raise BindingConflictError(new.sensor_id, conflicts)
    return {name: getattr(new, name) for name in differing}


def _numbered(changes: Mapping[str, Any], before: SensorDescriptor) -> dict[str, Any]:
    """Return the changes with a checked calibration whose version is higher than the one before."""
    calibration = changes.get("calibration")
    if calibration is None or calibration == before.calibration:
        return dict(changes)
    if not isinstance(calibration, dict):
        raise MessageError("calibration", "must be an object with points")
    numbered = {"version": _version(before) + 1, **calibration}
    if "points" in numbered:
        parse_calibration(numbered)
    if not isinstance(numbered["version"], int) or numbered["version"] <= _version(before):
        raise MessageError("calibration.version", f"must be a whole number above {_version(before)}")
    return {**changes, "calibration": numbered}


def _version(descriptor: SensorDescriptor) -> int:
    version = (descriptor.calibration or {}).get("version", 0)
    return version if isinstance(version, int) else 0


def _text(message: SensorDescriptor | Plant) -> str:
    return message.to_json().decode()


def _ms(now: float) -> int:
    return round(now * 1000)
