"""What every store of readings promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dt.data.database.influx_server import InfluxServer
from dt.data.database.influx_storage import InfluxDBStorage
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import MOST_CHILDREN, PartlyRefusedError, SeriesQuery, Storage
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import DBIdQuery, DBTimestampQuery, SensorData, Verdict
from tests.data.readings import NOW, make_reading
from tests.integration.influx import ORG, Influx

Open = Callable[[], Storage]


@pytest.fixture(params=["sqlite", pytest.param("influx", marks=pytest.mark.integration)])
def open_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return what opens one and the same store, again and again."""
    opened: list[Storage] = []
    make = _influx_maker(request) if request.param == "influx" else lambda: _sqlite(tmp_path)

    def open_one() -> Storage:
        for earlier in opened:
            earlier.close()
        opened.append(make())
        return opened[-1]

    yield open_one
    opened[-1].close()


def _sqlite(folder: Path) -> Storage:
    return SQLStorage(SQLiteFile(folder / "contract.db"))


def _influx_maker(request: pytest.FixtureRequest) -> Open:
    influx: Influx = request.getfixturevalue("influx")
    bucket = influx.new_bucket()

    def make() -> Storage:
        storage = InfluxDBStorage(InfluxServer(influx.url, influx.token, ORG, bucket), ManualClock(wall=NOW + 30.0))
        storage.rollups.set_up()
        return storage

    return make


@pytest.fixture
def storage(open_storage: Open) -> Storage:
    """Return an empty store."""
    return open_storage()


def between(storage: Storage, since: float = 0.0, until: float = 3e9, **more: object) -> list[SensorData]:
    """Return temperatures of a range."""
    query = {"data_type": "temperature", "since": since, "until": until, **more}
    return storage.between(DBTimestampQuery.from_dict(query))


def full_reading(**more: object) -> SensorData:
    """Return a reading with every field set."""
    fields: dict[str, object] = {
        "raw_value": 70.7,
        "quality": {"verdict": "suspect", "check": "calibrated", "why": "because"},
        "calibration": 3,
        "caused_by": ["a", "b"],
        "late": True,
        "revision": 2,
        "boot_id": "b1",
        "sequence": 12,
        "clock_synced": False,
        "plant_id": "basil",
        "origin": "replay",
        "schema": 1,
    }
    return make_reading(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("reading", [make_reading(), full_reading(), make_reading(timestamp=NOW + 0.123)])
def test_reading_comes_back_as_it_was(storage: Storage, reading: SensorData) -> None:
    """Every field, and the instant to the millisecond."""
    storage.insert([reading])

    assert between(storage) == [reading]


def test_range_takes_its_beginning_and_leaves_its_end(storage: Storage) -> None:
    """A range is since <= timestamp < until, oldest first, whatever the order of writing."""
    storage.insert([make_reading(timestamp=NOW + i) for i in (3, 1, 0, 2)])

    assert [reading.timestamp - NOW for reading in between(storage, NOW + 1, NOW + 3)] == [1, 2]


def test_same_reading_twice_is_kept_once(storage: Storage) -> None:
    """Replayed batches change nothing."""
    storage.insert([make_reading(), make_reading()])
    storage.insert([make_reading()])

    assert between(storage) == [make_reading()]


def test_pieces_of_a_batch_are_kept_as_one(storage: Storage) -> None:
    """Repetitions and revisions between pieces count as within one; pieces are taken one after the other."""
    first = [make_reading(timestamp=NOW + i) for i in range(6)]
    again = [make_reading(timestamp=NOW + 2, value=30.0), make_reading(timestamp=NOW + 3, value=31.0, revision=1)]
    older = [make_reading(timestamp=NOW + 3, value=40.0), make_reading(timestamp=NOW + 9)]

    storage.insert_all(iter([first[:3], first[3:], again, older]))

    kept = {reading.timestamp - NOW: reading.value for reading in between(storage)}
    assert kept == {**dict.fromkeys((0, 1, 4, 5, 9), first[0].value), 2: 30.0, 3: 31.0}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_highest_revision_stays(storage: Storage, order: tuple[int, int]) -> None:
    """A recalculation wins over what it corrects, also when that comes again later."""
    readings = [make_reading(value=20.0 + revision, revision=revision) for revision in (0, 1)]

    for index in order:
        storage.insert([readings[index]])

    assert between(storage) == [readings[1]]


def test_one_chip_measures_two_quantities_at_once(storage: Storage) -> None:
    """Sensor, quantity and instant together name a reading."""
    storage.insert([make_reading("dht"), make_reading("dht", "humidity", 50.0)])

    assert {reading.data_type for reading in storage.latest(DBIdQuery(sensor_id="dht"))} == {"temperature", "humidity"}


def test_range_is_narrowed_by_sensor_plant_and_verdict(storage: Storage) -> None:
    """Without a narrowing every verdict comes."""
    storage.insert(
        [make_reading("a", plant_id="basil"), make_reading("b"), full_reading(sensor_id="c", timestamp=NOW + 1)]
    )

    assert {reading.sensor_id for reading in between(storage)} == {"a", "b", "c"}
    assert [reading.sensor_id for reading in between(storage, sensor_id="b")] == ["b"]
    assert [reading.sensor_id for reading in between(storage, plant_id="basil")] == ["a", "c"]
    assert [reading.sensor_id for reading in between(storage, verdicts=[Verdict.SUSPECT])] == ["c"]


def test_pages_join_without_gap_or_repetition(storage: Storage) -> None:
    """The place of a page's last reading begins the next, also among readings of one instant."""
    readings = [make_reading(sensor, timestamp=NOW + i // 2) for i in range(10) for sensor in ("a", "b", "c")]
    storage.insert(readings)
    query = DBTimestampQuery.from_dict({"data_type": "temperature", "since": 0, "until": 3e9})
    found: list[SensorData] = []

    while page := storage.between(query, after=(found[-1].timestamp, found[-1].sensor_id) if found else None, limit=4):
        found += page

    assert found == between(storage)
    assert len(found) == 15


def test_latest_are_newest_first_and_limited(storage: Storage) -> None:
    """What a page shows of one sensor."""
    storage.insert([make_reading(timestamp=NOW + i) for i in range(5)])

    found = storage.latest(DBIdQuery(sensor_id="air-t", limit=2))

    assert [reading.timestamp - NOW for reading in found] == [4, 3]


def test_series_summarises_each_bucket(storage: Storage) -> None:
    """Minimum, mean, maximum and number by the bucket's beginning; empty ones are left out."""
    storage.insert([make_reading(timestamp=NOW + at, value=value) for at, value in ((0, 1), (30, 3), (600, 5))])

    series = storage.series(
        SeriesQuery.from_dict({"data_type": "temperature", "since": NOW, "until": NOW + 660, "points": 11})
    )

    assert (series.resolution_s, series.unit) == (60.0, "degC")
    assert series.t == [NOW, NOW + 600]
    assert (series.min, series.mean, series.max, series.n) == ([1, 5], [2, 5], [3, 5], [2, 1])


def test_series_leaves_out_bad_readings_and_foreign_units(storage: Storage) -> None:
    """A spike of 65,535 and an uncalibrated count must not flatten the chart."""
    bad = {"verdict": "bad", "check": "value_range", "why": "no"}
    storage.insert(
        [
            make_reading("s", "soil_moisture", 0.3),
            make_reading("s", "soil_moisture", 0.6, unit="fraction", timestamp=NOW + 1),
            make_reading("s", "soil_moisture", 65535, timestamp=NOW + 2, quality=bad),
        ]
    )

    series = storage.series(SeriesQuery.from_dict({"data_type": "soil_moisture", "since": NOW, "until": NOW + 60}))

    assert (series.max, series.unit) == ([0.3], "m3/m3")


def test_series_of_a_plant_has_the_air_of_its_zone(storage: Storage) -> None:
    """A plant has no thermometer of its own; its zone has."""
    storage.insert(
        [
            make_reading("soil", "soil_moisture", 0.3, plant_id="basil"),
            make_reading("air-t", value=21.0),
            make_reading("other", value=35.0, zone_id="shelf"),
        ]
    )

    series = storage.series(
        SeriesQuery.from_dict({"data_type": "temperature", "since": NOW, "until": NOW + 60, "plant_id": "basil"})
    )

    assert series.max == [21.0]


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(1, 5000))
def test_series_never_has_more_points_than_asked_for(storage: Storage, since: int, span: int, points: int) -> None:
    """Whatever the range, the answer is bounded."""
    storage.insert([make_reading(timestamp=since + span * i // 40) for i in range(40)])

    series = storage.series(
        SeriesQuery.from_dict({"data_type": "temperature", "since": since, "until": since + span, "points": points})
    )

    assert len(series.t) <= points


def test_newest_believable_reading_of_each_sensor_is_known(storage: Storage) -> None:
    """A clock in 2049 does not make a sensor seen in 2049."""
    bad = {"verdict": "bad", "check": "clock_time", "why": "no"}
    storage.insert([make_reading(), make_reading(timestamp=2.5e9, quality=bad), make_reading("b", timestamp=NOW + 9)])

    seen = {sensor_id: reading.timestamp for sensor_id, reading in storage.last_seen().items()}

    assert seen == {"air-t": NOW, "b": NOW + 9}


def test_readings_outlive_the_process(open_storage: Open) -> None:
    """What insert returned from is on disk, and can be replaced after a restart."""
    open_storage().insert([full_reading()])

    again = open_storage()
    again.insert([full_reading(value=22.0)])

    assert between(again) == [full_reading(value=22.0)]


def test_unstorable_reading_costs_itself_alone(storage: Storage) -> None:
    """Either the store tells which it is and keeps the rest, or it keeps nothing and the delivery loop finds it."""
    batch = [make_reading("new-sensor"), make_reading()]
    object.__setattr__(batch[1], "sequence", 2**70)  # past the message's own limit

    with pytest.raises((PartlyRefusedError, OverflowError)) as caught:
        storage.insert(batch)

    if isinstance(caught.value, PartlyRefusedError):
        assert caught.value.refused == {1: caught.value.refused[1]}
        assert "sequence" in caught.value.refused[1]
    else:
        assert between(storage) == []
        storage.insert(batch[:1])
    assert between(storage) == batch[:1]


def test_only_sensors_with_readings_are_there(storage: Storage) -> None:
    """A question about a stranger can be refused."""
    storage.insert([make_reading()])

    assert storage.has_sensor("air-t")
    assert not storage.has_sensor("stranger")


def test_readings_are_found_by_their_correlation_id(storage: Storage) -> None:
    """One chip's two quantities share an id; whole readings come, oldest first."""
    mine = [full_reading(correlation_id="c1"), make_reading("air-h", "humidity", 50.0, correlation_id="c1")]
    storage.insert([mine[1], make_reading(timestamp=NOW + 1, correlation_id="c2"), mine[0]])

    found = storage.carrying("c1")

    assert sorted(found, key=lambda reading: reading.sensor_id) == [mine[1], mine[0]]
    assert storage.carrying("never") == []


def test_derived_readings_are_children_of_each_parent(storage: Storage) -> None:
    """Each once, whatever was written again; who names nobody has no parents."""
    vpd = [
        make_reading("box/vpd", "vpd", 1.9, timestamp=NOW + i, correlation_id=f"v{i}", caused_by=["t", f"h{i}"])
        for i in (1, 0)
    ]
    storage.insert([make_reading(correlation_id="t"), *vpd])
    storage.insert(vpd)

    assert storage.children("t") == ["v0", "v1"]
    assert storage.children("h1") == ["v1"]
    assert storage.children("v1") == []


def test_most_children_of_one_reading_are_bounded(storage: Storage) -> None:
    """An hour's mean names thousands of readings, and one reading may be named by thousands: an answer ends."""
    storage.insert(
        [
            make_reading("box/vpd", "vpd", 1.9, timestamp=NOW + i, correlation_id=f"v{i:04}", caused_by=["t"])
            for i in range(MOST_CHILDREN + 5)
        ]
    )

    assert storage.children("t") == [f"v{i:04}" for i in range(MOST_CHILDREN)]
