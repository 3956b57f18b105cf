"""Charts of what was worked out before equal those worked out anew, whatever is written in between."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from dt.data.database.chart_cache import ChartCache, Columns, Span
from dt.data.database.retention import Retention
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import SeriesQuery
from dt.utils.clock import ManualClock
from tests.data.readings import NOW, make_reading

MINUTE_MS = 60_000
KEY = ("line", MINUTE_MS)


@pytest.fixture
def storage(file: SQLiteFile) -> Iterator[SQLStorage]:
    """Return an empty store."""
    made = SQLStorage(file)
    yield made
    made.close()


def columns(*buckets: int) -> Columns:
    """Return buckets of one reading each."""
    values = [float(bucket) for bucket in buckets]
    return list(buckets), values, values, values, [1] * len(buckets)


def cached(cache: ChartCache, *buckets: int, key: tuple[str, int] = KEY) -> None:
    """Keep buckets 0 to 100, of which some are not empty."""
    with cache.reading() as look:
        look.keep(key, ["s"], Span(0, 100, columns(*buckets)))


@pytest.mark.parametrize("seed", range(6))
def test_charts_equal_those_without_what_is_known(
    file: SQLiteFile, storage: SQLStorage, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Late readings, revisions that move to another plant, bad ones, retention, in any order with moving ranges."""
    dice = random.Random(seed)
    end = NOW
    for _step in range(60):
        end += dice.choice([5.0, 60.0, 700.0])
        batch = [
            make_reading(
                dice.choice(["a", "b"]),
                timestamp=round(end - dice.choice([0.0, dice.uniform(0, 90_000)]), 3),
                value=dice.gauss(20, 3),
                revision=dice.randrange(3),
                plant_id=dice.choice([None, "basil", "mint"]),
                quality={"verdict": dice.choice(["good", "bad"])},
            )
            for _reading in range(dice.choice([1, 30]))
        ]
        storage.insert(batch)
        if dice.random() < 0.05:
            Retention(file, ManualClock(end), 0.5).remove()
        for span_s in dice.sample([3600.0, 30_000.0, 86_400.0, 200_000.0], 2):
            until = end + dice.choice([0.0, 0.001, 200.0])
            fields = {"data_type": "temperature", "since": until - span_s, "until": until, "points": 60}
            fields |= dice.choice([{}, {"sensor_id": "a"}, {"plant_id": "basil"}, {"zone_id": "box"}])
            query = SeriesQuery.from_dict(fields)
            known = storage.series(query)
            with monkeypatch.context() as without:
                without.setattr(file, "charts", ChartCache())
                assert known == storage.series(query)


def test_what_is_written_while_a_chart_is_read_is_not_kept_as_it_was() -> None:
    """The look may have begun before the write, and ends after it."""
    cache = ChartCache()
    with cache.reading() as look:
        cache.forget({"s": 50 * MINUTE_MS, "other": 0})
        look.keep(KEY, ["s"], Span(0, 100, columns(10, 49, 50, 60)))

    found = cache.find(KEY)

    assert found is not None
    assert (found.end, found.columns[0]) == (50, [10, 49])


def test_write_that_nobody_describes_makes_all_forgotten() -> None:
    """Also what is being read at that moment."""
    cache = ChartCache()
    cached(cache, 1, 2)
    with cache.reading() as look:
        cache.forget(None)
        look.keep(("other", MINUTE_MS), ["s"], Span(0, 100, columns(1)))

    assert cache.find(KEY) is None
    assert cache.find(("other", MINUTE_MS)) is None


def test_it_is_bounded_and_what_was_not_asked_for_longest_goes_first() -> None:
    """By buckets, whatever their lines."""
    cache = ChartCache(most_buckets=5)
    cached(cache, 1, 2, key=("one", MINUTE_MS))
    cached(cache, 1, 2, key=("two", MINUTE_MS))
    assert cache.find(("one", MINUTE_MS)) is not None

    cached(cache, 1, 2, key=("three", MINUTE_MS))

    assert [cache.find((name, MINUTE_MS)) is not None for name in ("one", "two", "three")] == [True, False, True]
