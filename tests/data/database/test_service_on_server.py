"""The whole service with its records on a PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.app import create_service
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from tests.data.readings import make_descriptor
from tests.integration.postgres import Postgres

Eventually = Callable[[Callable[[], object], str], None]
TOKEN = {"Authorization": "Bearer test-token"}


@pytest.mark.integration
def test_service_keeps_its_records_on_a_server(
    on_free_ports: Settings, postgres: Postgres, eventually: Eventually
) -> None:
    """The same service and endpoints with DATABASE_URL of a PostgreSQL, before and after a restart."""
    settings = on_free_ports.model_copy(update={"database_url": postgres.new_database()})
    plant = {"plant_id": "mint", "zone_id": "box"}
    for status in (201, 200):
        log = MemoryMessaging()
        service = create_service(settings, log, SystemClock())
        service.start()
        try:
            address = f"http://127.0.0.1:{service.port}"
            put = requests.put(f"{address}/plants/mint", json=plant, headers=TOKEN, timeout=5)
            assert put.status_code == status
            bound = requests.post(f"{address}/bind_sensor", json=make_descriptor().to_dict(), headers=TOKEN, timeout=5)
            assert bound.status_code == status
            eventually(
                lambda log=log: (
                    {"plant:mint", "sensor:air-t"} <= {record.key for record in log.read_all(Topics.REGISTRY)}
                ),
                "all is announced",
            )
        finally:
            service.stop()
            log.close()
    assert not (settings.data_dir / "records.db").exists()
