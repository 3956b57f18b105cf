"""A file of measurements: its delimiter and encoding found out, its cells read, what cannot be read counted."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dt.evaluation.mapping import ColumnMapping
from dt.evaluation.time_column import LocalTimes, Reader, reader_of, zone_of
from dt.utils.exceptions import MessageError

_DELIMITERS = ",;\t|"
_EXAMPLES = 10
LARGEST_FILE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number of one mapped column; `line` as an editor counts."""

    line: int
    mapping: ColumnMapping
    timestamp: float
    measured: float


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the file's cells; `problems` names the first of the refused ones."""

    rows: int = 0
    cells: int = 0
    empty: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)

    def refuse(self, line: int, column: str, why: str) -> None:
        """Count a cell that cannot be used."""
        self.refused += 1
        if len(self.problems) < _EXAMPLES:
            self.problems.append(f"line {line}, column {column}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementFile:
    """A table in memory: the header's names, rows with their lines, and the content's SHA-256."""

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    sha256: str

    def column(self, name: str) -> int:
        """Return a column's place; raises MessageError (field `column`) that lists what there is."""
        if name not in self.names:
            raise MessageError("column", f"{name!r} is not in {self.path.name}; there are {', '.join(self.names)}")
        return self.names.index(name)


def read_file(path: Path) -> MeasurementFile:
    """Read a CSV or TSV file with a header; raises MessageError (field `file`) when it holds no table."""
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise MessageError("file", f"{path.name} is larger than the limit of {LARGEST_FILE_BYTES} bytes")
    content = path.read_bytes()
    text = _decoded(content)
    parsed = csv.reader(text.splitlines(), delimiter=_delimiter(text))
    numbered = [(parsed.line_num, tuple(row)) for row in parsed if any(cell.strip() for cell in row)]
    if len(numbered) < 2:
        raise MessageError("file", f"{path.name} holds no rows below a header")
    names = tuple(name.strip() for name in numbered[0][1])
    rows = tuple(numbered[1:])
    if all(len(row) == len(names) + 1 for _line, row in rows):  # R writes row names without a header of their own
        names = ("", *names)
    return MeasurementFile(path=path, names=names, rows=rows, sha256=hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeColumn:
    """Where the time stands: a column, or several joined by `+`; how it is written; and its zone."""

    name: str
    timezone: str = "UTC"
    time_format: str | None = None


def cells_of(
    file: MeasurementFile, time: TimeColumn, mappings: Sequence[ColumnMapping], tally: Tally
) -> Iterator[Cell]:
    """Yield every usable number in file order; count the rest in `tally`."""
    places = [(mapping, file.column(mapping.column)) for mapping in mappings]
    time_places = _time_places(file, time.name)
    times = [
        (" ".join(row[place].strip() for place in time_places) if len(row) > max(time_places) else "")
        for _, row in file.rows
    ]
    reader, local = reader_of(times, time.time_format), LocalTimes(zone_of(time.timezone))
    for (line, row), text in zip(file.rows, times, strict=True):
        tally.rows += 1
        timestamp = _timestamp(text, reader, local)
        if timestamp is None:
            tally.refuse(line, time.name, f"{text!r} is no time" if text else "the time is missing")
            continue
        for mapping, place in places:
            measured = _number(line, mapping.column, row[place] if place < len(row) else "", tally)
            if measured is not None:
                tally.cells += 1
                yield Cell(line=line, mapping=mapping, timestamp=timestamp, measured=measured)


def _time_places(file: MeasurementFile, name: str) -> list[int]:
    if name in file.names:
        return [file.names.index(name)]
    return [file.column(part.strip()) for part in name.split("+")]


def _timestamp(text: str, reader: Reader, local: LocalTimes) -> float | None:
    try:
        timestamp = round(local.epoch(reader(text)), 3)
    except (ValueError, OverflowError):
        return None
    return timestamp if timestamp >= 0.0 else None


def _number(line: int, column: str, text: str, tally: Tally) -> float | None:
    if not text.strip():
        tally.empty += 1
        return None
    try:
        number = float(text)
    except ValueError:
        tally.refuse(line, column, f"{text[:40]!r} is no number")
        return None
    if not math.isfinite(number):
        tally.refuse(line, column, f"{text.strip()} is no finite number")
        return None
    return number


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # reads anything; what loggers write with a degree sign


def _delimiter(text: str) -> str:
    """Return the delimiter that splits the first lines most evenly and widely."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    counts = {delimiter: [line.count(delimiter) for line in lines] for delimiter in _DELIMITERS}
    best = max(counts, key=lambda delimiter: (min(counts[delimiter], default=0), counts[delimiter][:1]))
    return best if any(counts[best]) else ","
