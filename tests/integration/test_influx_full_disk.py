"""InfluxDB on a really full disk: recording waits, reading goes on, and it goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.app import create_service
from dt.operations.backup_readings import all_readings, open_influx
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import DBIdQuery
from tests.conftest import lacking
from tests.data.full_disk import conditions, fill
from tests.data.readings import NOW, make_reading
from tests.integration.influx import ORG, Influx

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

Eventually = Callable[..., None]


@pytest.fixture
def small_influx(tmp_path: Path, influx: Influx) -> Iterator[Influx]:
    """Return a server on a file system of 64 MB."""
    del influx  # it was made: so this one can be
    if os.geteuid() != 0:
        lacking("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
    server = Influx(folder)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_service_waits_for_room_on_influxdbs_disk(
    small_influx: Influx, settings: Settings, messaging: MemoryMessaging, eventually: Eventually, tmp_path: Path
) -> None:
    """An alert opens and closes, queries are answered all the while, and every reading is stored once."""
    given = {
        "storage": "influx", "influx_url": small_influx.url, "influx_token": small_influx.token, "influx_org": ORG,
        "influx_bucket": small_influx.new_bucket(), "data_dir": tmp_path / "data",
        "flask_db_url": "http://127.0.0.1:0", "retention_raw_days": 0.0,
    }  # fmt: skip
    on_it = settings.model_copy(update=given)
    service = create_service(on_it, messaging, SystemClock())
    service.start()
    messaging.publish(Topics.TEMPERATURE.processed, make_reading(), key="box")
    eventually(lambda: service.health()["lag"] == 0, "the first is stored", within_s=30.0)
    ballast = fill(small_influx.home)

    for i in range(1, 5000):
        messaging.publish(Topics.TEMPERATURE.processed, make_reading(timestamp=NOW + i), key="box")
    eventually(lambda: conditions(messaging)[-1:] == [True], "an alert is asked for", within_s=30.0)
    with DatabaseApiClient(f"http://127.0.0.1:{service.port}", "test-token") as client:
        assert client.query_id(DBIdQuery(sensor_id="air-t", limit=1))

    ballast.unlink()
    eventually(lambda: conditions(messaging)[-1:] == [False], "the alert ends", within_s=60.0)
    eventually(lambda: service.health()["lag"] == 0, "all is stored", within_s=60.0)
    service.stop()
    with closing(open_influx(on_it)) as storage:
        assert [reading.timestamp for reading in all_readings(storage)] == [NOW + i for i in range(5000)]
