"""Soil readings to alerts on a genuine broker: both services, killed and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from dt.communication.kafka import KafkaMessaging
from dt.communication.messaging import outgoing
from dt.communication.topics import Topics
from dt.utils.config import Settings
from dt.utils.dataclasses import RegistryRecord
from tests.ai.soil_readings import BASIL, NOON, reading
from tests.integration.broker import free_ports
from tests.integration.conftest import broker, kafka_settings

__all__ = ["broker", "kafka_settings"]

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """One service in a process of its own, as `make run-...` starts it."""

    def __init__(self, module: str, url_setting: str, settings: Settings, folder: Path) -> None:
        self._module = module
        self._url = f"http://127.0.0.1:{free_ports()}"
        self._environment = {
            **os.environ,
            "KAFKA_URL": settings.kafka_url,
            "TOPIC_PREFIX": settings.topic_prefix,
            "DATA_DIR": str(folder / "data"),
            "LOG_DIR": str(folder / "logs"),
            url_setting: self._url,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", self._module]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(5)

    def is_ready(self) -> bool:
        """Return what its readiness page says."""
        try:
            return requests.get(f"{self._url}/ready", timeout=2).ok
        except requests.ConnectionError:
            return False


@pytest.fixture
def services(kafka_settings: Settings, tmp_path: Path) -> Iterator[list[Process]]:
    """Return the ai and the alerts service, running."""
    both = [
        Process("dt.ai.app", "FLASK_AI_URL", kafka_settings, tmp_path),
        Process("dt.alerts.app", "FLASK_ALERTS_URL", kafka_settings, tmp_path),
    ]
    for service in both:
        service.start()
    yield both
    for service in both:
        service.kill()


@pytest.fixture
def log(kafka_settings: Settings) -> Iterator[KafkaMessaging]:
    """Return the test's own way to the broker."""
    messaging = KafkaMessaging(kafka_settings, "test")
    yield messaging
    messaging.close()


def states(log: KafkaMessaging) -> list[tuple[str, str]]:
    """Return each step of each alert: its state and correlation id."""
    events = [json.loads(record.value or b"{}") for record in log.read_all(Topics.ALERTS)]
    return [(event["state"], event["correlation_id"]) for event in events]


def test_killed_services_go_on_where_they_were(
    services: list[Process], log: KafkaMessaging, eventually: Callable[..., None]
) -> None:
    """Killed with -9 between dry and wet: ready within 5 s, one opening, one end, nothing repeated."""
    plant = RegistryRecord(record_id="plant:basil", kind="plant", timestamp=NOON, body=BASIL.to_dict())
    log.publish(Topics.REGISTRY, plant, key=plant.record_id)
    log.flush()
    began = time.time() - 600

    def send(value: float, numbers: range) -> None:
        readings = [reading(value, n, timestamp=began + n) for n in numbers]
        log.publish_batch([outgoing(Topics.SOIL_MOISTURE.processed, each, key="box") for each in readings])
        log.flush()

    send(0.2, range(5))
    eventually(lambda: states(log) == [("open", "reading-2")], "the alert is open", within_s=30)

    for service in services:
        service.kill()
        service.start()
    eventually(lambda: all(service.is_ready() for service in services), "both are ready again", within_s=5)
    send(0.2, range(5, 20))
    send(0.35, range(20, 30))

    eventually(lambda: len(states(log)) > 1, "the alert is resolved", within_s=30)
    assert states(log) == [("open", "reading-2"), ("resolved", "reading-22")]
