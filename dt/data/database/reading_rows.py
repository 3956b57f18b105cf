"""Readings as rows of the SQLite store and back."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from operator import attrgetter
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

BAD, GOOD, SUSPECT = -1, 0, 1  # how a roll-up counts a reading

_MOST_CONTEXTS = 10_000  # 7 MB; every restart of a sensor makes some, and old ones never come back
_MOST_SIGNED = 0x7FFF_FFFF_FFFF_FFFF
_SHARED_NAMES = (
    *("sensor_id", "data_type", "unit", "zone_id", "plant_id", "boot_id", "clock_synced", "calibration", "late"),
    *("schema", "origin"),
)
_shared = attrgetter(*_SHARED_NAMES)
_NO_VERDICT = (None, None)

_ADD_CONTEXT = """
INSERT INTO contexts
    (series_id, unit, zone_id, plant_id, boot_id, clock_synced, calibration, late, schema, origin, verdict, check_name,
     line_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_LINE = """
INSERT INTO lines (series_id, unit, zone_id, plant_id) VALUES (?, ?, ?, ?)
ON CONFLICT (series_id, unit, zone_id, coalesce(plant_id, '')) DO UPDATE SET unit = excluded.unit
RETURNING line_id
"""


class Contexts:
    """The ids under which series and shared columns are kept; used by the writing thread alone."""

    def __init__(self) -> None:
        self._known: dict[Row, tuple[int, int]] = {}
        self._kinds: dict[int, tuple[int, int]] = {}

    def forget(self) -> None:
        """Forget ids that an undone transaction gave out."""
        self._known.clear()
        self._kinds.clear()

    def make_room(self) -> None:
        """Stay below a bound; to be called between two batches."""
        if len(self._known) > _MOST_CONTEXTS:
            self.forget()

    def counted_as(self, context_id: int) -> tuple[int, int]:
        """Return the line of a context that a row of this batch has, and whether it is BAD, GOOD or SUSPECT."""
        return self._kinds[context_id]

    def row_of(self, db: sqlite3.Connection, reading: SensorData) -> Row:
        """Return the row of a reading, in the order of `UPSERT`."""
        key: Row = _shared(reading)
        quality = reading.quality
        why = None
        if quality is not None:
            why = quality.why
            key = (*key, quality.verdict, quality.check)
        ids = self._known.get(key)
        if ids is None:
            ids = self._known[key] = self._ids_of(db, key)
        timestamp_ms = round(reading.timestamp * 1000)
        caused_by = reading.caused_by
        return (
            ids[0],
            timestamp_ms,
            reading.value,
            reading.raw_value,
            reading.sequence,
            reading.revision,
            ids[1],
            reading.correlation_id,
            hash_at(reading.correlation_id, timestamp_ms),
            why,
            msgspec.json.encode(caused_by).decode() if caused_by else None,
        )

    def _ids_of(self, db: sqlite3.Connection, key: Row) -> tuple[int, int]:
        columns = key if len(key) == len(_SHARED_NAMES) + 2 else key + _NO_VERDICT
        series_id, context_id, line_id = _ids_of(db, columns)
        verdict = columns[-2]
        self._kinds[context_id] = (
            line_id,
            BAD if verdict == Verdict.BAD else SUSPECT if verdict == Verdict.SUSPECT else GOOD,
        )
        return series_id, context_id


def told_ms(correlation_id: str) -> int | None:
    """Return the instant that an id tells (RFC 9562, versions 7 and 8), in ms; None for others."""
    if len(correlation_id) == 36 and correlation_id[14] in "78":
        try:
            return int(correlation_id[:8] + correlation_id[9:13], 16)
        except ValueError:
            return None
    return None


def hash_of(correlation_id: str) -> int:
    """Return what an id is looked up by, growing with the time that it tells; two ids may share it."""
    told = told_ms(correlation_id)
    crc = zlib.crc32(correlation_id.encode())
    return (crc or 1) if told is None else (told << 16 | crc & 0xFFFF) & _MOST_SIGNED or 1


def hash_at(correlation_id: str, timestamp_ms: int) -> int:
    """Return 0 for an id that tells this very instant, by which its reading is found without an index."""
    return 0 if told_ms(correlation_id) == timestamp_ms else hash_of(correlation_id)


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
        revision=max(revision, 0),  # older files may hold less
        schema=schema,
        origin=Origin(origin),
    )


def _ids_of(db: sqlite3.Connection, key: Row) -> tuple[int, int, int]:
    """Return the ids of series, context and line, made where they are new."""
    series_id = _series_id(db, key[0], key[1])
    found = db.execute(
        "SELECT context_id, line_id FROM contexts WHERE series_id = ? AND unit = ? AND zone_id = ? AND plant_id IS ?"
        " AND boot_id = ? AND clock_synced = ? AND calibration IS ? AND late = ? AND schema = ? AND origin = ?"
        " AND verdict IS ? AND check_name IS ?",
        (series_id, *key[2:]),
    ).fetchone()
    if found is not None:
        return series_id, found[0], found[1]
    [line_id] = db.execute(_ADD_LINE, (series_id, *key[2:5])).fetchone()
    context_id = db.execute(_ADD_CONTEXT, (series_id, *key[2:], line_id)).lastrowid
    return series_id, int(context_id or 0), int(line_id)


def _series_id(db: sqlite3.Connection, sensor_id: str, data_type: str) -> int:
    db.execute("INSERT OR IGNORE INTO series (sensor_id, data_type) VALUES (?, ?)", (sensor_id, data_type))
    [found] = db.execute(
        "SELECT series_id FROM series WHERE sensor_id = ? AND data_type = ?", (sensor_id, data_type)
    ).fetchone()
    return int(found)
