"""Processing and the database as processes of their own on a genuine broker, killed and started again."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.kafka import KafkaMessaging
from dt.communication.messaging import outgoing
from dt.communication.topics import Topics
from dt.utils.config import Settings
from dt.utils.dataclasses import DBTimestampQuery, SensorData
from dt.utils.exceptions import RemoteServiceError
from tests.data.readings import NOW, make_descriptor, make_reading
from tests.integration.influx import Influx

pytestmark = [
    pytest.mark.integration,
    # kafka-python leaves the socket of a failed connect to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Eventually = Callable[..., None]
COUNT = 3000
START = NOW - 400 * 86_400


class Processes:
    """Services of one installation, each in a process."""

    def __init__(self, settings: Settings, folder: Path, **more: str) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._environment = {
            **os.environ,
            "KAFKA_URL": settings.kafka_url,
            "TOPIC_PREFIX": settings.topic_prefix,
            "DATA_DIR": str(folder / "data"),
            "LOG_DIR": str(folder / "logs"),
            "RIG_FILE": str(folder / "none.toml"),
            "DT_TOKEN": "t",
            "FLASK_DB_URL": self.url,
            "FLASK_PROCESSING_URL": f"http://127.0.0.1:{_free_port()}",
            "RETENTION_RAW_DAYS": "0",
            **more,
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, module: str) -> None:
        """Start a service."""
        self._running[module] = subprocess.Popen([sys.executable, "-m", module], env=self._environment)

    def end(self, module: str, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        process = self._running.pop(module)
        process.send_signal(number)
        return process.wait(10)

    def close(self) -> None:
        """End all."""
        for module in list(self._running):
            self.end(module, signal.SIGTERM)


DATABASE, PROCESSING = "dt.data.database.app", "dt.data.processing.main"


@pytest.fixture(autouse=True)
def _garbage_stays_here() -> Iterator[None]:
    """Let the sockets that the client dropped be found within the test that dropped them."""
    yield
    gc.collect()


@pytest.fixture(params=["sqlite", "influx"])
def processes(request: pytest.FixtureRequest, kafka_settings: Settings, tmp_path: Path) -> Iterator[Processes]:
    """Return the two services, running on either store."""
    store = {"STORAGE": request.param}
    if request.param == "influx":
        influx: Influx = request.getfixturevalue("influx")
        store |= {"INFLUX_URL": influx.url, "INFLUX_TOKEN": influx.token, "INFLUX_BUCKET": influx.new_bucket()}
    running = Processes(kafka_settings, tmp_path, **store)
    running.start(DATABASE)
    running.start(PROCESSING)
    yield running
    running.close()


@pytest.fixture
def api(processes: Processes) -> Iterator[DatabaseApiClient]:
    """Return a client of the database."""
    with DatabaseApiClient(processes.url, "t") as client:
        yield client


def stored(api: DatabaseApiClient, data_type: str = "temperature") -> list[SensorData]:
    """Return everything of a quantity, nothing while the service is away."""
    try:
        return api.query_timestamp(DBTimestampQuery.from_dict({"data_type": data_type, "since": 0, "until": 4e9}))
    except RemoteServiceError:
        return []


def test_killed_database_has_each_reading_once(
    processes: Processes, api: DatabaseApiClient, kafka_settings: Settings, eventually: Eventually
) -> None:
    """The same history sent twice, kill -9 in the middle: 3,000 readings and 3,000 deficits, and a clean stop."""
    raw = [
        make_reading(*kind, timestamp=START + 60 * i, origin="replay")
        for i in range(COUNT)
        for kind in (("air-t", "temperature", 20.0 + i / 1000), ("air-h", "humidity", 50.0))
    ]
    batch = [outgoing(Topics.of(reading.data_type).raw, reading, "box") for reading in raw]
    eventually(lambda: _bound(api), "the sensors are bound", 30)
    messaging = KafkaMessaging(kafka_settings, "test")

    messaging.publish_batch(batch)
    messaging.flush(30)
    eventually(lambda: stored(api), "the first readings are stored", 30)
    killed = processes.end(DATABASE, signal.SIGKILL)
    messaging.publish_batch(batch)
    messaging.flush(30)
    processes.start(DATABASE)
    eventually(lambda: len(stored(api)) >= COUNT and len(stored(api, "vpd")) >= COUNT, "all are stored", 60)
    messaging.close()

    assert killed == -signal.SIGKILL
    assert [reading.raw_value for reading in stored(api)] == [20.0 + i / 1000 for i in range(COUNT)]
    assert [reading.timestamp for reading in stored(api)] == [START + 60 * i for i in range(COUNT)]
    assert len(stored(api, "vpd")) == COUNT
    assert api.dead_letters() == []
    assert [processes.end(module, signal.SIGTERM) for module in (DATABASE, PROCESSING)] == [0, 0]


def _bound(api: DatabaseApiClient) -> bool:
    try:
        for descriptor in (make_descriptor("air-t"), make_descriptor("air-h", "humidity")):
            api.bind_sensor(descriptor)
    except RemoteServiceError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
