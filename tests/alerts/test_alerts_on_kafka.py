"""Timers of alerts on a genuine broker: the service is killed while one runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dt.communication.kafka import KafkaMessaging
from dt.communication.topics import Topics
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertCondition, Severity
from tests.ai.test_ai_on_kafka import Process
from tests.integration.conftest import broker, kafka_settings

__all__ = ["broker", "kafka_settings"]

pytestmark = pytest.mark.integration

PATIENCE_S = 15.0


@pytest.fixture
def log(kafka_settings: Settings) -> Iterator[KafkaMessaging]:
    """Return the test's own way to the broker."""
    messaging = KafkaMessaging(kafka_settings, "test")
    yield messaging
    messaging.close()


def test_a_timer_outlives_the_process_that_it_began_in(
    kafka_settings: Settings,
    log: KafkaMessaging,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[..., None],
) -> None:
    """Killed with -9 while a condition has to hold on: the next one opens the alert when it was due, once."""
    rules = tmp_path / "alerts.toml"
    rules.write_text(f"[keys.soil_dry]\nopens_after_s = {PATIENCE_S}\n", "utf-8")
    monkeypatch.setenv("ALERTS_FILE", str(rules))
    service = Process("dt.alerts.app", "FLASK_ALERTS_URL", kafka_settings, tmp_path)
    service.start()
    try:
        eventually(service.is_ready, "the service is ready", within_s=60)
        at = time.time()
        condition = AlertCondition(
            key="soil_dry:basil",
            plant_id="basil",
            severity=Severity.WARNING,
            description="dry",
            active=True,
            timestamp=at,
            correlation_id="reading-1",
        )
        log.publish(Topics.ALERT_CONDITIONS, condition, key="basil")
        log.flush()
        eventually(lambda: log.read_all(Topics.STATE_ALERTS), "its state is committed", within_s=30)
        service.kill()
        service.start()
        eventually(lambda: log.read_all(Topics.ALERTS), "the alert is open", within_s=60)
        # One more condition shows that nothing else was on its way.
        later = AlertCondition.from_dict(condition.to_dict() | {"timestamp": at + 1, "severity": "critical"})
        log.publish(Topics.ALERT_CONDITIONS, later, key="basil")
        eventually(lambda: len(log.read_all(Topics.ALERTS)) > 1, "it was raised", within_s=30)
    finally:
        service.kill()

    opened, raised = (json.loads(record.value or b"{}") for record in log.read_all(Topics.ALERTS))
    assert opened["timestamp"] == pytest.approx(at + PATIENCE_S, abs=0.002)
    assert (opened["state"], opened["severity"]) == ("open", "warning")
    assert (raised["alert_id"], raised["severity"]) == (opened["alert_id"], "critical")
