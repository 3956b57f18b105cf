"""What one Spark worker does with records: the processing service's own `Processor`, the database's own roll-ups."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dt.communication.messaging import Record
from dt.communication.topics import Topics
from dt.data.database.rollups import WIDTHS_S, Part, Place, joined, mean_of, parts_of
from dt.data.processing.processor import Processor
from dt.data.processing.sensor_book import SensorBook
from dt.utils.clock import SystemClock
from dt.utils.dataclasses import Verdict

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = "place BIGINT, topic STRING, body BINARY"
ROLLUPS = (
    "width_s INT, begin_s BIGINT, sensor_id STRING, data_type STRING, unit STRING, zone_id STRING, plant_id STRING,"
    " count BIGINT, min DOUBLE, mean DOUBLE, max DOUBLE, suspects BIGINT"
)

_AT_ONCE = 5000  # as the service has it
_Line = tuple[str, str, str | None]  # unit, zone, plant


class KeptRegistry:
    """The registry's records as they were when the job began."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = list(records)

    def read_all(self, topic: str) -> list[Record]:  # noqa: ARG002 - there is but one
        """Return them."""
        return self._records


class ZoneState(msgspec.Struct):
    """What is remembered between two batches of a key: the states of its zones, and how many outputs there were."""

    zones: dict[str, bytes] = {}
    place: int = 0


class StateFolder:
    """One key's states on disk, each by the batch that left it: a batch that is done again begins where it began."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder / hashlib.sha256(key.encode()).hexdigest()[:32]

    def before(self, number: int) -> ZoneState:
        """Return the state that a batch begins with."""
        earlier = [found for found in self._numbers() if found < number]
        if not earlier:
            return ZoneState()
        return msgspec.msgpack.decode((self._folder / str(max(earlier))).read_bytes(), type=ZoneState)

    def keep(self, number: int, state: ZoneState) -> None:
        """Keep what a batch left, and forget what no batch begins with any more."""
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = self._folder / f".{number}"
        aside.write_bytes(msgspec.msgpack.encode(state))
        aside.replace(self._folder / str(number))
        for old in sorted(found for found in self._numbers() if found < number)[:-1]:
            (self._folder / str(old)).unlink()

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self._folder.glob("[0-9]*")]


def judge_records(
    registry: Sequence[Record], timezone: str, records: Sequence[Record], state: ZoneState
) -> tuple[list[tuple[int, str, bytes]], ZoneState]:
    """Return what the service would publish of records in log order, each with its place, and the state after it."""
    clock = SystemClock()
    processor = Processor(SensorBook(KeptRegistry(registry), clock), clock, timezone=timezone)
    processor.restore(
        [Record(Topics.STATE_PROCESSING, 0, 0, zone, value, {}, 0.0) for zone, value in state.zones.items()]
    )
    zones, place = dict(state.zones), state.place
    found = []
    for first in range(0, len(records), _AT_ONCE):
        for out in processor.transform(records[first : first + _AT_ONCE]):
            if out.topic == Topics.STATE_PROCESSING:
                zones[out.key or ""] = out.value or b""
            else:
                found.append((place, out.topic, out.value or b""))
                place += 1
    return found, ZoneState(zones, place)


def in_log_order(frame: pd.DataFrame, cut: int) -> list[Record]:
    """Return the records of a batch: of each partition by offset, those of several by when the log took them.

    A clock that was set back does not reorder a partition: a record counts as no older than those before it.
    """
    parts: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
    columns = (frame[name].to_list() for name in ("topic", "partition", "offset", "key", "value", "taken_ms"))
    for topic, partition, offset, key, value, taken_ms in zip(*columns, strict=True):
        content = bytes(value) if isinstance(value, bytes | bytearray) else None
        record = Record(topic[cut:], partition, offset, key, content, {}, taken_ms / 1000)
        parts[topic, partition].append(record)
    placed = []
    for (topic, partition), records in parts.items():
        newest = 0.0
        for record in sorted(records, key=lambda one: one.offset):
            newest = max(newest, record.timestamp)
            placed.append((newest, topic, partition, record.offset, record))
    placed.sort(key=lambda one: one[:4])
    return [one[4] for one in placed]


def rollup_rows(rows: Iterable[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return the roll-ups of all widths of one series over whole hours, as the database makes them.

    Of the same instant the highest revision counts, of equal ones the last; bad readings do not.
    """
    winners: dict[int, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda one: (one["revision"], one["place"])):
        winners[round(row["timestamp"] * 1000)] = row
    lines: dict[_Line, int] = {}
    values: defaultdict[Place, list[float]] = defaultdict(list)
    suspects: Counter[Place] = Counter()
    for at_ms, row in sorted(winners.items()):
        if row["verdict"] == Verdict.BAD:
            continue
        line = lines.setdefault((row["unit"], row["zone_id"], row["plant_id"]), len(lines))
        place = (line, at_ms // 60_000 * 60)
        values[place].append(row["value"])
        suspects[place] += row["verdict"] == Verdict.SUSPECT
    if not values:
        return []
    series, names = next(iter(winners.values())), {number: line for line, number in lines.items()}
    parts = parts_of(values, suspects)
    found = []
    for width_s in WIDTHS_S:
        parts = joined(parts, width_s)
        found += [_row(width_s, place, part, series, names[place[0]]) for place, part in parts.items()]
    return found


def _row(width_s: int, place: Place, part: Part, series: dict[str, Any], line: _Line) -> tuple[Any, ...]:
    count, least, most, _total, _residue, suspects = part
    name = (series["sensor_id"], series["data_type"])
    return (width_s, place[1], *name, *line, count, least, mean_of(part), most, suspects)
