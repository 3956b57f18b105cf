"""Stores and the running database service for the tests of dt/data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import MemoryMessaging
from dt.data.database.app import DatabaseService
from dt.data.database.app import create_service as create_database
from dt.data.database.records_db import RecordsDB
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from tests.integration.postgres import Postgres, shared_postgres


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """The session's one PostgreSQL."""
    yield from shared_postgres(request)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def records_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where an empty database of records is to be, on either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def db(records_url: str) -> Iterator[RecordsDB]:
    """Return an empty database of records."""
    opened = RecordsDB(records_url)
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SQLiteFile]:
    """Return an empty store of readings."""
    opened = SQLiteFile(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def on_free_ports(settings: Settings) -> Settings:
    """Return settings whose services listen wherever there is room."""
    anywhere = "http://127.0.0.1:0"
    nowhere = "http://127.0.0.1:1"  # no alerts service of another program answers there
    return settings.model_copy(
        update={"flask_db_url": anywhere, "flask_processing_url": anywhere, "flask_alerts_url": nowhere}
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
