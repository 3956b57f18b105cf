"""What InfluxDBStorage promises beyond the contract: roll-ups, retention, refusals, outages, any text."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.frame_files import FrameFiles
from dt.data.database.influx_charts import Charts
from dt.data.database.influx_check import influx_rollups_check
from dt.data.database.influx_lines import LineWriter
from dt.data.database.influx_retention import InfluxRetention
from dt.data.database.influx_rollups import HOUR_MS, LEVELS
from dt.data.database.influx_server import InfluxServer
from dt.data.database.influx_storage import InfluxDBStorage
from dt.data.database.recorder import Recorder
from dt.data.database.records import Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import PartlyRefusedError, Series, SeriesQuery
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import DBIdQuery, DBTimestampQuery, SensorData
from dt.utils.exceptions import MessageError, StorageError
from dt.utils.ids import new_correlation_id
from tests.data.readings import NOW, make_reading
from tests.integration.influx import ORG, Influx

pytestmark = pytest.mark.integration

DAY_S = 86_400.0
Eventually = Callable[[Callable[[], object], str], None]


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of the stores."""
    return ManualClock(wall=NOW + 30.0)


@pytest.fixture
def server(influx: Influx) -> InfluxServer:
    """Return a client of a bucket of the test's own."""
    return InfluxServer(influx.url, influx.token, ORG, influx.new_bucket())


@pytest.fixture
def storage(server: InfluxServer, clock: ManualClock) -> Iterator[InfluxDBStorage]:
    """Return an empty store."""
    opened = InfluxDBStorage(server, clock)
    opened.set_up()
    yield opened
    opened.close()


def kept(storage: InfluxDBStorage) -> list[SensorData]:
    """Return all temperatures."""
    return storage.between(DBTimestampQuery.from_dict({"data_type": "temperature", "since": 0, "until": 9e9}))


def chart(storage: InfluxDBStorage | SQLStorage, since: float, until: float, points: int) -> Series:
    """Return the line of temperatures."""
    query = {"data_type": "temperature", "since": since, "until": until, "points": points}
    return storage.series(SeriesQuery.from_dict(query))


def past(hours: float, every_s: float = 20.0) -> list[SensorData]:
    """Return readings of a past that no task rolls up, some of them suspect or bad."""
    dice = random.Random(7)
    made = []
    for index in range(int(hours * 3600 / every_s)):
        verdict = dice.choices(["good", "suspect", "bad"], [8, 1, 1])[0]
        made.append(
            make_reading(
                value=dice.gauss(20.0, 3.0),
                timestamp=NOW - 2 * DAY_S + index * every_s,
                sequence=index,
                correlation_id=new_correlation_id(NOW - 2 * DAY_S + index * every_s),
                quality={"verdict": verdict},
            )
        )
    return made


def test_rolled_up_charts_equal_those_of_sqlite(storage: InfluxDBStorage, tmp_path: Path) -> None:
    """Count, minimum and maximum exactly, means to 1e-12, at any width and with ragged ends."""
    readings = past(7.0)
    reference = SQLStorage(SQLiteFile(tmp_path / "reference.db"))
    for store in (storage, reference):
        store.insert(readings)
    assert storage.rollups.roll_due() == 7
    assert storage.rollups.due() == set()

    for since_s, until_s, points in ((0, 7 * 3600, 7), (17.0, 20_000.0, 6), (61.5, 24_999.0, 90), (0, 25_200, 500)):
        ours, theirs = (
            chart(s, NOW - 2 * DAY_S + since_s, NOW - 2 * DAY_S + until_s, points) for s in (storage, reference)
        )
        assert (ours.t, ours.n, ours.min, ours.max) == (theirs.t, theirs.n, theirs.min, theirs.max)
        assert ours.mean == pytest.approx(theirs.mean, rel=1e-12)
    reference.close()


def test_backlog_is_rolled_up_once_it_is_over(storage: InfluxDBStorage) -> None:
    """An hour into which readings go on coming waits; one in which it is quiet does not."""
    readings = past(2.0)
    half = len(readings) // 2
    storage.insert(readings[:half])
    assert storage.rollups.roll_quiet() == 0  # seen for the first time
    storage.insert(readings[half:])

    first = storage.rollups.roll_quiet()
    second = storage.rollups.roll_quiet()

    assert (first, first + second) == (1, 2)
    assert storage.rollups.due() == set()


def test_roll_ups_that_are_wrong_are_found_until_they_are_right(
    storage: InfluxDBStorage, server: InfluxServer, clock: ManualClock
) -> None:
    """A point that someone changed in any of the three buckets; hours that wait, or have no readings left, pass."""
    storage.insert(past(5.0))
    look = influx_rollups_check(storage, clock, random.Random(1))
    assert look() == []  # all of it waits
    storage.rollups.roll_due()
    assert look() == []

    level = LEVELS[2]
    point = "temperature,sensor_id=air-t,unit=degC,zone_id=box n=7i,mean=1.0,total=7.0,min=1.0,max=1.0"
    at_ms = round((NOW - 2 * DAY_S) * 1000) // HOUR_MS * HOUR_MS + HOUR_MS
    server.write([f"{point} {at_ms}"], bucket=storage.rollups.bucket(level))
    [damage] = look()
    assert "air-t" in damage
    assert level.name in damage
    assert look() == [damage]

    storage.rollups.recompute(at_ms, at_ms + HOUR_MS)
    assert look() == []


@pytest.mark.parametrize("seed", [3, 4])
def test_charts_equal_those_without_what_is_known(
    storage: InfluxDBStorage, monkeypatch: pytest.MonkeyPatch, clock: ManualClock, seed: int
) -> None:
    """Late readings, revisions and new sensors between questions for moving ranges, rolled up now and then."""
    dice = random.Random(seed)
    end = NOW - DAY_S
    for step in range(25):
        end += dice.choice([60.0, 700.0])
        batch = [
            make_reading(
                dice.choice(["a", "b", f"new-{step // 10}"]),
                timestamp=round(end - dice.choice([0.0, dice.uniform(0, 20_000)]), 3),
                value=dice.gauss(20, 3),
                revision=dice.randrange(2),
                quality={"verdict": dice.choice(["good", "bad"])},
            )
            for _reading in range(20)
        ]
        storage.insert(batch)
        if dice.random() < 0.3:
            storage.rollups.roll_due()
        fields = {"data_type": "temperature", "since": end - dice.choice([3600.0, 30_000.0]), "until": end + 1.0}
        query = SeriesQuery.from_dict({**fields, "points": 60, **dice.choice([{}, {"sensor_id": "a"}])})
        known = storage.series(query)
        with monkeypatch.context() as without:
            without.setattr(storage, "_charts", Charts(storage.server, storage.rollups, lambda _plant: None))
            anew = storage.series(query)
        assert (known.t, known.n, known.min, known.max) == (anew.t, anew.n, anew.min, anew.max)
        assert known.mean == pytest.approx(anew.mean, rel=1e-12)


def test_late_reading_and_revision_change_what_was_rolled_up(storage: InfluxDBStorage, server: InfluxServer) -> None:
    """What turns bad no longer counts, what comes late does; the chart is right before and after."""
    readings = past(1.0)
    good = next(reading for reading in readings if reading.quality is not None and reading.quality.verdict == "good")
    storage.insert(readings)
    storage.rollups.roll_due()
    [before] = chart(storage, NOW - 2 * DAY_S, NOW - 2 * DAY_S + 3600, 1).n

    late = make_reading(value=99.0, timestamp=readings[0].timestamp + 1.0, quality={"verdict": "good"}, late=True)
    turned = {**good.to_dict(), "revision": 1, "quality": {"verdict": "bad", "check": "spike", "why": "alone"}}
    storage.insert([late, SensorData.from_dict(turned)])
    at_once = chart(storage, NOW - 2 * DAY_S, NOW - 2 * DAY_S + 3600, 1)
    storage.rollups.roll_due()
    rolled = chart(storage, NOW - 2 * DAY_S, NOW - 2 * DAY_S + 3600, 1)

    assert rolled == at_once
    assert (rolled.n, rolled.max) == ([before], [99.0])
    [table] = server.select('SELECT sum(bad) FROM "temperature"', bucket=storage.rollups.bucket(LEVELS[2]))
    assert table.values[0][1] == 1 + sum(r.quality is not None and r.quality.verdict == "bad" for r in readings)


def test_hours_that_wait_are_known_after_a_restart(
    storage: InfluxDBStorage, influx: Influx, server: InfluxServer, clock: ManualClock
) -> None:
    """They were written with the readings themselves."""
    storage.insert(past(3.0))
    again = InfluxDBStorage(InfluxServer(influx.url, influx.token, ORG, server.bucket), clock)

    assert len(again.rollups.due()) == 3
    assert again.rollups.roll_due() == 3
    again.close()


def test_an_hour_is_rolled_up_again_when_its_readings_were_still_on_their_way(
    storage: InfluxDBStorage, server: InfluxServer
) -> None:
    """Who rolls up between the mark and the readings must not take the hour for done."""
    hour = int(NOW - 2 * DAY_S) // 3600
    marks = storage.rollups.marks_ahead([hour])
    storage.rollups.roll_due()
    reading = make_reading(timestamp=NOW - 2 * DAY_S)

    server.write([LineWriter().line(reading, round(reading.timestamp * 1000)), *marks])
    storage.rollups.arrived([hour])

    assert storage.rollups.due() == {hour}
    storage.rollups.roll_due()
    assert storage.rollups.due() == set()
    assert chart(storage, NOW - 2 * DAY_S, NOW - 2 * DAY_S + 3600, 1).n == [1]


def test_hours_whose_tasks_never_ran_are_rolled_up_after_a_restart(
    storage: InfluxDBStorage, influx: Influx, server: InfluxServer, clock: ManualClock
) -> None:
    """A machine that is off at the full hour misses the runs of the tasks, and its readings came in time."""
    storage.insert([make_reading(timestamp=NOW + i) for i in range(30)])
    assert storage.rollups.due() == set()
    clock.advance(4 * 3600.0)
    again = InfluxDBStorage(InfluxServer(influx.url, influx.token, ORG, server.bucket), clock)

    again.insert([make_reading(timestamp=clock.wall())])
    again.rollups.roll_due()

    assert again.rollups.due() == set()
    assert sum(chart(again, NOW, NOW + 5 * 3600, 5).n) == 31
    again.close()


def test_set_up_again_changes_nothing(storage: InfluxDBStorage, server: InfluxServer) -> None:
    """One task for each width, active, and no error of its runs."""
    storage.set_up()
    storage.set_up()

    tasks = [task for task in server.client.tasks_api().find_tasks(limit=500) if f" {server.bucket} " in task.name]
    assert sorted(task.every for task in tasks) == ["1h", "1m", "5m"]
    assert {task.status for task in tasks} == {"active"}


def test_a_task_rolls_up_what_came_in_time(influx: Influx, eventually: Eventually) -> None:
    """The script that the server runs each minute, run at once: readings of the last two minutes, whole ones alone."""
    from dt.utils.clock import SystemClock

    clock = SystemClock()
    server = InfluxServer(influx.url, influx.token, ORG, influx.new_bucket())
    storage = InfluxDBStorage(server, clock)
    storage.set_up()
    minute = clock.wall() // 60 * 60 - 60
    storage.insert([make_reading(value=20.0 + i, timestamp=minute + i) for i in range(50)])
    [task] = server.client.tasks_api().find_tasks(name=f"plant-twin {server.bucket} 1m")

    server.client.tasks_api().run_manually(task.id)

    bucket = storage.rollups.bucket(LEVELS[2])
    query = 'SELECT n, "min", "max", mean FROM "temperature"'
    eventually(
        lambda: [t for t in server.select(query, bucket=bucket) if None not in t.values[0]], "no roll-up is made"
    )
    [table] = server.select(query, bucket=bucket)
    assert table.values == [[round(minute * 1000), 50, 20.0, 69.0, 44.5]]
    storage.close()


def test_old_readings_go_once_they_are_rolled_up(
    storage: InfluxDBStorage, server: InfluxServer, clock: ManualClock
) -> None:
    """The chart stays; what is not proven, younger or of an archived plant stays as it is."""
    readings = past(5.0)
    archived = make_reading("file", plant_id="fern", timestamp=readings[0].timestamp)
    storage.insert([*readings, archived, make_reading()])
    retention = InfluxRetention(server, storage.rollups, clock, 1.0, lambda: {"fern"})
    before = chart(storage, NOW - 2 * DAY_S, NOW - 2 * DAY_S + 18_000, 5)

    assert retention.remove() == 0  # nothing is rolled up yet
    storage.rollups.roll_due()
    assert retention.remove() == len(readings)

    assert kept(storage) == [archived, make_reading()]
    assert chart(storage, NOW - 2 * DAY_S, NOW - 2 * DAY_S + 18_000, 5) == before
    assert retention.remove() == 0
    with pytest.raises(MessageError, match=r"since: must not be before .* older raw readings were removed"):
        storage.runs("air-t", NOW - 2 * DAY_S, NOW)
    assert storage.runs("file", NOW - 3 * DAY_S, NOW)


def test_a_reading_that_comes_for_removed_ones_costs_no_rollup(
    storage: InfluxDBStorage, server: InfluxServer, clock: ManualClock
) -> None:
    """An hour is never rolled up anew from fewer readings than before."""
    readings = past(1.0)
    storage.insert(readings)
    storage.rollups.roll_due()
    before = chart(storage, NOW - 2 * DAY_S, NOW - 2 * DAY_S + 3600, 1)
    InfluxRetention(server, storage.rollups, clock, 1.0).remove()

    storage.insert([make_reading(timestamp=readings[3].timestamp + 0.5)])
    storage.rollups.roll_due()

    assert chart(storage, NOW - 2 * DAY_S, NOW - 2 * DAY_S + 3600, 1) == before
    assert len(kept(storage)) == 1


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40, deadline=None
)
@given(
    st.lists(
        st.tuples(names, names, texts, texts, names, st.floats(allow_nan=False, allow_infinity=False)), max_size=20
    )
)
def test_any_text_comes_back_or_is_refused_whole(storage: InfluxDBStorage, rows: list[tuple[str, ...]]) -> None:
    """Quotes, commas, line ends: no reading ever changes another."""
    readings = [
        make_reading(sensor, zone_id=zone, boot_id=boot, correlation_id=name, value=value, timestamp=NOW + index,
                     quality={"verdict": "good", "check": "c", "why": why}, caused_by=[name, boot + "x"])  # type: ignore[arg-type]
        for index, (sensor, zone, boot, why, name, value) in enumerate(rows)
    ]  # fmt: skip
    refused: dict[int, str] = {}
    try:
        storage.insert(readings)
    except PartlyRefusedError as error:
        refused = error.refused

    for index, reading in enumerate(readings):
        query = {
            "data_type": "temperature",
            "since": NOW + index,
            "until": NOW + index + 1,
            "sensor_id": reading.sensor_id,
        }
        found = storage.between(DBTimestampQuery.from_dict(query))
        assert (reading in found) != (index in refused)
        if index in refused:
            assert "must have no control characters" in refused[index]


def test_a_type_that_another_writer_has_set_costs_those_points_alone(
    storage: InfluxDBStorage, server: InfluxServer
) -> None:
    """The server refuses a float where somebody wrote an integer; the rest of 1,000 readings is kept."""
    server.write(["humidity,sensor_id=x,unit=%,zone_id=box value=1i 1700000000000"])
    batch = [make_reading(timestamp=NOW - 999 + index) for index in range(999)]
    batch.insert(500, make_reading("dht", "humidity", 50.0, timestamp=1_700_000_001.0))

    with pytest.raises(PartlyRefusedError) as caught:
        storage.insert(batch)

    assert list(caught.value.refused) == [500]
    assert "field type conflict" in caught.value.refused[500]
    assert len(kept(storage)) == 999


def test_refused_readings_become_dead_letters_and_the_stream_goes_on(
    storage: InfluxDBStorage, tmp_path: Path, eventually: Eventually
) -> None:
    """With the reason; the offsets are committed after both are durable."""
    messaging = MemoryMessaging()
    db = RecordsDB(f"sqlite:///{tmp_path / 'records.db'}")
    stored: Counter[str] = Counter()
    recorder = Recorder(
        storage, Records(db), FrameFiles(tmp_path / "frames"), lambda kind, number: stored.update({kind: number})
    )
    subscriptions = recorder.subscribe(messaging)

    for index in range(20):
        zone = {"zone_id": "shelf\\"} if index == 7 else {}
        messaging.publish(Topics.TEMPERATURE.processed, make_reading(timestamp=NOW + index, **zone), key="box")

    eventually(lambda: len(kept(storage)) == 19, "the others are not kept")
    eventually(lambda: messaging.read_all(Topics.DEAD_LETTERS), "there is no dead letter")
    [letter] = messaging.read_all(Topics.DEAD_LETTERS)
    assert b"zone_id: must have no control characters" in (letter.value or b"")
    for subscription in subscriptions:
        subscription.stop()
    assert stored["readings"] == 19
    db.close()


def test_a_server_that_is_away_loses_nothing(influx: Influx, storage: InfluxDBStorage) -> None:
    """A retriable error while it is away; afterwards the same batch again is kept once."""
    batch = [make_reading(timestamp=NOW + index) for index in range(100)]
    storage.insert(batch[:50])
    influx.stop()
    try:
        with pytest.raises(StorageError) as caught:
            storage.insert(batch)
    finally:
        influx.start()

    assert caught.value.retriable
    storage.insert(batch)
    assert kept(storage) == batch


def test_a_batch_that_comes_after_the_end_is_kept_by_the_next_start(influx: Influx, clock: ManualClock) -> None:
    """A stopping service has a batch in hand: it must stay in the log, and never become dead letters."""
    storage = InfluxDBStorage(InfluxServer(influx.url, influx.token, ORG, influx.new_bucket()), clock)
    storage.insert([make_reading()])
    storage.close()

    for batch in ([make_reading()], [make_reading(timestamp=NOW + 1)]):
        with pytest.raises(StorageError, match="the connection is closed") as caught:
            storage.insert(batch)
        assert caught.value.retriable


def test_a_wrong_token_is_said_with_its_remedy(influx: Influx, clock: ManualClock) -> None:
    """And what waits is not thrown away: the error is retriable."""
    storage = InfluxDBStorage(InfluxServer(influx.url, "wrong", ORG, "plant_twin"), clock)

    with pytest.raises(StorageError, match="INFLUX_TOKEN is not one of this server's"):
        storage.insert([make_reading()])
    storage.close()


def test_pages_and_runs_are_whole_however_many_rows_they_have(storage: InfluxDBStorage) -> None:
    """More rows than one answer brings, and two quantities of one chip at each instant."""
    count = 45_000
    for begin in range(0, count, 5000):
        storage.insert([
            make_reading(timestamp=NOW - count + index, sequence=index, boot_id="b1")
            for index in range(begin, begin + 5000)
        ])  # fmt: skip

    [run] = storage.runs("air-t", NOW - count, NOW)
    assert (run.first_sequence, run.last_sequence, run.count) == (0, count - 1, count)
    assert [reading.sequence for reading in kept(storage)] == list(range(count))
    assert len(storage.latest(DBIdQuery(sensor_id="air-t", limit=30_000))) == 30_000


def test_hours_begin_at_whole_hours(storage: InfluxDBStorage, server: InfluxServer) -> None:
    """A mark stands for the whole hour of its readings, once."""
    storage.insert(past(2.0))
    storage.insert(past(2.0))

    [table] = server.select("SELECT due FROM rollup_due")
    assert [values[0] % HOUR_MS for values in table.values] == [0, 0]
