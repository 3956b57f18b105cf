"""Charts are what the readings of their range give, whichever roll-ups they come from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import Series, SeriesQuery
from dt.utils.exceptions import MessageError
from tests.data.readings import NOW, make_reading

_STEP_S = 47
_COUNT = 8000  # 4.4 d
_VALUES = [20 + 10 * math.sin(i / 90) + i % 7 / 10 for i in range(_COUNT)]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLStorage]:
    """Return a store with a line of four days."""
    made = SQLStorage(SQLiteFile(tmp_path_factory.mktemp("series") / "store.db"))
    made.insert([make_reading(timestamp=NOW + _STEP_S * i, value=value) for i, value in enumerate(_VALUES)])
    yield made
    made.close()


def ask(storage: SQLStorage, since: float, until: float, points: int = 500, **more: object) -> Series:
    """Return a line of temperatures."""
    fields = {"data_type": "temperature", "since": since, "until": until, "points": points, **more}
    return storage.series(SeriesQuery.from_dict(fields))


def within(since: float, until: float) -> list[float]:
    """Return the values of a range."""
    return [value for i, value in enumerate(_VALUES) if since <= NOW + _STEP_S * i < until]


@hypothesis_settings(max_examples=40)
@given(st.integers(-4000, 380_000), st.integers(1, 400_000), st.integers(1, 1000))
def test_every_reading_of_a_range_counts_once(storage: SQLStorage, begin: int, span: int, points: int) -> None:
    """The ends of a range cut through hours, and their readings are exactly those asked for."""
    since, until = NOW + begin + 0.5, NOW + begin + span + 0.5

    found = ask(storage, since, until, points)

    assert sum(found.n) == len(within(since, until))
    for t, low, mean, high, n in zip(found.t, found.min, found.mean, found.max, found.n, strict=True):
        mine = within(max(since, t), min(until, t + found.resolution_s))
        assert (low, high, n) == (min(mine), max(mine), len(mine))
        assert math.isclose(mean, math.fsum(mine) / n, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Asia/Kolkata", "2026-03-29", 24),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ],
)
def test_local_day_has_its_own_length(tmp_path: Path, zone: str, day: str, hours: float) -> None:
    """Days of 23 and 25 h when the clocks change, and of zones half an hour beside the others."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).timestamp()
    storage = SQLStorage(SQLiteFile(tmp_path / "days.db"))
    storage.insert([make_reading(timestamp=midnight + 900 * i + 1, value=i) for i in range(-192, 192)])

    found = ask(storage, midnight - 86_400, midnight + 2 * 86_400, 5, resolution="day", timezone=zone)

    index = found.t.index(midnight)
    assert found.n[index] == hours * 4
    assert found.min[index] == 0
    assert found.max[index] == hours * 4 - 1
    assert found.t[index + 1] == midnight + hours * 3600
    assert found.resolution_s == 86_400
    storage.close()


def test_days_without_a_zone_are_those_of_utc(storage: SQLStorage) -> None:
    """And the ends of the range cut the first and the last."""
    found = ask(storage, NOW, NOW + 3 * 86_400, resolution="day")

    assert [t % 86_400 for t in found.t] == [0] * 4
    assert sum(found.n) == len(within(NOW, NOW + 3 * 86_400))


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("timezone", {"timezone": "Mars/Olympus"}),
        ("timezone", {"timezone": "../x"}),
        ("resolution", {"resolution": "week"}),
    ],
)
def test_unknown_zone_and_resolution_are_refused(storage: SQLStorage, field: str, more: dict[str, object]) -> None:
    """The error names the field."""
    with pytest.raises(MessageError) as refused:
        ask(storage, NOW, NOW + 10, **more)

    assert refused.value.field == field


def test_more_days_than_points_are_refused(storage: SQLStorage) -> None:
    """A day cannot be made wider."""
    with pytest.raises(MessageError, match="points"):
        ask(storage, NOW, NOW + 40 * 86_400, 30, resolution="day")


@pytest.mark.parametrize("span", [0.001, 3600.0])
def test_range_without_readings_is_an_empty_line(storage: SQLStorage, span: float) -> None:
    """Also one of a millisecond."""
    found = ask(storage, NOW - 9000.0, NOW - 9000.0 + span)

    assert (found.t, found.min, found.mean, found.max, found.n) == ([], [], [], [], [])


def test_sum_beyond_the_largest_number_gives_a_line(tmp_path: Path) -> None:
    """What an outsider may send never makes an answer fail."""
    storage = SQLStorage(SQLiteFile(tmp_path / "large.db"))
    storage.insert([make_reading(timestamp=NOW + i, value=1.7e308) for i in range(3)])

    assert ask(storage, NOW - 1, NOW + 10).max == [1.7e308] * 3
    assert ask(storage, NOW - 1, NOW + 86_400).mean == [1.7e308]
    storage.close()
