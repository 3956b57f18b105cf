"""`make bench-ingest` in small: it runs, checks what each store holds, and writes the figures that are promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import lacking
from tests.integration.broker import Broker

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "ingest.py"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "plant-twin"


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_the_bench_of_ingest_counts_what_sqlite_holds(broker: Broker, tmp_path: Path) -> None:
    """Every reading is in the file once its offset is committed, or the bench fails."""
    del broker  # it was made: so the bench can make one of its own

    figures = _run(tmp_path, "--only", "sqlite")

    assert {"sqlite_per_s", "rss_mb", "rss_growth_mb"} <= set(figures)
    assert figures["sqlite_per_s"] > 0.0


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_bench_of_ingest_runs_beside_telegraf(broker: Broker, tmp_path: Path) -> None:
    """All keys of the contract; both programs are built once, which takes minutes, and are not built by a test."""
    del broker
    if not (CACHE / "telegraf-1.37.2" / "telegraf").exists() or not (CACHE / "influxd-2.7.12").exists():
        lacking("Telegraf or InfluxDB is not built: scripts/setup_telegraf.sh, scripts/setup_influxdb.sh --from-source")
    if find_spec("influxdb_client") is None:
        lacking("the db group is not installed: make install-db")

    figures = _run(tmp_path)

    promised = {"telegraf_per_s", "influx_fast_per_s", "influx_kafka_python_per_s", "sqlite_per_s"}
    assert promised <= set(figures)
    assert all(figures[name] > 0.0 for name in promised)


def _run(folder: Path, *arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--messages", "30000", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures: dict[str, float] = json.loads((folder / "build" / "figures" / "ingest.json").read_text("utf-8"))
    return figures
