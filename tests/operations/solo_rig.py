"""`dt solo` as a process of its own on a simulated box that is another process, as a Pi is to its pots."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from dt.operations.plan import SERVICES, free_port
from dt.utils.config import Config
from dt.utils.dataclasses import SensorData
from dt.utils.rig import load_rig
from tests.conftest import wait_until

ROOT = Path(__file__).resolve().parents[2]
BRISK = {"every_s = 2\n": "every_s = 0.5\n", "every_s = 1\n": "every_s = 0.2\n"}  # a DHT22 takes its 5 s


@dataclass(slots=True)
class SoloRig:
    """A folder with a rig, a box beside it, and the solo that is started and killed."""

    folder: Path
    environment: dict[str, str]
    urls: dict[str, str]
    box: subprocess.Popen[bytes]
    solo: subprocess.Popen[bytes] | None = None
    guards: list[psutil.Process] = field(default_factory=list)

    @property
    def output(self) -> str:
        """Return what all runs have said."""
        return (self.folder / "output.txt").read_text("utf-8")

    def start(self, **changes: str) -> None:
        """Start dt solo, and return when its sensors are read."""
        self.solo = self.popen(**changes)
        wait_until(lambda: self.health("collector").get("status") is not None, "the collector answers", 30.0)

    def popen(self, **changes: str) -> subprocess.Popen[bytes]:
        """Start dt solo without waiting."""
        with (self.folder / "output.txt").open("a") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "dt.cli.main", "solo"],
                cwd=self.folder,
                env={**self.environment, **changes},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """End dt solo as the kernel does when memory runs out."""
        assert self.solo is not None
        self.guards += self.children()
        self.solo.kill()
        self.solo.wait(5)

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Stop dt solo with a signal and return how many seconds that took."""
        assert self.solo is not None
        began = time.monotonic()
        self.guards += self.children()
        self.solo.send_signal(number)
        assert self.solo.wait(15) == 0, self.output
        return time.monotonic() - began

    def children(self) -> list[psutil.Process]:
        """Return the guard and its parent."""
        assert self.solo is not None
        return psutil.Process(self.solo.pid).children(recursive=True)

    def health(self, service: str) -> dict[str, Any]:
        """Return a service's own word; empty while it does not answer."""
        try:
            found: dict[str, Any] = requests.get(f"{self.urls[service]}/health", timeout=5).json()
        except (requests.ConnectionError, requests.Timeout):
            return {}
        return found

    def order(self, actuator_id: str, command: dict[str, Any], token: str) -> int:
        """Give an actuator a command as a person does, and return the status code."""
        url = f"{self.urls['controller']}/actuators/{actuator_id}/commands"
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(url, json=command, headers=headers, timeout=5).status_code

    def grant(self, actuator_id: str, token: str) -> int:
        """Let policies use an actuator as a person does, and return the status code."""
        url = f"{self.urls['controller']}/grants/{actuator_id}"
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(url, json={"by": "ada"}, headers=headers, timeout=5).status_code

    def actions(self) -> list[dict[str, Any]]:
        """Return the actions on record, newest first."""
        found: list[dict[str, Any]] = requests.get(f"{self.urls['database']}/actions", timeout=5).json()["items"]
        return found

    def pin(self, number: int) -> float:
        """Return the duty of the box's pin."""
        state: dict[str, Any] = requests.get(f"{self.urls['simulator']}/state", timeout=5).json()
        return float(state["pins"].get(str(number), {}).get("duty", 0.0))

    def reads(self) -> Counter[tuple[str, str]]:
        """Return how many readings each sensor has given in this boot so far, by the collector's own count."""
        health = self.health("collector")
        boot = health["boot_id"]
        counts = {(name, boot): sensor["reads"] for name, sensor in health["sensors"].items() if name != "camera"}
        return Counter(counts)

    def stored(self) -> list[tuple[str, str, int, int]]:
        """Return sensor, boot, sequence and milliseconds of every stored reading."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "plant_twin.db")) as db:
            return db.execute(
                "SELECT s.sensor_id, c.boot_id, r.sequence, r.timestamp_ms FROM readings r"
                " JOIN series s USING (series_id) JOIN contexts c USING (context_id)"
                " WHERE s.sensor_id NOT LIKE '%/%' AND s.data_type != 'vpd'"
            ).fetchall()

    def in_outbox(self) -> list[SensorData]:
        """Return the readings in the outbox of a solo that is dead; the file itself is not touched."""
        aside = self.folder / "aside"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(self.folder / "data" / "outbox", aside)
        with contextlib.closing(sqlite3.connect(aside / "collector.db")) as db:
            rows = db.execute("SELECT value FROM records WHERE topic LIKE '%.raw' AND topic NOT LIKE '%camera%'")
            return [SensorData.from_json(value) for [value] in rows]


@contextlib.contextmanager
def solo_rig(folder: Path, changes: Mapping[str, str] | None = None, **settings: str) -> Iterator[SoloRig]:
    """Run a box on the repository's rig with quick sensors and other changes; nothing survives the end."""
    text = (ROOT / "rig.toml").read_text("utf-8")
    for slow, quick in {**BRISK, **(changes or {})}.items():
        text = text.replace(slow, quick)
    (folder / "rig.toml").write_text(text, "utf-8")
    load_rig(folder / "rig.toml")
    urls = {spec.url_setting.upper(): f"http://127.0.0.1:{free_port('127.0.0.1')}" for spec in SERVICES}
    clean = {name: value for name, value in os.environ.items() if name not in set(Config)}
    environment = {
        **clean,
        **urls,
        "PYTHONPATH": str(ROOT),
        "HARDWARE": "simulated",
        "WIRE_SOCKET": str(folder / "wire.sock"),
        "DATA_DIR": str(folder / "data"),
        "LOG_DIR": str(folder / "logs"),
        **settings,
    }
    with (folder / "box.txt").open("w") as output:
        box = subprocess.Popen(
            [sys.executable, "-m", "dt.simulator.main"],
            cwd=folder,
            env={**environment, "DATA_DIR": str(folder / "box")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    rig = SoloRig(folder, environment, {spec.name: urls[spec.url_setting.upper()] for spec in SERVICES}, box)
    try:
        wait_until((folder / "wire.sock").exists, "the box is there", 20.0)
        yield rig
    finally:
        for process in (rig.solo, box):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(5)
