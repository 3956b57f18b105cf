"""Versions of a sensor's calibration: each kept, with who gave it and since when it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from dt.data.database.record_keepers import ms
from dt.data.database.tables import CALIBRATIONS
from dt.plant.calibration import MOST_VERSIONS, require_calibration
from dt.utils.codec import as_timestamp
from dt.utils.dataclasses import SensorCalibration, SensorDescriptor
from dt.utils.exceptions import MessageError


def version_of(sensor: SensorDescriptor) -> int:
    """Return the version of a sensor's calibration; 0 without one."""
    if sensor.calibration is None:
        return 0
    version = sensor.calibration.get("version", 1)
    return version if isinstance(version, int) and 0 <= version < MOST_VERSIONS else 0


def last_version(connection: Connection, sensor: SensorDescriptor) -> int:
    """Return the highest version that a sensor has had."""
    kept = connection.scalar(select(func.max(CALIBRATIONS.c.version)).filter_by(sensor_id=sensor.sensor_id))
    return max(version_of(sensor), kept or 0)


def with_version(changes: Mapping[str, Any], before: SensorDescriptor, last: int, now: float) -> dict[str, Any]:
    """Return changes of a sensor with a checked calibration whose version is higher than all before.

    A calibration may say `since` when it holds (epoch seconds or ISO 8601); otherwise it holds from now on.
    """
    calibration = changes.get("calibration")
    if calibration is None or calibration == before.calibration:
        return dict(changes)
    if not isinstance(calibration, dict):
        raise MessageError("calibration", "must be an object with points")
    numbered = {"version": last + 1, **calibration}
    require_calibration(replace(before, calibration=numbered))
    if not isinstance(numbered["version"], int) or not last < numbered["version"] < MOST_VERSIONS:
        raise MessageError("calibration.version", f"must be a whole number above {last}")
    if "since" in numbered:
        numbered["since"] = _since(numbered, now)
    return {**changes, "calibration": numbered}


def keep_version(
    connection: Connection, before: SensorDescriptor | None, after: SensorDescriptor, now: float, by: str
) -> None:
    """Keep what changed of a calibration as its next version; one taken away is a version without a body."""
    had = None if before is None else before.calibration
    if after.calibration == had:
        return
    last = last_version(connection, after) if after.calibration is None else 0
    version = last + 1 if after.calibration is None else version_of(after)
    body = None if after.calibration is None else msgspec.json.encode(after.calibration).decode()
    row = {"since_ms": ms(_since(after.calibration or {}, now)), "changed_by": by, "body": body}
    connection.execute(CALIBRATIONS.insert().values(sensor_id=after.sensor_id, version=version, **row))


def versions_of(connection: Connection, sensor_id: str | None) -> list[SensorCalibration]:
    """Return every version, of one sensor or of all, by sensor and then oldest first."""
    wanted = select(CALIBRATIONS).order_by(CALIBRATIONS.c.sensor_id, CALIBRATIONS.c.version)
    if sensor_id is not None:
        wanted = wanted.where(CALIBRATIONS.c.sensor_id == sensor_id)
    return [
        SensorCalibration(
            sensor_id=row.sensor_id,
            version=row.version,
            since=row.since_ms / 1000,
            calibration=None if row.body is None else msgspec.json.decode(row.body),
            by=row.changed_by,
        )
        for row in connection.execute(wanted)
    ]


def _since(calibration: Mapping[str, Any], now: float) -> float:
    """Return since when a calibration holds, in epoch seconds."""
    given = calibration.get("since", now)
    since = as_timestamp("calibration.since", given)
    if since > max(now, as_timestamp("calibration.since", now)):  # rounded to the millisecond
        raise MessageError("calibration.since", f"must not be after now ({now:.0f}), and is {str(given)[:40]}")
    return since
