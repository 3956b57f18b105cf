"""A camera's pictures as runs of unbroken sequence numbers, as `Storage.runs` gives those of other sensors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from dt.data.database.reading_runs import NEIGHBOURS, Row, run_of, runs_in_order
from dt.data.database.record_keepers import ms
from dt.data.database.storage import Run
from dt.data.database.tables import FRAMES

_AT_ONCE = 1000  # bodies of pictures in memory


class _Numbered(msgspec.Struct):
    boot_id: str = ""
    sequence: int = 0
    origin: str = "live"


def frame_runs(
    connection: Connection, sensor_id: str, since: float, until: float, cuts: Sequence[int] = ()
) -> list[Run]:
    """Return the runs of a range, cut at its ends and before the numbers `cuts`, with its neighbours."""
    rows = list(_rows(connection, sensor_id, ms(since), ms(until)))
    if not rows:
        return []
    ends, numbers = (ms(since), ms(until)), set(cuts)
    breaks = [i for i, (one, two) in enumerate(pairwise(rows), 1) if _is_break(one, two, ends, numbers)]
    runs = [run_of(rows[first], rows[end - 1]) for first, end in pairwise([0, *breaks, len(rows)])]
    return runs_in_order(runs, (since, until), numbers)


def _rows(connection: Connection, sensor_id: str, since_ms: int, until_ms: int) -> Iterator[Row]:
    """Yield the pictures of a range with the last ones before it and the first after it, oldest first."""
    at = FRAMES.c.timestamp_ms
    of_sensor = select(at, FRAMES.c.body).where(FRAMES.c.sensor_id == sensor_id)
    before = connection.execute(of_sensor.where(at < since_ms).order_by(at.desc()).limit(NEIGHBOURS)).fetchall()
    yield from map(_numbered, before[::-1])
    inside = of_sensor.where(at >= since_ms, at < until_ms).order_by(at)
    yield from map(_numbered, connection.execute(inside, execution_options={"yield_per": _AT_ONCE}))
    yield from map(_numbered, connection.execute(of_sensor.where(at >= until_ms).order_by(at).limit(1)))


def _numbered(found: Any) -> Row:
    said = msgspec.json.decode(found.body, type=_Numbered)
    return found.timestamp_ms, sys.intern(said.boot_id), said.sequence, sys.intern(said.origin)


def _is_break(one: Row, two: Row, ends: Sequence[int], cuts: set[int]) -> bool:
    """Return whether a run ends between two pictures."""
    if two[1] != one[1] or two[2] != one[2] + 1 or two[2] in cuts:
        return True
    return any(one[0] < end <= two[0] for end in ends)
