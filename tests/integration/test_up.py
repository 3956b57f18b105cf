"""`dt up`: a broker of its own, one process per service; kill -9 of any loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.operations.plan import SERVICES, free_port
from dt.operations.status import ask
from dt.utils.config import Config
from dt.utils.dataclasses import DBTimestampQuery, SensorData
from dt.utils.exceptions import RemoteServiceError
from dt.utils.quantities import Quantity
from tests.conftest import wait_until
from tests.integration.broker import free_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
ROWS = 20_000
BACK_WITHIN_S = 5.0  # two on an idle machine
HEALTH_WITHIN_S = 0.1


@dataclass(slots=True)
class Stack:
    """A running stack, commanded as a person does."""

    folder: Path
    environment: dict[str, str]

    def dt(self, *arguments: str, timeout_s: float = 180.0) -> subprocess.CompletedProcess[str]:
        """Run a dt command."""
        return subprocess.run(
            [sys.executable, "-m", "dt.cli.main", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the rows of `dt status` by service."""
        return {row["name"]: row for row in json.loads(self.dt("status", "--json").stdout)["services"]}

    def pid(self, name: str) -> int:
        """Return a service's process number from its pid file."""
        return int((self.folder / "data" / "run" / f"{name}.pid").read_text())

    def unready(self) -> dict[str, dict[str, Any]]:
        """Return the rows of what is not ready."""
        return {name: row for name, row in self.rows().items() if not row["is_ready"]}

    def kill(self, name: str) -> float:
        """Kill -9 a service and return how many seconds later it was ready again."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: self._answers_anew(name, pid), f"{name} is back", 40.0, every_s=0.05)
        took_s = time.monotonic() - began
        wait_until(lambda: self.is_back(name, pid), f"dt status says that {name} is back")
        return took_s

    def is_back(self, name: str, old_pid: int) -> bool:
        """Return whether `dt status` shows another process that is ready."""
        row = self.rows()[name]
        return bool(row["is_ready"]) and row["pid"] not in (None, old_pid)

    def _answers_anew(self, name: str, old_pid: int) -> bool:
        """Ask the service itself: `dt status` takes a second of its own on a loaded machine."""
        url = next(spec.url_setting.upper() for spec in SERVICES if spec.name == name)
        try:
            if self.pid(name) == old_pid:
                return False
        except FileNotFoundError:  # between its death and its next start
            return False
        ready = ask(f"{self.environment[url]}/ready")
        return ready is not None and bool(ready["ready"])

    def stored(self) -> list[SensorData]:
        """Return the archive's soil readings."""
        with DatabaseApiClient(self.environment["FLASK_DB_URL"]) as client:
            query = DBTimestampQuery(data_type=Quantity.SOIL_MOISTURE, since=0, until=4_000_000_000, plant_id="archive")
            return client.query_timestamp(query)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run `dt up` in a folder of its own; skip without Java unless servers are required."""
    folder = tmp_path_factory.mktemp("up")
    urls = {spec.url_setting.upper(): f"http://127.0.0.1:{free_port('127.0.0.1')}" for spec in SERVICES}
    clean = {name: value for name, value in os.environ.items() if name not in set(Config)}
    kafka = {"KAFKA_URL": f"127.0.0.1:{free_ports()}", "PYTHONPATH": str(ROOT)}
    running = Stack(folder, {**clean, **urls, **kafka})
    started = running.dt("up", "--timeout", "90", timeout_s=300.0)
    if started.returncode and "Kafka: " in started.stderr and os.environ.get("DT_REQUIRE_SERVERS") != "1":
        pytest.skip(f"no broker can be had: {started.stderr}")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield running
    finally:
        running.dt("down")


def test_every_service_is_a_process_that_is_ready(stack: Stack) -> None:
    """Broker, box, the services, and the guard in a process of its own."""
    rows = stack.rows()

    assert {"kafka", "guard", *(spec.name for spec in SERVICES)} == set(rows)
    assert {name: row for name, row in rows.items() if not row["is_ready"]} == {}
    assert len({row["pid"] for row in rows.values()}) == len(rows)


def test_health_is_told_at_once_by_services_that_read(stack: Stack) -> None:
    """However many topics a service reads, its page does not wait for the broker to count what lies before each."""
    for spec in SERVICES:
        took_s = [_seconds_of(f"{stack.environment[spec.url_setting.upper()]}/health") for _look in range(20)]
        assert min(took_s) < HEALTH_WITHIN_S, spec.name


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    """The same processes run on."""
    before = {name: row["pid"] for name, row in stack.rows().items()}

    again = stack.dt("up")

    assert again.returncode == 0
    assert "runs already" in again.stderr
    assert {name: row["pid"] for name, row in stack.rows().items()} == before


@pytest.mark.parametrize("name", [spec.name for spec in SERVICES])
def test_a_killed_service_is_back_in_under_five_seconds(stack: Stack, name: str) -> None:
    """Static membership gives it its partitions back at once."""
    assert stack.kill(name) < BACK_WITHIN_S


def test_a_replay_through_killed_services_stores_each_row_once(stack: Stack) -> None:
    """Database and processing die half-way; nothing is lost, nothing is there twice."""
    path = stack.folder / "archive.csv"
    path.write_text("time,wet\n" + "\n".join(f"{1_700_000_000 + 60 * row},{row / ROWS:.4f}" for row in range(ROWS)))
    command = ("replay", str(path), "--time", "time", "--map", "wet=soil_moisture:fraction")
    replaying = threading.Thread(target=stack.dt, args=command)
    replaying.start()
    wait_until(lambda: _count(stack) > 0 or not replaying.is_alive(), "the first rows are stored", 30.0)
    for name in ("database", "processing"):
        os.kill(stack.pid(name), signal.SIGKILL)
    replaying.join(60.0)

    wait_until(lambda: _count(stack) >= ROWS, "all rows are stored", 60.0)

    stored = stack.stored()
    assert [reading.raw_value for reading in stored] == [round(row / ROWS, 4) for row in range(ROWS)]


def test_one_service_can_be_stopped_and_started_by_name(stack: Stack) -> None:
    """Stopped by a person is no failure to be mended."""
    assert stack.dt("down", "alerts").returncode == 0
    assert stack.rows()["alerts"]["state"] == "stopped"

    assert stack.dt("up", "alerts").returncode == 0

    assert "alerts" not in stack.unready()


def test_a_killed_supervisor_is_replaced_and_its_services_run_on(stack: Stack) -> None:
    """The next `dt up` takes them over as they are."""
    before = {spec.name: stack.pid(spec.name) for spec in SERVICES}
    os.kill(stack.pid("supervisor"), signal.SIGKILL)

    assert stack.dt("up").returncode == 0

    assert {spec.name: stack.pid(spec.name) for spec in SERVICES} == before
    stack.kill("alerts")


def test_a_killed_broker_is_started_again(stack: Stack) -> None:
    """The supervisor looks after it too."""
    pid = int((stack.folder / "data" / "kafka" / "kafka.pid").read_text())
    os.kill(pid, signal.SIGKILL)

    wait_until(lambda: stack.is_back("kafka", pid), "the broker is back", 60.0)
    wait_until(lambda: not stack.unready(), "all is ready again", 60.0)


def test_down_stops_everything(stack: Stack) -> None:
    """No process of the stack is left, and a second `down` has nothing to do."""
    pids = [row["pid"] for row in stack.rows().values()] + [stack.pid("supervisor")]

    assert stack.dt("down").returncode == 0

    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    assert "nothing was running" in stack.dt("down").stderr


def _seconds_of(url: str) -> float:
    began = time.monotonic()
    assert ask(url) is not None, url
    return time.monotonic() - began


def _count(stack: Stack) -> int:
    try:
        return len(stack.stored())
    except RemoteServiceError:  # the database service is being started again
        return 0
