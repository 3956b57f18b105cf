"""Old readings go, their roll-ups stay, and nothing goes unproven."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dt.data.database import retention as module
from dt.data.database.retention import Removed, Retention
from dt.data.database.rollups import verify_rollups
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import Series, SeriesQuery
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import DBTimestampQuery, SensorData
from dt.utils.exceptions import MessageError
from tests.data.readings import NOW, make_reading

HOUR = NOW // 3600 * 3600
OLD = HOUR - 100 * 86_400
DAYS_90 = 90.0

Eventually = Callable[[Callable[[], object], str], None]


@pytest.fixture
def storage(file: SQLiteFile) -> Iterator[SQLStorage]:
    """Return a store with three old hours and a new one, a reading a minute."""
    made = SQLStorage(file)
    made.insert([make_reading(timestamp=begin + 60 * i, value=i / 7) for begin in (OLD, NOW) for i in range(180)])
    yield made
    made.close()


def retention(
    file: SQLiteFile, clock: ManualClock, *archived: str, days: float = DAYS_90, is_synced: bool = True
) -> Retention:
    """Return the job, not started, by a clock that the kernel calls synchronised or not."""
    return Retention(file, clock, days, lambda: archived, lambda: is_synced)


def raw(storage: SQLStorage) -> list[SensorData]:
    """Return all readings that are still there."""
    return storage.between(DBTimestampQuery.from_dict({"data_type": "temperature", "since": 0, "until": 3e9}))


def line(storage: SQLStorage, begin: float = OLD, points: int = 3) -> Series:
    """Return three hours as a chart has them."""
    fields = {"data_type": "temperature", "since": begin, "until": begin + 10_800, "points": points}
    return storage.series(SeriesQuery.from_dict(fields))


@pytest.mark.parametrize("points", [3, 180])
def test_old_readings_go_and_their_line_stays(
    file: SQLiteFile, storage: SQLStorage, clock: ManualClock, points: int
) -> None:
    """The chart of an old day looks as before, down to its minutes."""
    before = line(storage, points=points)

    removed = retention(file, clock).remove()

    assert removed == Removed(readings=180)
    assert len(raw(storage)) == 180
    assert line(storage, points=points) == before
    assert sum(before.n) == 180


def test_chart_without_raw_readings_has_minutes(file: SQLiteFile, storage: SQLStorage, clock: ManualClock) -> None:
    """What would be drawn of raw readings is drawn of the finest that is left."""
    retention(file, clock).remove()

    found = line(storage, points=5000)

    assert (found.resolution_s, sum(found.n)) == (60.0, 180)


def test_a_second_run_finds_nothing_more(file: SQLiteFile, storage: SQLStorage, clock: ManualClock) -> None:
    """Removal is idempotent, and verified hours are left out of a later verification."""
    retention(file, clock).remove()

    assert retention(file, clock).remove() == Removed()
    assert verify_rollups(file.path) == []
    assert len(raw(storage)) == 180


def test_nothing_is_removed_when_kept_for_ever(file: SQLiteFile, storage: SQLStorage, clock: ManualClock) -> None:
    """0 days mean for ever."""
    assert retention(file, clock, days=0.0).remove() == Removed()
    assert len(raw(storage)) == 360


def test_readings_of_archived_plants_stay(file: SQLiteFile, storage: SQLStorage, clock: ManualClock) -> None:
    """A replayed file is old by nature: those of its plant and those of its zone's air."""
    storage.insert([make_reading("leaf", timestamp=OLD, plant_id="fern", zone_id="fern")])
    storage.insert([make_reading("air", timestamp=OLD, zone_id="fern")])
    storage.insert([make_reading("other", timestamp=OLD, plant_id="basil")])

    retention(file, clock, "fern").remove()

    assert {reading.sensor_id for reading in raw(storage) if reading.timestamp < NOW} == {"leaf", "air"}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE rollups SET count = count + 1 WHERE width_s = 3600",
        "UPDATE rollups SET min = min - 1 WHERE width_s = 300",
        "UPDATE rollups SET max = max + 1 WHERE width_s = 60",
        "UPDATE rollups SET total = total * 1.001",
        "DELETE FROM rollups WHERE width_s = 60",
        "DELETE FROM rollups",
    ],
)
def test_wrong_roll_up_is_repaired_before_anything_goes(
    file: SQLiteFile, storage: SQLStorage, clock: ManualClock, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """The readings stay until a later run finds both equal."""
    with file.write() as db:
        db.execute(damage)
    job = retention(file, clock)

    first = job.remove()

    assert first == Removed(repaired=3)
    assert len(raw(storage)) == 360
    assert "were not what its readings give" in caplog.text
    assert job.remove() == Removed(readings=180)
    assert [round(n) for n in line(storage).n] == [60, 60, 60]


def test_reading_that_comes_after_its_hour_was_sealed_changes_no_roll_up(
    file: SQLiteFile, storage: SQLStorage, clock: ManualClock
) -> None:
    """A log replayed from long ago must not leave one reading where there were sixty."""
    before = line(storage)
    job = retention(file, clock)
    job.remove()

    storage.insert([make_reading(timestamp=OLD + 60, value=99.0), make_reading(timestamp=OLD + 86_400, value=1.0)])

    assert line(storage) == before
    assert sum(line(storage, OLD + 86_400).n) == 1
    assert job.remove() == Removed(readings=2)
    assert line(storage) == before


def test_removed_readings_are_not_taken_for_lost(file: SQLiteFile, storage: SQLStorage, clock: ManualClock) -> None:
    """An account of gaps begins where raw readings do."""
    retention(file, clock).remove()

    with pytest.raises(MessageError, match="older raw readings were removed") as refused:
        storage.runs("air-t", OLD, OLD + 9000)

    assert refused.value.field == "since"
    assert sum(run.count for run in storage.runs("air-t", NOW, NOW + 60)) >= 1


def test_hour_of_many_readings_goes_in_pieces(
    file: SQLiteFile, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction removes more than a piece: recording goes on between them."""
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 100)
    storage = SQLStorage(file)
    storage.insert([make_reading(timestamp=OLD + i, caused_by=["p"]) for i in range(450)])
    seen: list[str] = []
    with file.write() as db:
        db.set_trace_callback(lambda text: seen.append(text.split()[0]))

    assert retention(file, clock).remove() == Removed(readings=450)

    steps = [word for word in seen if word in ("COMMIT", "INSERT")]
    assert steps == ["COMMIT", *["INSERT", "COMMIT"] * 5]
    with file.read() as db:
        assert db.execute("SELECT count(*) FROM causes").fetchone() == (0,)
    storage.close()


def test_space_is_given_back(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file shrinks when what it held is gone."""
    monkeypatch.setattr(module, "_PAGES_KEPT", 10)
    file = SQLiteFile(tmp_path / "large.db")
    storage = SQLStorage(file)
    storage.insert([make_reading(timestamp=OLD + i, correlation_id="x" * 200 + str(i)) for i in range(20_000)])

    retention(file, clock).remove()

    assert file.free_pages() <= 10
    storage.close()
    assert file.path.stat().st_size < 1_000_000


def test_clock_that_jumps_removes_nothing(
    file: SQLiteFile, storage: SQLStorage, clock: ManualClock, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    """A clock in 2049 makes every reading old; the job waits until it has been steady for an hour."""
    job = retention(file, clock)
    clock.set_wall(2_500_000_000.0)

    stop = job.start()
    eventually(lambda: "the clock jumped" in caplog.text, "the jump is noticed")
    stop()

    assert len(raw(storage)) == 360


@pytest.mark.parametrize(("is_synced", "ahead_days"), [(True, 120.0), (True, 22 * 365.0), (False, 95.0)])
def test_clock_that_is_ahead_at_the_start_removes_nothing(
    file: SQLiteFile,
    storage: SQLStorage,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    eventually: Eventually,
    is_synced: bool,
    ahead_days: float,
) -> None:
    """No process saw it jump, and nothing was stored of the days before; nor does it after another start."""
    clock.set_wall(NOW + ahead_days * 86_400)

    for start in range(1, 3):
        stop = retention(file, clock, is_synced=is_synced).start()
        eventually(
            lambda start=start: caplog.text.count("once the clock can be believed") == start,  # type: ignore[misc]
            "the clock is not believed",
        )
        stop()
        storage.insert([make_reading(timestamp=clock.wall(), value=1.0)])
        clock.advance(7200.0)

    assert len(raw(storage)) == 362


_CLOCK_BAD = {"verdict": "bad", "check": "clock_time", "why": "the reading's time is before 2015"}


@pytest.mark.parametrize("is_synced", [True, False])
def test_reading_of_the_year_2000_does_not_hold_up_a_young_store(
    file: SQLiteFile, clock: ManualClock, eventually: Eventually, is_synced: bool
) -> None:
    """A clock without a battery gave it; it goes as anything that old does, and what is young stays."""
    young = SQLStorage(file)
    young.insert([make_reading("lost", timestamp=946_684_800.0, quality=_CLOCK_BAD)])
    young.insert([make_reading(timestamp=NOW - 3600 * hour) for hour in range(72)])

    stop = retention(file, clock, is_synced=is_synced).start()
    eventually(lambda: len(raw(young)) == 72, "what is old is gone")
    stop()

    assert min(reading.timestamp for reading in raw(young)) == NOW - 3600 * 71
    young.close()


@pytest.mark.parametrize(("is_synced", "ahead_days"), [(True, 120.0), (True, 22 * 365.0), (False, 95.0)])
@pytest.mark.parametrize("is_bad", [True, False])
def test_reading_of_the_year_2000_makes_no_clock_believed_that_is_ahead(
    file: SQLiteFile,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    eventually: Eventually,
    is_synced: bool,
    ahead_days: float,
    is_bad: bool,
) -> None:
    """Not even where all else was called bad because the log's clock stood behind: those times may be right."""
    young = SQLStorage(file)
    quality = {**_CLOCK_BAD, "why": "the reading's time is 900 s ahead of its arrival"} if is_bad else None
    young.insert([make_reading("lost", timestamp=946_684_800.0, quality=_CLOCK_BAD)])
    young.insert([make_reading(timestamp=NOW - 3600 * hour, quality=quality) for hour in range(72)])
    clock.set_wall(NOW + ahead_days * 86_400)

    stop = retention(file, clock, is_synced=is_synced).start()
    eventually(lambda: "once the clock can be believed" in caplog.text, "the clock is not believed")
    stop()

    assert len(raw(young)) == 73
    young.close()


def test_it_runs_once_a_day(file: SQLiteFile, storage: SQLStorage, clock: ManualClock, eventually: Eventually) -> None:
    """What grew old since goes the next day."""
    storage.insert([make_reading(timestamp=NOW - 20 * 86_400), make_reading(timestamp=NOW + 70 * 86_400)])
    stop = retention(file, clock).start()
    eventually(lambda: len(raw(storage)) == 182, "the old ones are gone")

    clock.advance(90.2 * 86_400)

    eventually(lambda: len(raw(storage)) == 1, "all but the last are gone")
    stop()
