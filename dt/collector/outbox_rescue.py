"""What a corrupt outbox still gives: everything but the pages that cannot be read, passed on in small pieces."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from dt.collector.outbox_record import COLUMNS, Kept, kept_of

_AT_ONCE, _BYTES_AT_ONCE = 500, 2 * 1024 * 1024  # what passes through memory at a time
_FARTHEST = 2**40  # numbers beyond an unreadable one that are tried
_KEPT_ASIDE = 3  # corrupt files; each may be as large as the outbox's bound
_FROM = f"SELECT {COLUMNS} FROM records WHERE id >= ? ORDER BY id LIMIT ?"  # noqa: S608 - a constant
_PARTS = ("", "-wal", "-shm")
_UNREADABLE = (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError)

Write = Callable[[list[Kept]], None]


@dataclass(slots=True)
class Rescue:
    """What was taken over of a corrupt file, and between which numbers (exclusive; None: not known) nothing was."""

    saved: int = 0
    holes: list[tuple[int | None, int | None]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def unreadable(self) -> int:
        """Return how many numbers were skipped; a hole at an end, whose width nobody knows, counts for one."""
        return sum(1 if first is None or last is None else last - first - 1 for first, last in self.holes)

    def __str__(self) -> str:
        """Return the line for the log."""
        holes = "; ".join(f"between {first or 'the begin'} and {last or 'the end'}" for first, last in self.holes)
        return f"{self.saved} records were saved, {self.unreadable} could not be read ({holes or 'no hole'})"


def rescue(path: Path, write: Write) -> Rescue:
    """Pass on, in order, whatever can be read; errors of `write` are the caller's."""
    found = Rescue()
    last, begin = 0, 0
    with contextlib.closing(sqlite3.connect(path)) as db:
        reader = _Reader(db)
        while True:
            for piece in reader.pieces(begin):
                if begin > last + 1:
                    found.holes.append((last or None, piece[0].id))
                write(piece)
                found.saved += len(piece)
                last = begin = piece[-1].id
            following = reader.next_readable(last + 1) if reader.has_failed else None
            if following is None:
                if reader.has_failed or begin > last + 1:
                    found.holes.append((last or None, None))
                break
            begin = following
        found.notes = reader.notes()
    return found


def move_aside(path: Path) -> Path:
    """Give a corrupt file another name, and take off all but the newest of those; return the name."""
    numbers = sorted(_numbers_aside(path))
    aside = _aside(path, numbers[-1] + 1 if numbers else 1)
    for suffix in _PARTS:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    for number in numbers[: -(_KEPT_ASIDE - 1)]:
        remove(_aside(path, number))
    return aside


def remove(path: Path) -> None:
    """Delete a file with its log, where there is one."""
    for suffix in _PARTS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class _Reader:
    """Reads past what cannot be read; which row failed is known by the last one that did not."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.has_failed = False
        with contextlib.suppress(sqlite3.Error):
            db.execute("PRAGMA locking_mode = EXCLUSIVE")

    def pieces(self, begin: int) -> Iterator[list[Kept]]:
        """Return the records from a number on, until the end or the first that cannot be read."""
        self.has_failed = False
        piece: list[Kept] = []
        try:
            for row in self._db.execute(_FROM, (begin, -1)):
                piece.append(kept_of(row))
                if len(piece) >= _AT_ONCE or sum(kept.size for kept in piece) >= _BYTES_AT_ONCE:
                    yield piece
                    piece = []
        except _UNREADABLE:
            self.has_failed = True
        if piece:
            yield piece

    def next_readable(self, unreadable: int) -> int | None:
        """Return the least number beyond, by doubling and then halving the step, from which on something is read."""
        step = 1
        while not self._can_read(unreadable + step):
            step *= 2
            if step > _FARTHEST:
                return None
        below = step // 2
        while step - below > 1:
            middle = (below + step) // 2
            below, step = (below, middle) if self._can_read(unreadable + middle) else (middle, step)
        return unreadable + step

    def notes(self) -> list[tuple[str, str]]:
        """Return the notes, if they can be read."""
        try:
            return [(str(name), str(text)) for name, text in self._db.execute("SELECT name, text FROM notes")]
        except _UNREADABLE:
            return []

    def _can_read(self, begin: int) -> bool:
        try:
            for row in self._db.execute(_FROM, (begin, 1)):
                kept_of(row)
        except _UNREADABLE:
            return False
        return True


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.corrupt-{number}")


def _numbers_aside(path: Path) -> Iterator[int]:
    for part in path.parent.glob(f"{path.name}.corrupt-*"):
        number = part.name.rpartition("-")[2]
        if number.isdecimal():
            yield int(number)
