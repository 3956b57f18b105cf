"""`connections.json`: what a database browser opens."""

from __future__ import annotations

import json
from pathlib import Path

from dt.utils.config import load_settings

ROOT = Path(__file__).resolve().parents[3]


def test_connections_lead_to_the_files_that_the_service_writes() -> None:
    """With default settings."""
    settings = load_settings(env_file=None)
    connections = json.loads((ROOT / "connections.json").read_text("utf-8"))["sqltools.connections"]

    paths = [str(settings.database_file), settings.records_url.removeprefix("sqlite:///")]
    assert [connection["database"] for connection in connections] == ["${workspaceFolder}/" + path for path in paths]
    assert {connection["driver"] for connection in connections} == {"SQLite"}
