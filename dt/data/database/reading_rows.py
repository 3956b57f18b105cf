"""Readings as rows of the SQLite store and back."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dt.utils.dataclasses import Origin, Quality, SensorData, Verdict
from dt.utils.quantities import Quantity, Unit

Row = tuple[Any, ...]

UPSERT = """
INSERT INTO readings
    (series_id, timestamp_ms, value, raw_value, sequence, revision, context_id, correlation_id, correlation_hash,
     why, caused_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (series_id, timestamp_ms) DO UPDATE SET
    value = excluded.value, raw_value = excluded.raw_value, sequence = excluded.sequence,
    revision = excluded.revision, context_id = excluded.context_id, correlation_id = excluded.correlation_id,
    correlation_hash = excluded.correlation_hash, why = excluded.why, caused_by = excluded.caused_by
WHERE excluded.revision >= readings.revision
"""
ADD_CAUSES = "INSERT OR IGNORE INTO causes (parent_hash, child) VALUES (?, ?)"
COLUMNS = "timestamp_ms, value, raw_value, sequence, revision, context_id, correlation_id, why, caused_by"
CONTEXT_COLUMNS = (
    "context_id, sensor_id, data_type, unit, zone_id, plant_id, boot_id, clock_synced, verdict, check_name,"
    " calibration, late, schema, origin"
)

_ADD_CONTEXT = """
INSERT INTO contexts
    (series_id, unit, zone_id, plant_id, boot_id, clock_synced, verdict, check_name, calibration, late, schema, origin)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Contexts:
    """The ids under which series and shared columns are kept; used by the writing thread alone."""

    def __init__(self) -> None:
        self._known: dict[Row, tuple[int, int]] = {}

    def forget(self) -> None:
        """Forget ids that an undone transaction gave out."""
        self._known.clear()

    def row_of(self, db: sqlite3.Connection, reading: SensorData) -> Row:
        """Return the row of a reading, in the order of `UPSERT`."""
        quality = reading.quality
        verdict, check, why = (None, None, None) if quality is None else (quality.verdict, quality.check, quality.why)
        key = (
            reading.sensor_id,
            reading.data_type,
            reading.unit,
            reading.zone_id,
            reading.plant_id,
            reading.boot_id,
            reading.clock_synced,
            verdict,
            check,
            reading.calibration,
            reading.late,
            reading.schema,
            reading.origin,
        )
        ids = self._known.get(key)
        if ids is None:
            ids = self._known[key] = _ids_of(db, key)
        return (
            ids[0],
            round(reading.timestamp * 1000),
            reading.value,
            reading.raw_value,
            reading.sequence,
            reading.revision,
            ids[1],
            reading.correlation_id,
            hash_of(reading.correlation_id),
            why,
            msgspec.json.encode(reading.caused_by).decode() if reading.caused_by else None,
        )


def hash_of(correlation_id: str) -> int:
    """Return what an id is looked up by; two ids may share it."""
    return zlib.crc32(correlation_id.encode())


def cause_rows(parents: Iterable[str], child: str) -> list[tuple[int, str]]:
    """Return the rows of `ADD_CAUSES` for the parents of an id."""
    return [(hash_of(parent), child) for parent in parents if parent != child]


def reading_of(row: Row, contexts: Mapping[int, Row]) -> SensorData:
    """Return the reading of a row selected by `COLUMNS`, with its context by `CONTEXT_COLUMNS`."""
    timestamp_ms, value, raw_value, sequence, revision, context_id, correlation_id, why, caused_by = row
    _, sensor_id, data_type, unit, zone_id, plant_id, boot_id, synced, *judged = contexts[context_id]
    verdict, check, calibration, late, schema, origin = judged
    return SensorData(
        sensor_id=sensor_id,
        data_type=Quantity(data_type),
        value=value,
        unit=Unit(unit),
        timestamp=timestamp_ms / 1000,
        correlation_id=correlation_id,
        zone_id=zone_id,
        plant_id=plant_id,
        boot_id=boot_id,
        sequence=sequence,
        clock_synced=bool(synced),
        raw_value=raw_value,
        quality=None if verdict is None else Quality(verdict=Verdict(verdict), check=check, why=why),
        calibration=calibration,
        caused_by=tuple(msgspec.json.decode(caused_by)) if caused_by else (),
        late=bool(late),
        revision=revision,
        schema=schema,
        origin=Origin(origin),
    )


def _ids_of(db: sqlite3.Connection, key: Row) -> tuple[int, int]:
    series_id = _series_id(db, key[0], key[1])
    found = db.execute(
        "SELECT context_id FROM contexts WHERE series_id = ? AND unit = ? AND zone_id = ? AND plant_id IS ?"
        " AND boot_id = ? AND clock_synced = ? AND verdict IS ? AND check_name IS ? AND calibration IS ?"
        " AND late = ? AND schema = ? AND origin = ?",
        (series_id, *key[2:]),
    ).fetchone()
    if found is not None:
        return series_id, found[0]
    context_id = db.execute(_ADD_CONTEXT, (series_id, *key[2:])).lastrowid
    return series_id, int(context_id or 0)


def _series_id(db: sqlite3.Connection, sensor_id: str, data_type: str) -> int:
    db.execute("INSERT OR IGNORE INTO series (sensor_id, data_type) VALUES (?, ?)", (sensor_id, data_type))
    [found] = db.execute(
        "SELECT series_id FROM series WHERE sensor_id = ? AND data_type = ?", (sensor_id, data_type)
    ).fetchone()
    return int(found)
