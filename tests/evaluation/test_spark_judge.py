"""The Spark job says what the processing service and the database say, reading for reading and bucket for bucket."""

from __future__ import annotations

import shutil
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dt.communication.kafka import KafkaMessaging
from dt.communication.messaging import Outgoing, Record, outgoing
from dt.communication.topics import Topics, raw_topics
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.processing.processor import Processor
from dt.data.processing.sensor_book import SensorBook
from dt.evaluation.spark_judge import Job, _keep_to_the_end, main, run_job
from dt.evaluation.spark_zone import StateFolder, ZoneState, in_log_order, judge_records, rollup_rows
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import RegistryRecord, SensorData
from dt.utils.exceptions import ConfigError
from tests.conftest import lacking
from tests.data.processing.series import SENSORS, series, trembling
from tests.data.readings import NOW, raw_record, readings_in
from tests.integration.broker import Broker
from tests.integration.conftest import broker

__all__ = ["broker"]

MINUTES = 1440 + 360
Row = dict[str, Any]


def season(zone_id: str, seed: int) -> list[SensorData]:
    """Return thirty hours of a zone with a spike, a plateau, an impossible value, late and repeated readings."""
    more = {"zone_id": zone_id}
    air = trembling(MINUTES, seed=seed)
    air[700], air[900:1100] = 35.0, [air[900]] * 200
    second = [value + 0.1 for value in trembling(MINUTES, seed=seed + 1)]
    humidity = trembling(MINUTES, 55.0, 0.5, seed=seed + 2)
    humidity[1200] = 250.0
    light = [0.0 if minute % 1440 < 400 else 900.0 + minute % 7 for minute in range(MINUTES)]
    found = series(air, f"{zone_id}-t", **more) + series(second, f"{zone_id}-t2", **more)
    found += series(humidity, f"{zone_id}-h", "humidity", **more)
    found += series(light, f"{zone_id}-lux", "light_intensity", **more)
    moved = found.pop(300)
    return [*found[:1500], moved, found[5], *found[1500:]]


def registered() -> list[Outgoing]:
    """Return the registry's records of both zones' sensors; one of them stays unknown."""
    kinds = {"t": SENSORS[0], "t2": SENSORS[1], "h": SENSORS[2], "lux": SENSORS[3]}
    found = []
    for zone_id in ("box", "shelf"):
        for name, like in kinds.items():
            if (zone_id, name) == ("shelf", "t2"):
                continue
            body = {**like.to_dict(), "sensor_id": f"{zone_id}-{name}", "zone_id": zone_id}
            record_id = f"sensor:{zone_id}-{name}"
            record = RegistryRecord(record_id=record_id, kind="sensor", timestamp=NOW, body=body)
            found.append(outgoing(Topics.REGISTRY, record, record_id))
    return found


@pytest.fixture
def filled(broker: Broker) -> Settings:
    """Return settings of a broker whose raw topics hold two zones' seasons and a record that nobody can read."""
    if find_spec("pyspark") is None or shutil.which("java") is None:
        lacking("needs the spark group and Java")
    settings = broker.settings(topic_prefix="judge.", timezone="Europe/Rome")
    broker.set_up(settings)
    with closing(KafkaMessaging(settings, "test", SystemClock())) as messaging:
        messaging.publish_batch(registered())
        readings = season("box", 1) + season("shelf", 7)
        messaging.publish_batch([outgoing(Topics.of(r.data_type).raw, r, r.zone_id) for r in readings])
        messaging.publish_batch([Outgoing(Topics.TEMPERATURE.raw, b"{not json", "box")])
        messaging.flush()
    return settings


@pytest.mark.spark
@pytest.mark.timeout(400)
def test_spark_says_what_the_service_and_the_database_say(filled: Settings, tmp_path: Path) -> None:
    """In several batches: equal readings, verdicts and reasons, equal dead letters, and the roll-ups of SQLite."""
    job = Job(folder=tmp_path / "out", records_at_once=6000)

    done = run_job(filled, job)

    expected, letters, raw = _as_the_service(filled)
    rows = _parquet(job.folder / "processed")
    found = {_key(row): _told(row) for row in rows if row["sensor_id"] is not None}
    assert done.records == raw
    assert found == {_key(row): _told(row) for row in expected}
    assert sum(row["body"] is not None for row in rows) == letters == 1
    assert _rollups(_parquet(job.folder / "rollups")) == _of_sqlite(expected, tmp_path / "readings.db")

    again = run_job(filled, job)

    assert again.records == 0
    assert len(_parquet(job.folder / "processed")) == len(rows)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--since", "2026-11-25", "--until", "2026-11-24"], "--until: must be after --since (2026-11-25T"),
        (["--since", "2026-11-25", "--until", "2026-11-25"], "--until: must be after --since (2026-11-25T"),
        (["--memory", "banana"], "--memory: must be megabytes or gigabytes such as 512m or 2g, from 512m"),
        (["--memory", "1m"], "--memory: must be megabytes or gigabytes such as 512m or 2g, from 512m"),
        (["--records-at-once", "-4"], "--records-at-once: must be from 1 to 10000000, not -4"),
        (["--cores", "0"], "--cores: must be from 1 to 1024, not 0"),
        (["--jars", "nowhere"], "--jars: must be a folder, and nowhere is none"),
    ],
)
def test_option_that_cannot_be_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    """Exit code 2, and the folder stays free for another range."""
    folder = tmp_path / "out"

    assert main([str(folder), *options]) == 2

    assert says in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize("beneath", [False, True])
def test_file_is_no_folder_for_results(tmp_path: Path, capsys: pytest.CaptureFixture[str], beneath: bool) -> None:
    """Nor is what would lie in one."""
    file = tmp_path / "out"
    file.write_text("mine", "utf-8")

    assert main([str(file / "deeper" if beneath else file)]) == 2

    assert "FOLDER: must be a folder" in capsys.readouterr().err
    assert file.read_text("utf-8") == "mine"


def test_state_between_batches_changes_nothing() -> None:
    """However the records are cut into batches, the outputs are those of one."""
    registry = [Record(o.topic, 0, n, o.key, o.value, {}, NOW) for n, o in enumerate(registered())]
    records = [raw_record(reading) for reading in season("box", 3)[:4000]]
    whole, _ = judge_records(registry, "UTC", records, ZoneState())

    state, parts = ZoneState(), []
    for first in range(0, len(records), 700):
        found, state = judge_records(registry, "UTC", records[first : first + 700], state)
        parts += found

    assert parts == whole


def test_batch_that_is_done_again_begins_where_it_began(tmp_path: Path) -> None:
    """A state is that of the batch before, whatever the one that was cut off has left."""
    states = StateFolder(tmp_path, "box")
    for number in (0, 1, 4):
        states.keep(number, ZoneState({"box": b"x"}, number))

    assert [states.before(number).place for number in (4, 5)] == [1, 4]
    assert StateFolder(tmp_path, "shelf").before(4) == ZoneState()
    assert len(list(tmp_path.glob("*/*"))) == 2


def test_records_of_a_batch_keep_the_order_of_their_partition() -> None:
    """Spark gives them in any order; a log's clock that was set back moves none before its predecessor."""
    import pandas as pd

    columns = ("topic", "partition", "offset", "key", "value", "taken_ms")
    rows = [("p.b", 0, 5, "z", b"", 2500), ("p.a", 0, 2, "z", b"", 1000), ("p.a", 0, 1, "z", b"", 3000)]

    found = in_log_order(pd.DataFrame(rows, columns=columns), len("p."))

    assert [(record.topic, record.offset) for record in found] == [("b", 5), ("a", 1), ("a", 2)]


def test_rollups_count_the_highest_revision_and_nothing_bad() -> None:
    """As the database does."""
    row = {
        "sensor_id": "s", "data_type": "temperature", "unit": "degC", "zone_id": "box", "plant_id": None,
        "timestamp": NOW, "revision": 0, "place": 0, "verdict": "good", "value": 1.0,
    }  # fmt: skip
    rows = [{**row, "revision": 1, "value": 5.0}, row, {**row, "timestamp": NOW + 1, "verdict": "bad", "value": 99.0}]

    found = rollup_rows(rows)

    assert [one[0] for one in found] == [60, 300, 3600]
    assert {one[7:] for one in found} == {(1, 5.0, 5.0, 5.0, 0)}
    assert rollup_rows([{**row, "verdict": "bad"}]) == []


def test_wrong_time_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The option is named."""
    assert main([str(tmp_path), "--since", "yesterday"]) == 2
    assert "--since" in capsys.readouterr().err


def _as_the_service(settings: Settings) -> tuple[list[SensorData], int, int]:
    """Return what the processing service's processor makes of the log: readings, dead letters; and the raw records."""
    clock = SystemClock()
    with closing(KafkaMessaging(settings, "reader", clock)) as messaging:
        processor = Processor(SensorBook(messaging, clock), clock, timezone=settings.zone_name)
        processor.restore([])
        records = [one for topic in raw_topics() for one in messaging.read_all(topic)]
        outputs = [out for first in range(0, len(records), 900) for out in processor.transform(records[first:][:900])]
    letters = sum(out.topic == Topics.DEAD_LETTERS for out in outputs)
    return readings_in(outputs), letters, len(records)


def _parquet(folder: Path) -> list[Row]:
    import pyarrow.dataset as ds

    return list(ds.dataset(folder, partitioning="hive").to_table().to_pylist())


def _key(row: Row | SensorData) -> tuple[object, ...]:
    names = ("sensor_id", "data_type", "timestamp", "revision", "correlation_id")
    return tuple(row[name] if isinstance(row, dict) else getattr(row, name) for name in names)


def _told(row: Row | SensorData) -> tuple[object, ...]:
    """Return everything else of a reading."""
    names = ("value", "unit", "zone_id", "plant_id", "boot_id", "sequence", "clock_synced", "raw_value")
    names += ("calibration", "late", "schema", "origin")
    if isinstance(row, SensorData):
        assert row.quality is not None
        quality = (row.quality.verdict, row.quality.check, row.quality.why)
        return (*(getattr(row, name) for name in names), *row.caused_by, *quality)
    defaults = {"boot_id": "", "sequence": 0, "clock_synced": True, "late": False, "schema": 1, "origin": "live"}
    told = (defaults.get(name) if row[name] is None else row[name] for name in names)
    return (*told, *(row["caused_by"] or ()), row["verdict"], row["check"], row["why"])


def _rollups(rows: list[Row]) -> dict[tuple[object, ...], tuple[object, ...]]:
    names = ("width_s", "begin_s", "sensor_id", "data_type", "unit", "zone_id", "plant_id")
    values = ("count", "min", "mean", "max", "suspects")
    return {tuple(row[name] for name in names): tuple(row[name] for name in values) for row in rows}


def _of_sqlite(readings: list[SensorData], path: Path) -> dict[tuple[object, ...], tuple[object, ...]]:
    with closing(SQLiteFile(path)) as file:
        SQLStorage(file).insert(readings)
        with file.read() as db:
            rows = db.execute(
                "SELECT width_s, begin_s, sensor_id, data_type, unit, zone_id, plant_id, count, min,"
                " (total + residue) / count, max, suspects"
                " FROM rollups JOIN lines USING (line_id) JOIN series USING (series_id)"
            ).fetchall()
    return {row[:7]: row[7:] for row in rows}


def test_folder_that_ended_somewhere_is_not_gone_on_with(tmp_path: Path) -> None:
    """What the log took after --until was passed over: a later run on the same folder would never judge it."""
    _keep_to_the_end(Job(folder=tmp_path, until=1_750_000_000.0))
    _keep_to_the_end(Job(folder=tmp_path, until=1_750_000_000.0))

    for later in (1_760_000_000.0, None):
        with pytest.raises(ConfigError, match="--until"):
            _keep_to_the_end(Job(folder=tmp_path, until=later))
