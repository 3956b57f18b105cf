"""How results look on stdout: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TextIO


def print_json(value: object) -> None:
    """Write one JSON value."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table whose columns are as wide as their contents."""
    for line in table(head, rows):
        sys.stdout.write(line + "\n")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a table.

    >>> table(["name", "n"], [["alerts", 1], ["ai", 20]])
    ['name    n', 'alerts  1', 'ai      20']
    """
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def say(text: str, stream: TextIO | None = None) -> None:
    """Write one line of progress to stderr."""
    out = sys.stderr if stream is None else stream
    out.write(text + "\n")
    out.flush()


def duration(seconds: float) -> str:
    """Return a duration as people say it.

    >>> duration(7.4), duration(75), duration(3700), duration(200_000)
    ('7 s', '1 min 15 s', '1 h 1 min', '2 d 7 h')
    """
    whole = int(seconds)
    for size, unit, smaller_size, smaller in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller_size} {smaller}"
    return f"{whole} s"
