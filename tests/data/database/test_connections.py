"""`connections.json`: what a database browser opens."""

from __future__ import annotations

import json
from pathlib import Path

from dt.utils.config import load_settings

ROOT = Path(__file__).resolve().parents[3]


def test_connection_leads_to_the_file_that_the_service_writes() -> None:
    """With default settings, and for reading alone."""
    [connection] = json.loads((ROOT / "connections.json").read_text("utf-8"))["sqltools.connections"]

    assert connection["database"] == "${workspaceFolder}/" + str(load_settings(env_file=None).database_file)
    assert connection["driver"] == "SQLite"
