"""The processing service: up, ready, and gone again."""

from __future__ import annotations

from collections.abc import Callable

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.processing.main import create_service
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from tests.data.readings import make_descriptor, make_reading, register

Eventually = Callable[[Callable[[], object], str], None]


def test_service_is_ready_while_it_reads_and_not_after(
    on_free_ports: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """Ready means that raw records are being read; its counts are by verdict."""
    register(messaging, make_descriptor())
    service = create_service(on_free_ports, messaging, SystemClock())
    before = service.ready()

    service.start()
    messaging.publish(Topics.TEMPERATURE.raw, make_reading(origin="replay", timestamp=1.7e9), key="box")

    eventually(lambda: service.ready() is None, "the service is ready")
    eventually(lambda: messaging.read_all(Topics.TEMPERATURE.processed), "a reading comes out")
    assert service.metrics.get_sample_value("dt_readings_total", {"verdict": "good"}) == 1
    service.stop()
    assert before == service.ready() == "not started"


def test_service_can_be_started_again(
    on_free_ports: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """A second service goes on where the first one stopped."""
    register(messaging, make_descriptor())
    for number in range(2):
        service = create_service(on_free_ports, messaging, SystemClock())
        service.start()
        messaging.publish(Topics.TEMPERATURE.raw, make_reading(timestamp=1.7e9 + number), key="box")
        eventually(lambda: len(messaging.read_all(Topics.TEMPERATURE.processed)) > number, "it goes on")  # noqa: B023
        service.stop()

    assert len(messaging.read_all(Topics.TEMPERATURE.processed)) == 2
