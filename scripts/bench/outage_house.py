"""Where the outage's readings arrive: real processing and database on the log in memory or on a genuine broker."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stage import Stage, wait_for

from dt.communication.announcement import wait_until_announced
from dt.communication.database_api import DatabaseApiClient
from dt.communication.kafka import KafkaMessaging
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import MessagingService, Record
from dt.communication.topics import Topics
from dt.data.database.app import create_service as create_database
from dt.data.processing.main import create_service as create_processing
from dt.utils.clock import SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.dataclasses import SensorData, SensorDescriptor

Key = tuple[str, str, int, float]  # sensor, boot, sequence, timestamp

_QUIET_LOOKS = 40  # of 0.05 s each without a change: what can arrive has arrived
_STORED = (
    "SELECT sensor_id, boot_id, sequence, timestamp_ms / 1000.0 FROM readings JOIN contexts USING (context_id)"
    " JOIN series ON series.series_id = readings.series_id WHERE data_type = 'temperature'"
)


class House:
    """Processing, database, and a listener that notes every raw record in the log's order."""

    def __init__(self, settings: Settings, make: Callable[[str], MessagingService]) -> None:
        self._settings = settings
        self.messaging = make("bench")
        clock = SystemClock()
        self._arrivals: list[Key] = []
        self._database = create_database(settings, make("database"), clock)
        self._processing = create_processing(settings, make("processing"), clock)
        self._database.start()
        self._processing.start()
        self._listener = make("listener").subscribe([Topics.TEMPERATURE.raw], "listener", self._hear)
        self._client = DatabaseApiClient(f"http://127.0.0.1:{self._database.port}", "bench", 30.0)

    def bind(self, sensors: Sequence[SensorDescriptor]) -> None:
        """Make sensors known, and wait until processing can know them."""
        for sensor in sensors:
            self._client.bind_sensor(sensor)
        wait_until_announced(self.messaging, (sensor.sensor_id for sensor in sensors), SystemClock())

    def wait_for_readings(self) -> list[Key]:
        """Return what the database has, when no more comes."""
        looks = {"count": -1, "quiet": 0}

        def is_quiet() -> bool:
            count = len(self._stored()) + len(self._arrivals)
            looks["quiet"] = looks["quiet"] + 1 if count == looks["count"] else 0
            looks["count"] = count
            return looks["quiet"] >= _QUIET_LOOKS and self._listener.lag() == 0

        wait_for(is_quiet, "readings go on arriving", 1800.0)
        return self._stored()

    def arrivals(self) -> list[Key]:
        """Return every raw record in the order in which the log gave it, each sensor's in its own."""
        return list(self._arrivals)

    def gaps(self, sensor_id: str, since: float, until: float) -> dict[str, Any]:
        """Ask the database by REST."""
        return self._client.gaps(sensor_id, since, until)

    def close(self) -> None:
        """Stop everything."""
        self._client.close()
        self._processing.stop()
        self._database.stop()
        self._listener.stop()

    def _hear(self, records: Sequence[Record]) -> None:
        for record in records:
            reading = SensorData.from_json(record.value or b"")
            self._arrivals.append((reading.sensor_id, reading.boot_id, reading.sequence, reading.timestamp))

    def _stored(self) -> list[Key]:
        connection = sqlite3.connect(f"file:{self._settings.database_file}?mode=ro", uri=True)
        try:
            return [(sensor, boot, number, at) for sensor, boot, number, at in connection.execute(_STORED)]
        finally:
            connection.close()


@contextmanager
def memory_house() -> Iterator[House]:
    """Give a house on the log in memory."""
    with tempfile.TemporaryDirectory(prefix="plant-twin-house-") as folder:
        settings = load_settings(
            env_file=None,
            data_dir=Path(folder),
            log_dir=Path(folder) / "logs",
            rig_file=Path(folder) / "none.toml",
            flask_db_url="http://127.0.0.1:0",
            flask_processing_url="http://127.0.0.1:0",
            dt_token="bench",  # noqa: S106 - of a house that stands for a minute
        )
        messaging = MemoryMessaging()
        house = House(settings, lambda _service: messaging)
        try:
            yield house
        finally:
            house.close()
            messaging.close()


@contextmanager
def kafka_house() -> Iterator[House]:
    """Give a house on a genuine broker."""
    with tempfile.TemporaryDirectory(prefix="plant-twin-house-") as folder:
        stage = Stage(Path(folder))
        opened: list[KafkaMessaging] = []
        lock = threading.Lock()

        def make(service: str) -> KafkaMessaging:
            with lock:
                opened.append(KafkaMessaging(stage.settings, service, SystemClock()))
                return opened[-1]

        with stage.broker():
            house = House(stage.settings, make)
            try:
                yield house
            finally:
                house.close()
                for messaging in opened:
                    messaging.close()
