"""What the daily integrity check looks at; each look has a limit of time, and goes on elsewhere the next day.

What was found damaged is looked at first every day: it must not seem whole because something else was chosen.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sqlalchemy import func, select

from dt.data.database.frame_files import FrameFiles
from dt.data.database.integrity import Check
from dt.data.database.record_keepers import ms
from dt.data.database.records_db import RecordsDB
from dt.data.database.rollups import HOUR_S, Mismatch, verify_hour
from dt.data.database.tables import FRAMES
from dt.utils.clock import Clock
from dt.utils.exceptions import StorageError

WITHIN_S = 60.0

_Damage = TypeVar("_Damage")
_Place = TypeVar("_Place")

_HOURS_OF_A_SERIES = 12  # half of a day's
_PICTURES = 500
_SETTLED_S = 86_400.0  # a picture's record may come before the picture itself
_MOST_OF_A_TABLE = 5
_STEPS_BETWEEN = 10_000  # of SQLite's machine, some milliseconds

_SERIES = (
    "SELECT series_id, sensor_id, data_type FROM series WHERE series_id NOT IN (SELECT series_id FROM rollups_due)"
)
_SPAN = "SELECT min(timestamp_ms), max(timestamp_ms) FROM readings WHERE series_id = ?"


def file_check(path: Path, clock: Clock, within_s: float = WITHIN_S) -> Check:
    """Return a look at the structure of a SQLite file, table by table; the next one begins where it had to end."""
    first = 0
    damaged: set[str] = set()

    def look() -> Sequence[str]:
        nonlocal first
        ends_s = clock.monotonic() + within_s
        found: list[str] = []
        try:
            with closing(_reader(path)) as db:
                db.set_progress_handler(lambda: clock.monotonic() > ends_s, _STEPS_BETWEEN)
                tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
                first = first % max(1, len(tables))
                again = sorted(damaged.intersection(tables))
                for place, name in enumerate((*again, *tables[first:], *tables[:first])):
                    is_first = place < len(again)
                    if is_first or name not in again:
                        found += _noted(_quick_check(db, name), name, damaged)
                    first += not is_first
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                first += 1  # a table that takes longer than that does not keep the others from their turn
            elif not found:
                raise StorageError(f"{path}: {error}") from error
        except sqlite3.DatabaseError as error:  # so damaged that it cannot be looked at
            found.append(str(error))
        return [f"{path}: {why}" for why in found]

    return look


def rollups_check(path: Path, clock: Clock, dice: random.Random, within_s: float = WITHIN_S) -> Check:
    """Return a look at some hours of each series: are their roll-ups what the raw readings give?"""
    damaged: set[tuple[int, int]] = set()  # series and hours

    def look() -> Sequence[str]:
        ends_s = clock.monotonic() + within_s
        found: list[Mismatch] = []
        try:
            with closing(_reader(path)) as db:
                series = db.execute(_SERIES).fetchall()
                dice.shuffle(series)
                known = {one[0]: one for one in series}
                chosen = ((one[0], hour_s) for one in series for hour_s in _some_hours(db, one[0], dice))
                again = [place for place in sorted(damaged) if place[0] in known]
                for place in (*again, *(place for place in chosen if place not in again)):
                    if clock.monotonic() > ends_s:
                        break
                    found += _noted(verify_hour(db, known[place[0]], place[1]), place, damaged)
        except sqlite3.Error as error:
            raise StorageError(f"{path}: {error}") from error
        return [
            f"{path}: the roll-up of {one.sensor_id} ({one.data_type}, {one.width_s} s) at {one.begin_s} is not"
            " what its readings give"
            for one in found
        ]

    return look


def pictures_check(
    db: RecordsDB, files: FrameFiles, clock: Clock, dice: random.Random, within_s: float = WITHIN_S
) -> Check:
    """Return a look at pictures that records name, chosen at random: are they there, and what they were?"""
    damaged: set[str] = set()

    def look() -> Sequence[str]:
        ends_s = clock.monotonic() + within_s
        found: list[str] = []
        chosen = _some_pictures(db, clock.wall() - _SETTLED_S, dice)
        for sha256 in dict.fromkeys((*sorted(damaged), *chosen)):
            if clock.monotonic() > ends_s:
                break
            found += _noted(_damage_of(sha256, db, files), sha256, damaged)
        return found

    return look


def _damage_of(sha256: str, db: RecordsDB, files: FrameFiles) -> list[str]:
    jpeg = files.read(sha256)
    if jpeg is None:  # thinning may have removed both meanwhile
        return [f"picture {sha256}.jpg is gone"] if _is_named(db, sha256) else []
    return [f"picture {sha256}.jpg is not what it was"] if hashlib.sha256(jpeg).hexdigest() != sha256 else []


def _noted(found: list[_Damage], place: _Place, damaged: set[_Place]) -> list[_Damage]:
    """Keep in mind whether a place is damaged, and return what was found there."""
    if found:
        damaged.add(place)
    else:
        damaged.discard(place)
    return found


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0, isolation_level=None)


def _quick_check(db: sqlite3.Connection, table: str) -> list[str]:
    name = table.replace("'", "''")
    rows = db.execute(f"PRAGMA quick_check('{name}')").fetchmany(_MOST_OF_A_TABLE)
    return [f"{table}: {why}" for (why,) in rows if why != "ok"]


def _some_hours(db: sqlite3.Connection, series_id: int, dice: random.Random) -> list[int]:
    """Return hours of the raw readings' span; those that retention sealed are older."""
    first_ms, last_ms = db.execute(_SPAN, (series_id,)).fetchone()
    if first_ms is None:
        return []
    sealed = db.execute(
        "SELECT begin_s FROM sealed_hours WHERE series_id = ? AND begin_s >= ?", (series_id, first_ms // 1000 - HOUR_S)
    )
    hours = range(first_ms // 1000 // HOUR_S, last_ms // 1000 // HOUR_S + 1)
    gone = {begin_s for (begin_s,) in sealed}
    chosen = dice.sample(hours, min(len(hours), _HOURS_OF_A_SERIES))
    return [hour * HOUR_S for hour in sorted(chosen) if hour * HOUR_S not in gone]


def _some_pictures(db: RecordsDB, before: float, dice: random.Random) -> list[str]:
    settled = FRAMES.c.timestamp_ms < ms(before)
    with db.read() as connection:
        first, last = connection.execute(
            select(func.min(FRAMES.c.row_id), func.max(FRAMES.c.row_id)).where(settled)
        ).one()
        if first is None:
            return []
        rows = dice.sample(range(first, last + 1), min(last + 1 - first, _PICTURES))
        wanted = select(FRAMES.c.sha256).where(settled, FRAMES.c.row_id.in_(rows), FRAMES.c.sha256 != "").distinct()
        return list(connection.scalars(wanted))


def _is_named(db: RecordsDB, sha256: str) -> bool:
    with db.read() as connection:
        return connection.scalar(select(FRAMES.c.sha256).where(FRAMES.c.sha256 == sha256).limit(1)) is not None


def checks_of(
    readings: Path | None, db: RecordsDB, records: Path | None, files: FrameFiles, clock: Clock
) -> dict[str, Callable[[], Sequence[str]]]:
    """Return all looks of an installation; a server checks its own files."""
    dice = random.Random()  # noqa: S311 - a choice of samples
    checks: dict[str, Check] = {"pictures": pictures_check(db, files, clock, dice)}
    if records is not None:
        checks["records"] = file_check(records, clock)
    if readings is not None:
        checks["readings"] = file_check(readings, clock)
        checks["roll-ups"] = rollups_check(readings, clock, dice)
    return checks
