"""Readings of any range as a stream: page by page from the store, so that memory does not grow with the range."""

from __future__ import annotations

import csv
import heapq
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from dt.data.database.storage import Place, Storage
from dt.utils.codec import Message, Timestamp
from dt.utils.dataclasses import DBTimestampQuery, SensorData, Verdict
from dt.utils.exceptions import DTError, MessageError
from dt.utils.quantities import Quantity

_PAGE_ROWS = 2000  # of each quantity; they are all in memory at once
_CSV_ROWS = 1000  # of one piece of the stream
_GROUP_ROWS = 20_000  # of one row group of a Parquet file: 30 MB while it is made, and no larger file than of 50,000

COLUMNS = (
    "time",
    "sensor_id",
    "data_type",
    "value",
    "unit",
    "verdict",
    "check",
    "why",
    "raw_value",
    "calibration",
    "plant_id",
    "zone_id",
    "late",
    "revision",
    "origin",
    "boot_id",
    "sequence",
    "correlation_id",
)


class ParquetMissingError(DTError):
    """pyarrow is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportQuery(Message):
    """Readings with since <= timestamp < until, of some quantities or of all; numbers of `DBTimestampQuery`."""

    since: Timestamp
    until: Timestamp
    data_type: tuple[Quantity, ...] = ()
    plant_id: str | None = None
    sensor_id: str | None = None
    verdicts: tuple[Verdict, ...] = ()

    def ensure_consistent(self) -> None:
        """Refuse a range that ends before it starts."""
        if self.until < self.since:
            raise MessageError("until", f"must not be before since ({self.since}), and is {self.until}")

    def of(self, quantity: Quantity) -> DBTimestampQuery:
        """Return the query of one quantity."""
        return DBTimestampQuery(
            data_type=quantity,
            since=self.since,
            until=self.until,
            plant_id=self.plant_id,
            sensor_id=self.sensor_id,
            verdicts=self.verdicts or None,
        )


def readings_of(storage: Storage, query: ExportQuery) -> Iterator[SensorData]:
    """Yield readings oldest first; at most a page of each quantity is in memory."""
    quantities = dict.fromkeys(query.data_type) or [q for q in Quantity if q is not Quantity.CAMERA_IMAGE]
    lines = [_line(storage, query.of(quantity)) for quantity in quantities]
    return heapq.merge(*lines, key=lambda reading: (reading.timestamp, reading.sensor_id))


def _line(storage: Storage, query: DBTimestampQuery) -> Iterator[SensorData]:
    after: Place | None = None
    while True:
        page = storage.between(query, after=after, limit=_PAGE_ROWS)
        yield from page
        if len(page) < _PAGE_ROWS:
            return
        after = (page[-1].timestamp, page[-1].sensor_id)


def csv_of(readings: Iterator[SensorData]) -> Iterator[bytes]:
    """Yield a CSV file (RFC 4180, UTF-8): times in ISO 8601 and UTC, numbers as JSON has them, nothing for null."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    while chunk := list(islice(readings, _CSV_ROWS)):
        writer.writerows(map(_csv_row, chunk))
        yield _taken(text)
    rest = _taken(text)  # the header of an empty file
    if rest:
        yield rest


def _taken(text: io.StringIO) -> bytes:
    made = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return made


def _csv_row(reading: SensorData) -> list[object]:
    row = _row(reading)
    row[0] = row[0].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row[12] = "true" if row[12] else "false"
    return row


def _row(reading: SensorData) -> list[Any]:
    quality = reading.quality
    judged = (None, None, None) if quality is None else (quality.verdict, quality.check, quality.why)
    return [
        datetime.fromtimestamp(reading.timestamp, UTC),
        reading.sensor_id,
        reading.data_type,
        reading.value,
        reading.unit,
        *judged,
        reading.raw_value,
        reading.calibration,
        reading.plant_id,
        reading.zone_id,
        reading.late,
        reading.revision,
        reading.origin,
        reading.boot_id,
        reading.sequence,
        reading.correlation_id,
    ]


def parquet_of(readings: Iterator[SensorData]) -> Iterator[bytes]:
    """Return a Parquet file in pieces, a row group each; raises ParquetMissingError at once."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ParquetMissingError("Parquet needs pyarrow, which comes with the group db (make install-db)") from error
    return _parquet(pa, pq, readings)


def _parquet(pa: Any, pq: Any, readings: Iterator[SensorData]) -> Iterator[bytes]:
    schema = _schema(pa)
    sink = _Pieces()
    with pa.PythonFile(sink, mode="w") as file, pq.ParquetWriter(file, schema, compression="snappy") as writer:
        while chunk := list(islice(readings, _GROUP_ROWS)):
            writer.write_table(_table(pa, schema, chunk))
            del chunk
            yield sink.take()
        writer.close()
        yield sink.take()


def _table(pa: Any, schema: Any, chunk: Sequence[SensorData]) -> Any:
    columns = zip(*map(_row, chunk), strict=True)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _schema(pa: Any) -> Any:
    words = pa.dictionary(pa.int32(), pa.string())
    kinds = {
        "time": pa.timestamp("ms", tz="UTC"),
        "value": pa.float64(),
        "raw_value": pa.float64(),
        "calibration": pa.int64(),
        "revision": pa.int64(),
        "sequence": pa.int64(),
        "late": pa.bool_(),
        "correlation_id": pa.string(),
        "why": pa.string(),
    }
    return pa.schema([pa.field(name, kinds.get(name, words)) for name in COLUMNS])


class _Pieces:
    """A file to write to, whose bytes are taken away as they come."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing waits anywhere."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
