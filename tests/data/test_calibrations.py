"""A calibration's way: from a person's change by the registry to each reading that it was valid for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.processing.main import ProcessingService
from dt.data.processing.main import create_service as create_processing
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import DBIdQuery, SensorData
from tests.data.readings import make_descriptor, make_reading

Eventually = Callable[[Callable[[], object], str], None]


@pytest.fixture
def processing(on_free_ports: Settings, messaging: MemoryMessaging) -> Iterator[ProcessingService]:
    """Return a running processing service."""
    service = create_processing(on_free_ports, messaging, SystemClock())
    service.start()
    yield service
    service.stop()


def versions_known(processing: ProcessingService) -> int:
    """Return how many versions of the calibration the service has heard of."""
    entry = processing._book.known("soil")
    return 0 if entry is None else len(entry.versions)


def send(messaging: MemoryMessaging, timestamp: float, number: int) -> None:
    """Publish a count of 500 as a collector does."""
    reading = make_reading(
        "soil", "soil_moisture", 500, unit="count", timestamp=timestamp, sequence=number, boot_id="b",
        correlation_id=f"c{number}",
    )  # fmt: skip
    messaging.publish(Topics.SOIL_MOISTURE.raw, reading, key="box")


def test_each_reading_has_the_calibration_of_its_own_time(
    client: DatabaseApiClient, processing: ProcessingService, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """Bound, and changed by PATCH twice: a late reading is made by the one that was valid when it was taken."""
    now = SystemClock().wall()
    first = {"version": 1, "points": [[0, 0.0], [1000, 1.0]], "since": now - 300}
    client.bind_sensor(make_descriptor("soil", "soil_moisture", calibration=first))
    client.patch_sensor("soil", calibration={"points": [[0, 0.0], [1000, 0.5]], "since": now - 200})
    client.patch_sensor("soil", calibration={"points": [[0, 0.0], [1000, 0.2]], "since": now - 100})
    eventually(lambda: versions_known(processing) == 3, "processing has heard of all")

    for number, age_s in enumerate((350, 250, 150, 50)):
        send(messaging, now - age_s, number)

    def stored() -> list[SensorData]:
        return client.query_id(DBIdQuery(sensor_id="soil"))[::-1]

    eventually(lambda: len(stored()) == 4, "all readings are stored")
    assert [(reading.calibration, round(reading.value, 3)) for reading in stored()] == [
        (1, 0.5), (1, 0.5), (2, 0.25), (3, 0.1),
    ]  # fmt: skip
    assert {reading.raw_value for reading in stored()} == {500.0}
