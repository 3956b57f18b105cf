"""`dt demo` as a person runs it: page, history, live values and a dose; Ctrl-C leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from dt.communication.database_api import DatabaseApiClient
from dt.operations.plan import SERVICES, free_port
from dt.utils.config import Config
from dt.utils.dataclasses import ActionResult, DBTimestampQuery, Origin
from dt.utils.quantities import Quantity
from tests.conftest import wait_until

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
DAYS = 0.2


@dataclass(slots=True)
class RunningDemo:
    """A demo in a process of its own, and where its services are."""

    process: subprocess.Popen[str]
    urls: dict[str, str]
    folder: Path

    def database(self) -> DatabaseApiClient:
        """Return a client of its database service."""
        return DatabaseApiClient(self.urls["flask_db_url"])

    def stop(self) -> float:
        """Press Ctrl-C and return how many seconds the end took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(15)
        return time.monotonic() - began


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningDemo]]:
    """Return a starter of demos; none survives the test."""
    started: list[subprocess.Popen[str]] = []

    def start_demo(*arguments: str) -> RunningDemo:
        urls = {spec.url_setting: f"http://127.0.0.1:{free_port('127.0.0.1')}" for spec in SERVICES}
        port = urls["flask_dashboard_url"].rpartition(":")[2]
        clean = {name: value for name, value in os.environ.items() if name not in set(Config)}
        no_way_out = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        places = {
            **no_way_out,
            "DATA_DIR": str(tmp_path / "data"),
            "LOG_DIR": str(tmp_path / "logs"),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "dt.cli.main", "demo", "--days", str(DAYS), "--port", port, *arguments]
        with (tmp_path / "output.txt").open("a") as output:
            process = subprocess.Popen(
                command,
                cwd=tmp_path,
                env={**clean, **places, **{name.upper(): url for name, url in urls.items()}},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        started.append(process)
        return RunningDemo(process, urls, tmp_path)

    yield start_demo
    for process in started:
        process.kill()
        process.wait(5)


def page_of(demo: RunningDemo) -> requests.Response | None:
    """Return the page once it is served."""
    try:
        return requests.get(demo.urls["flask_dashboard_url"], timeout=5)
    except requests.ConnectionError:
        return None


def readings(demo: RunningDemo, quantity: Quantity) -> list[Any]:
    """Return everything that is stored of a quantity."""
    with demo.database() as database:
        return list(database.query_timestamp(DBTimestampQuery(data_type=quantity, since=0, until=4_000_000_000)))


def wetness(demo: RunningDemo) -> float:
    """Return what the basil's probe said last."""
    soil = readings(demo, Quantity.SOIL_MOISTURE)
    return float([reading.value for reading in soil if reading.sensor_id == "seesaw-soil"][-1])


def actions(demo: RunningDemo) -> list[ActionResult]:
    """Return every command's outcome on record."""
    with demo.database() as database:
        return list(database.actions())


def is_live(demo: RunningDemo) -> bool:
    """Return whether the drivers' own readings have arrived."""
    return readings(demo, Quantity.SOIL_MOISTURE)[-1].origin is Origin.LIVE


def test_the_demo_shows_history_live_values_and_a_dose_and_ends_at_ctrl_c(start: Callable[..., RunningDemo]) -> None:
    """The whole loop in one process, and nothing left of it."""
    demo = start()

    wait_until(lambda: page_of(demo) is not None, "the page is served", 15.0)
    page = page_of(demo)
    assert page is not None
    assert page.status_code == 200
    wait_until(lambda: "and stored" in (demo.folder / "output.txt").read_text(), "the history is stored", 30.0)
    soil = readings(demo, Quantity.SOIL_MOISTURE)
    past = [reading for reading in soil if reading.origin is Origin.BACKFILL]
    assert len(past) == 3 * round(DAYS * 1440)
    assert readings(demo, Quantity.VPD)
    wait_until(lambda: is_live(demo), "live values are stored", 15.0)

    wait_until(lambda: "pump gave" in (demo.folder / "output.txt").read_text(), "the pump gave a dose", 40.0)
    wait_until(lambda: actions(demo), "the dose is on record", 15.0)
    [action] = actions(demo)
    assert action.outcome == "done"
    before = [reading.value for reading in past if reading.sensor_id == "seesaw-soil"][-1]
    wait_until(lambda: wetness(demo) > before + 0.02, "the soil is wetter", 15.0)

    pids = [demo.process.pid, *(child.pid for child in psutil.Process(demo.process.pid).children(recursive=True))]
    assert demo.stop() < 5.0
    assert demo.process.returncode == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    for url in demo.urls.values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 1.0).close()
    assert "Traceback" not in (demo.folder / "output.txt").read_text()


def test_ctrl_c_while_the_demo_starts_ends_it_cleanly(start: Callable[..., RunningDemo]) -> None:
    """Whoever changes their mind waits no longer."""
    demo = start("--days", "14")
    wait_until(lambda: page_of(demo) is not None, "the page is served", 15.0)

    assert demo.stop() < 5.0
    assert demo.process.returncode == 0
    assert "Traceback" not in (demo.folder / "output.txt").read_text()


def test_a_second_demo_in_the_same_folder_is_refused(start: Callable[..., RunningDemo]) -> None:
    """It would clear away the first one's data."""
    first = start()
    wait_until(lambda: page_of(first) is not None, "the page is served", 15.0)

    second = start()

    assert second.process.wait(15) == 1
    assert "another demo runs" in (first.folder / "output.txt").read_text()
    assert first.process.poll() is None
