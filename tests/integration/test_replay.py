"""`dt replay` through a genuine broker: each row once, whatever is run twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.opening import open_messaging
from dt.data.database.app import DatabaseService
from dt.data.database.app import create_service as create_database
from dt.data.processing.main import create_service as create_processing
from dt.evaluation.mapping import parse_mappings
from dt.evaluation.measurements import TimeColumn, read_file
from dt.evaluation.replay import ReplayReport, ReplayRequest, replay
from dt.utils.clock import SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.dataclasses import DBTimestampQuery, Origin, SensorData
from dt.utils.quantities import Quantity
from tests.conftest import wait_until
from tests.integration.broker import Broker

pytestmark = pytest.mark.integration

ROWS = 2000
FIRST = 1_700_000_000.0
TOKEN = "test-token"


@dataclass(slots=True)
class Pipeline:
    """Processing and database on the broker, each with a connection of its own."""

    settings: Settings
    client: DatabaseApiClient

    def replay(self, path: Path, *maps: str) -> ReplayReport:
        """Send a file as plant `pot`."""
        request = ReplayRequest(
            file=read_file(path), time=TimeColumn(name="time"), mappings=parse_mappings(maps), plant_id="pot"
        )
        clock = SystemClock()
        messaging = open_messaging(self.settings, "replay", clock)
        try:
            return replay(request, messaging, self.client, clock)
        finally:
            messaging.close()

    def stored(self, quantity: Quantity) -> list[SensorData]:
        """Return what the database has of a quantity."""
        return self.client.query_timestamp(DBTimestampQuery(data_type=quantity, since=0, until=4_000_000_000))


@pytest.fixture
def pipeline(broker: Broker, kafka_settings: Settings, tmp_path: Path) -> Iterator[Pipeline]:
    """Run processing and database until the test ends."""
    free = "http://127.0.0.1:0"
    settings = load_settings(
        env_file=None,
        kafka_url=broker.url,
        topic_prefix=kafka_settings.topic_prefix,
        data_dir=tmp_path / "data",
        rig_file=tmp_path / "none.toml",
        dt_token=TOKEN,
        flask_db_url=free,
        flask_processing_url=free,
    )
    clock = SystemClock()
    links = [open_messaging(settings, name, clock) for name in ("database", "processing")]
    services = [create_database(settings, links[0], clock), create_processing(settings, links[1], clock)]
    try:
        for service in services:
            service.start()
        database = services[0]
        assert isinstance(database, DatabaseService)
        for service in services:
            wait_until(lambda s=service: s.ready() is None, f"{service.name} is ready", 30.0)
        with DatabaseApiClient(f"http://127.0.0.1:{database.port}", TOKEN) as client:
            yield Pipeline(settings, client)
    finally:
        for service in reversed(services):
            service.stop()
        for link in links:
            link.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of a pot that dries, and of temperatures, a row every ten minutes."""
    path = tmp_path / "pot.csv"
    rows = (f"{FIRST + 600.0 * row:.3f},{0.9 - 0.6 * row / ROWS:.4f},{20 + row % 7 / 10:.1f}" for row in range(ROWS))
    path.write_text("time,wet,warm\n" + "\n".join(rows) + "\n")
    return path


def test_a_file_is_stored_row_by_row_and_once_however_often_it_is_replayed(pipeline: Pipeline, file: Path) -> None:
    """Raw values and times are the file's; the verdict is good, for the sensors were announced first."""
    for _ in range(2):
        report = pipeline.replay(file, "wet=soil_moisture:fraction", "warm=temperature")
        assert (report.rows, report.sent, report.refused) == (ROWS, 2 * ROWS, 0)
    wait_until(lambda: len(pipeline.stored(Quantity.TEMPERATURE)) == ROWS, "all is stored", 60.0)
    wait_until(lambda: len(pipeline.stored(Quantity.SOIL_MOISTURE)) >= ROWS, "all is stored", 30.0)

    stored = pipeline.stored(Quantity.SOIL_MOISTURE)
    lines = [line.split(",") for line in file.read_text().splitlines()[1:]]
    assert [(reading.timestamp, reading.raw_value) for reading in stored] == [
        (float(time), float(wet)) for time, wet, _warm in lines
    ]
    assert {reading.origin for reading in stored} == {Origin.REPLAY}
    assert {reading.quality.verdict for reading in stored if reading.quality} == {"good"}


def test_no_alert_comes_of_a_dry_archive(pipeline: Pipeline, tmp_path: Path) -> None:
    """What is not live causes nothing."""
    path = tmp_path / "dry.csv"
    path.write_text("time,wet\n" + "\n".join(f"{FIRST + row},0.01" for row in range(50)) + "\n")

    pipeline.replay(path, "wet=soil_moisture")
    wait_until(lambda: len(pipeline.stored(Quantity.SOIL_MOISTURE)) == 50, "all is stored", 30.0)

    assert pipeline.client.alerts() == []
    assert pipeline.client.actions() == []
    [plant] = pipeline.client.plants()
    assert (plant.plant_id, plant.archived) == ("pot", True)
