"""What InfluxDB answers, as readings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dt.data.database.influx_lines import MOST_CAUSES, OWN_TIME_BITS, id_of
from dt.utils.dataclasses import Origin, Quality, SensorData, Verdict
from dt.utils.quantities import Quantity, Unit

Row = dict[str, Any]


class Table(msgspec.Struct):
    """One table of an answer; its `name` is the measurement."""

    columns: list[str]
    values: list[list[Any]] = []
    name: str = ""
    tags: dict[str, str] = {}

    def rows(self) -> Iterable[Row]:
        """Yield the rows by their columns, with the table's tags."""
        columns, tags = self.columns, self.tags
        for values in self.values:
            yield {**tags, **dict(zip(columns, values, strict=True))}


def readings_in(tables: Sequence[Table]) -> list[SensorData]:
    """Return the readings of an answer, oldest first and those of one instant by their sensor."""
    found = [reading_of(Quantity(table.name), row) for table in tables for row in table.rows()]
    return sorted(found, key=lambda reading: (reading.timestamp, reading.sensor_id))


def reading_of(quantity: Quantity, row: Mapping[str, Any]) -> SensorData:
    """Return the reading of one row; `time` in milliseconds."""
    get: Callable[..., Any] = row.get
    value = get("value")
    bad_value = get("bad_value")
    number = value if bad_value is None else bad_value
    raw_value = get("raw_value")
    return SensorData(
        sensor_id=row["sensor_id"],
        data_type=quantity,
        value=number,
        unit=Unit(row["unit"]),
        timestamp=row["time"] / 1000,
        correlation_id=_correlation_id(row),
        zone_id=row["zone_id"],
        plant_id=get("plant_id") or None,
        boot_id=get("boot_id") or "",
        sequence=get("sequence") or 0,
        clock_synced=get("clock_synced") is not False,
        raw_value=None if get("no_raw") else number if raw_value is None else raw_value,
        quality=_quality(row, is_bad=bad_value is not None),
        calibration=get("calibration"),
        caused_by=_causes(row),
        late=bool(get("late")),
        revision=max(get("revision") or 0, 0),  # older buckets may hold less
        schema=get("schema") or 1,
        origin=Origin(get("origin") or Origin.LIVE),
    )


def _quality(row: Mapping[str, Any], *, is_bad: bool) -> Quality | None:
    if row.get("unjudged"):
        return None
    verdict = Verdict.BAD if is_bad else Verdict.SUSPECT if row.get("suspect") else Verdict.GOOD
    return Quality(verdict=verdict, check=row.get("check"), why=row.get("why"))


def _correlation_id(row: Mapping[str, Any]) -> str:
    text, high, low = row.get("correlation_id"), row.get("id_high"), row.get("id_low")
    if text is not None or high is None or low is None:
        return text or "unknown"
    if 0 <= high < 1 << OWN_TIME_BITS:
        high |= row["time"] << OWN_TIME_BITS
    return id_of(high, low)


def _causes(row: Mapping[str, Any]) -> tuple[str, ...]:
    text = row.get("caused_by")
    if text is not None:
        return tuple(msgspec.json.decode(text, type=list[str]))
    pairs = ((row.get(f"cause{place}_high"), row.get(f"cause{place}_low")) for place in range(MOST_CAUSES))
    return tuple(id_of(high, low) for high, low in pairs if high is not None and low is not None)
