"""The table of notes/faults.md: rows that tests make of what they saw."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from dt.simulator.faults.catalogue import CATALOGUE
from dt.utils.dataclasses import HealthStatus
from tests.conftest import ROOT
from tests.faults.field import Seen, masked, spread

PAGE = ROOT / "notes" / "faults.md"
BEGIN, END = "<!-- table: made by scripts/make_fault_table.py -->", "<!-- end of table -->"
_HEAD = ("fault", "injected", "seen in", "what the collector did", "what the user sees")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, as it was injected, and what came of it."""

    fault: str
    injected: str
    did: str
    sees: str

    @property
    def line(self) -> str:
        """Return the row as Markdown."""
        cells = (self.fault, self.injected, CATALOGUE[self.fault].seen_in, self.did, self.sees)
        return f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in cells)} |"


@dataclass(slots=True)
class FaultRows:
    """Rows of one run of the tests."""

    rows: list[Row] = field(default_factory=list)

    def add(self, fault: str, injected: str, did: str, sees: str) -> None:
        """Note what was seen."""
        self.rows.append(Row(fault, injected, did, sees))

    def lines(self) -> list[str]:
        """Return the rows in the order of the catalogue."""
        order = list(CATALOGUE)
        return [row.line for row in sorted(self.rows, key=lambda row: (order.index(row.fault), row.injected))]


def table(lines: Sequence[str]) -> str:
    """Return the whole table."""
    return "\n".join([f"| {' | '.join(_HEAD)} |", f"| {' | '.join('---' for _ in _HEAD)} |", *lines])


def committed_lines() -> list[str]:
    """Return the rows that the notes have."""
    text = PAGE.read_text("utf-8")
    return [line for line in text[text.index(BEGIN) : text.index(END)].splitlines() if line.startswith("| F")]


def write(lines: Sequence[str]) -> None:
    """Put the table into the notes."""
    text = PAGE.read_text("utf-8")
    head, tail = text[: text.index(BEGIN)], text[text.index(END) :]
    PAGE.write_text(f"{head}{BEGIN}\n\n{table(lines)}\n\n{tail}", "utf-8")


def same(line: str) -> str:
    """Return a row without the numbers that depend on the moment."""
    cells = line.split(" | ")
    return " | ".join([cells[0], *map(masked, cells[1:])])


def injected(parameters: dict[str, object]) -> str:
    """Return how a fault was ordered, in words."""
    shown = {name: value for name, value in parameters.items() if name not in {"since", "until"}}
    return ", ".join(f"{name} {value}" for name, value in shown.items()) or "as it is"


def did(seen: Seen, beside: Seen) -> str:
    """Return what the collector did, judged by what came out."""
    if not seen.readings and not seen.frames:
        is_failed = any(report.status is HealthStatus.FAILED for report in seen.reports)
        return "refused every look, tried again with growing pauses" + (
            ", called the sensor failed" if is_failed else ""
        )
    if seen.misses:
        return "refused what was wrong, tried again, published the rest"
    said = {reading.quality.check for reading in seen.readings if reading.quality}
    flags = {flag for frame in seen.frames for flag in frame.flags}
    if said or flags:
        return f"published everything, flagged: {', '.join(sorted(filter(None, said | flags)))}"
    return f"published every reading, {'right ones alone' if _is_like(seen, beside) else 'as the chip said it'}"


def _is_like(seen: Seen, beside: Seen) -> bool:
    """Return whether values are those of the healthy sensor: as large, and as lively."""
    is_as_large = abs(statistics.median(seen.values) / statistics.median(beside.values) - 1.0) < 0.02
    return is_as_large and 0.0 < spread(seen.values) < 3.0 * spread(beside.values)


def sees(seen: Seen, beside: Seen) -> str:
    """Return what a person sees: why there is nothing, what is doubted, or a value beside that of a healthy sensor."""
    words = [f"health: {seen.whys[0]}"] if seen.whys else []
    words += [f"quality: {seen.doubts[0]}"] if seen.doubts else []
    flags = sorted({flag for frame in seen.frames for flag in frame.flags})
    words += [f"the picture's flag: {', '.join(flags)}"] if flags else []
    if not words:
        mine, other = statistics.median(seen.values), statistics.median(beside.values)
        words = [f"good readings around {mine:.0f} {seen.readings[0].unit}; a healthy sensor has {other:.0f}"]
    return re.sub(r"\s+", " ", "; ".join(words))
