"""Readings as CSV and Parquet over a real HTTP server, whole and in constant memory."""

from __future__ import annotations

import csv
import gzip
import io
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from dt.data.database.api import exports
from dt.data.database.api.exports import MOST_AT_ONCE
from dt.data.database.app import DatabaseService
from dt.data.database.exporting import COLUMNS, ExportQuery, ParquetMissingError, csv_of, parquet_of, readings_of
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.dataclasses import SensorData
from dt.utils.quantities import Quantity, Unit
from tests.data.readings import NOW, make_reading

ALL = ExportQuery(since=0.0, until=1e11)


@pytest.fixture
def storage(file: SQLiteFile) -> SQLStorage:
    """Return a store of two quantities, one name that needs quotes, and a bad reading."""
    store = SQLStorage(file)
    store.insert([make_reading(timestamp=NOW + 60 * at, value=20 + at / 7) for at in range(5)])
    store.insert([make_reading('so,il "7"', "soil_moisture", 0.3, timestamp=NOW + 30, plant_id="basil")])
    judged = {"verdict": "bad", "check": "range", "why": "over 80,\nand that cannot be"}
    store.insert([make_reading(timestamp=NOW + 999.5, value=99.0, quality=judged, raw_value=99.0, late=True)])
    return store


def rows(parts: Iterator[bytes]) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(b"".join(parts).decode(), newline="")))


def test_csv_has_every_reading_in_order_and_quotes_what_needs_it(storage: SQLStorage) -> None:
    """Times are ISO 8601 in UTC, floats exact, null is empty."""
    found = rows(csv_of(readings_of(storage, ALL)))

    assert [row["time"] for row in found][:3] == [
        "2027-01-15T08:00:00.000Z", "2027-01-15T08:00:30.000Z", "2027-01-15T08:01:00.000Z",
    ]  # fmt: skip
    assert found[1]["sensor_id"] == 'so,il "7"'
    assert (found[1]["unit"], found[1]["plant_id"], found[1]["verdict"]) == ("m3/m3", "basil", "")
    assert float(found[2]["value"]) == 20 + 1 / 7
    assert (found[-1]["why"], found[-1]["late"]) == ("over 80,\nand that cannot be", "true")


@pytest.mark.parametrize(
    ("narrowed", "count"),
    [
        ({}, 7),
        ({"data_type": ("soil_moisture",)}, 1),
        ({"data_type": ("soil_moisture", "temperature")}, 7),
        ({"plant_id": "basil"}, 1),
        ({"sensor_id": "air-t"}, 6),
        ({"verdicts": ("bad",)}, 1),
        ({"since": NOW + 60, "until": NOW + 240}, 3),
        ({"until": 0.0}, 0),
    ],
)
def test_exports_are_narrowed_as_queries_are(storage: SQLStorage, narrowed: dict[str, Any], count: int) -> None:
    """An empty file still has its header."""
    query = ExportQuery.from_dict({"since": 0, "until": 1e11, **narrowed})

    text = b"".join(csv_of(readings_of(storage, query)))

    assert len(rows(iter([text]))) == count
    assert text.startswith(",".join(COLUMNS).encode())


def test_pages_are_joined_without_loss(file: SQLiteFile) -> None:
    """More readings than a page, several sensors at the same instants."""
    store = SQLStorage(file)
    store.insert([make_reading(f"s{n}", timestamp=NOW + at) for at in range(1500) for n in range(3)])

    found = [(reading.timestamp, reading.sensor_id) for reading in readings_of(store, ALL)]

    assert found == [(NOW + at, f"s{n}") for at in range(1500) for n in range(3)]


def test_parquet_says_what_is_missing_before_anything_is_sent(
    storage: SQLStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow the machine is as most are."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)

    with pytest.raises(ParquetMissingError, match="group db"):
        parquet_of(readings_of(storage, ALL))


@pytest.mark.slow
def test_parquet_holds_the_same_readings_with_their_types(storage: SQLStorage) -> None:
    """Row groups of a stream make one file."""
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(b"".join(parquet_of(readings_of(storage, ALL)))))

    assert table.num_rows == 7
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert table.column("value").to_pylist() == [reading.value for reading in readings_of(storage, ALL)]
    assert table.column("sensor_id").to_pylist()[1] == 'so,il "7"'


@pytest.mark.slow
def test_parquet_holds_every_number_that_a_reading_may_have(file: SQLiteFile) -> None:
    """One reading of a strange program does not break the file of all."""
    import pyarrow.parquet as pq

    store = SQLStorage(file)
    store.insert([make_reading(revision=2**53 - 1, calibration=2**40, sequence=2**53 - 1)])

    [row] = pq.read_table(io.BytesIO(b"".join(parquet_of(readings_of(store, ALL))))).to_pylist()

    assert (row["revision"], row["calibration"], row["sequence"]) == (2**53 - 1, 2**40, 2**53 - 1)


def test_export_is_a_file_of_the_range_that_is_asked_for(
    database: DatabaseService, messaging: Any, eventually: Callable[..., None]
) -> None:
    """Several quantities by commas or by repetition; gzip for who takes it."""
    from tests.data.database.full_store import fill

    fill(database, messaging, eventually)
    base = f"http://127.0.0.1:{database.port}/export.csv"

    plain = requests.get(f"{base}?data_type=temperature,humidity&data_type=vpd", timeout=5)
    packed = requests.get(base, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=5)

    assert len(rows(iter([plain.content]))) == 3
    assert plain.headers["Content-Disposition"].endswith('.csv"')
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.raw.read()) == plain.content


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("data_type=smell", "data_type"),
        ("verdicts=fine", "verdicts"),
        ("since=9&until=5", "until"),
        ("since=noon", "since"),
        ("plant=basil", "plant"),
        ("plant_id=a&plant_id=b", "plant_id"),
    ],
)
def test_wrong_exports_are_refused_by_field(database: DatabaseService, query: str, field: str) -> None:
    """Before a single byte of the file is sent."""
    answer = requests.get(f"http://127.0.0.1:{database.port}/export.csv?{query}", timeout=5)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.headers["Content-Type"] == "application/problem+json"


MILLION = 1_000_000


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with a million readings of one sensor."""
    folder = tmp_path_factory.mktemp("million")
    file = SQLiteFile(folder / "plant_twin.db")
    store = SQLStorage(file)
    try:
        for first in range(0, MILLION, 50_000):
            store.insert([_quick(at) for at in range(first, first + 50_000)])
    finally:
        file.close()
    return folder


def _quick(at: int) -> SensorData:
    return SensorData(
        sensor_id="air-t", data_type=Quantity.TEMPERATURE, value=at / 1000, unit=Unit.DEGREE_CELSIUS,
        timestamp=NOW + at, correlation_id=f"c{at}", zone_id="box",
    )  # fmt: skip


@pytest.fixture
def of_million(million: Path, on_free_ports: Any, messaging: Any) -> Iterator[DatabaseService]:
    """Return a service over the million readings."""
    from dt.data.database.app import create_service
    from dt.utils.clock import SystemClock

    settings = on_free_ports.model_copy(update={"data_dir": million})
    service = create_service(settings, messaging, SystemClock())
    service.start()
    yield service
    service.stop()


# A process of its own: what the tests before have freed would hide what an export takes.
SERVER = """
import sys
from pathlib import Path
from dt.communication.memory import MemoryMessaging
from dt.data.database.app import create_service
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings
from dt.utils.logger import configure_logging
configure_logging(Path(sys.argv[1]), "ERROR", sys.stderr)
given = {"data_dir": sys.argv[1], "rig_file": "none.toml", "flask_db_url": "http://127.0.0.1:0"}
service = create_service(load_settings(env_file=None, dt_token="test-token", **given), MemoryMessaging(), SystemClock())
service.start()
print(service.port, flush=True)
sys.stdin.read()
service.stop()
"""


@pytest.fixture
def served_million(million: Path) -> Iterator[tuple[psutil.Process, int]]:
    """Return process and port of a service over the million readings."""
    command = [sys.executable, "-c", SERVER, str(million)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=million) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield psutil.Process(child.pid), int(child.stdout.readline())
        child.stdin.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("ending", "count", "least_bytes", "most_growth_mb"),
    [("csv", MILLION, 80_000_000, 40), ("parquet", MILLION // 4, 2_000_000, 70)],
)
def test_a_million_readings_are_exported_in_constant_memory(
    served_million: tuple[psutil.Process, int], ending: str, count: int, least_bytes: int, most_growth_mb: int
) -> None:
    """The process grows by no more than pages and one row group need, beside what its libraries take once."""
    process, port = served_million
    url, plain = f"http://127.0.0.1:{port}/export.{ending}?until=", {"Accept-Encoding": "identity"}
    assert requests.get(f"{url}{NOW + 10}", timeout=60).status_code == 200
    before, most, size = process.memory_info().rss, 0, 0

    with requests.get(f"{url}{NOW + count}", headers=plain, stream=True, timeout=60) as answer:
        for piece in answer.iter_content(1 << 20):
            size += len(piece)
            most = max(most, process.memory_info().rss)

    assert answer.status_code == 200
    assert size > least_bytes
    assert (most - before) / 2**20 < most_growth_mb


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_readers_that_stand_still_leave_the_service_to_others(
    of_million: DatabaseService, eventually: Callable[..., None]
) -> None:
    """So many exports at once and no more; a place is free again when its reader goes."""
    base = f"http://127.0.0.1:{of_million.port}"
    still = [requests.get(f"{base}/export.csv", stream=True, timeout=10) for _reader in range(MOST_AT_ONCE)]
    try:
        answer = requests.get(f"{base}/export.csv", timeout=10)
        healthy = [requests.get(f"{base}/health", timeout=10).status_code for _again in range(8)]
    finally:
        for reader in still:
            reader.close()

    assert [reader.status_code for reader in still] == [200] * MOST_AT_ONCE
    assert (answer.status_code, answer.json()["limit"]) == (429, MOST_AT_ONCE)
    assert int(answer.headers["Retry-After"]) > 0
    assert healthy == [200] * 8
    eventually(lambda: requests.head(f"{base}/export.csv", timeout=10).status_code == 200, "there is a place again")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_reader_that_goes_away_leaves_nothing_open(
    of_million: DatabaseService, million: Path, eventually: Callable[..., None]
) -> None:
    """The stream ends with its connection, and the next one is served."""
    host = socket.create_connection(("127.0.0.1", of_million.port))
    host.sendall(b"GET /export.csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert host.recv(100).startswith(b"HTTP/1.1 200")
    host.close()

    answer = requests.get(f"http://127.0.0.1:{of_million.port}/export.csv?until={NOW + 2}", timeout=10)
    assert len(rows(iter([answer.content]))) == 2
    with sqlite3.connect(million / "plant_twin.db") as other:  # no reader holds the log of the writer
        eventually(lambda: other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, "nobody reads")
    other.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_readers_that_take_nothing_lose_their_places(
    of_million: DatabaseService, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    """Their connections end before the file does, and the next export is served."""
    monkeypatch.setattr(exports, "STALLED_AFTER_S", 1)
    base = f"http://127.0.0.1:{of_million.port}"
    plain = {"Accept-Encoding": "identity"}
    stalled = [
        requests.get(f"{base}/export.csv", headers=plain, stream=True, timeout=10) for _reader in range(MOST_AT_ONCE)
    ]
    assert requests.get(f"{base}/export.csv", timeout=10).status_code == 429

    eventually(
        lambda: requests.head(f"{base}/export.csv", timeout=10).status_code == 200, "there is a place again", 60.0
    )

    for reader in stalled:
        with pytest.raises(requests.RequestException), reader:
            for _piece in reader.iter_content(1 << 20):
                pass
