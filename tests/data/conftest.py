"""Stores and the running database service for the tests of dt/data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import MemoryMessaging
from dt.data.database.app import DatabaseService
from dt.data.database.app import create_service as create_database
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.clock import SystemClock
from dt.utils.config import Settings


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SQLiteFile]:
    """Return an empty store."""
    opened = SQLiteFile(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def on_free_ports(settings: Settings) -> Settings:
    """Return settings whose services listen wherever there is room."""
    return settings.model_copy(
        update={"flask_db_url": "http://127.0.0.1:0", "flask_processing_url": "http://127.0.0.1:0"}
    )


@pytest.fixture
def database(on_free_ports: Settings, messaging: MemoryMessaging) -> Iterator[DatabaseService]:
    """Return a running database service."""
    service = create_database(on_free_ports, messaging, SystemClock())
    service.start()
    yield service
    service.stop()


@pytest.fixture
def client(database: DatabaseService) -> Iterator[DatabaseApiClient]:
    """Return a client that may write."""
    with DatabaseApiClient(f"http://127.0.0.1:{database.port}", "test-token") as api:
        yield api
