"""The collector service on the repository's rig: in one process, and over a simulator that restarts."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import requests

from dt.collector.main import CollectorService, create_service
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.communication.wire import WireServer
from dt.simulator.board import BoxWire, box_spec, wiring
from dt.simulator.box import Box
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorData, SensorDescriptor
from dt.utils.exceptions import ConfigError, ConflictError, MessagingError
from dt.utils.rig import Rig, load_rig

Eventually = Callable[[Callable[[], object], str], None]
QUANTITIES = (Topics.TEMPERATURE, Topics.HUMIDITY, Topics.SOIL_MOISTURE, Topics.LIGHT_INTENSITY, Topics.CAMERA_IMAGE)


class Registry:
    """The far end: what a database was told."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.refuses = ""

    def bind_sensor(self, descriptor: SensorDescriptor) -> None:
        if descriptor.sensor_id == self.refuses:
            raise ConflictError(f"{descriptor.sensor_id} is registered with another zone_id")
        self.known.append(descriptor.sensor_id)


@pytest.fixture
def own_port(settings: Settings, tmp_path: Path) -> Settings:
    """Return settings with a free port and a brisk rig."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    brisk = tmp_path / "rig.toml"
    text = settings.rig_file.read_text("utf-8")
    brisk.write_text(
        text.replace("every_s = 2\n", "every_s = 0.3\n").replace("every_s = 30\n", "every_s = 1\n"), "utf-8"
    )
    return settings.model_copy(update={"flask_collector_url": f"http://127.0.0.1:{port}", "rig_file": brisk})


@pytest.fixture
def registry() -> Registry:
    """Return a database that only listens."""
    return Registry()


@pytest.fixture
def service(
    own_port: Settings, messaging: MemoryMessaging, board: BoxWire, registry: Registry
) -> Iterator[CollectorService]:
    """Return a collector that runs on a box in this process."""
    service = create_service(own_port, messaging, SystemClock(), board, registry)
    service.start()
    yield service
    service.stop()


class AwayLog(MemoryMessaging):
    """A log that takes nothing at first."""

    is_away = True

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        if self.is_away:
            raise MessagingError("no broker at 10.0.0.9")
        super().publish_batch(batch)


def test_a_log_that_is_away_and_a_refused_sensor_are_told(
    own_port: Settings, board: BoxWire, registry: Registry, eventually: Eventually
) -> None:
    """Nothing is lost yet, but a person should know before the outbox is full."""
    log = AwayLog()
    registry.refuses = next(s.sensor_id for s in load_rig(own_port.rig_file).sensors)
    service = create_service(own_port, log, SystemClock(), board, registry)
    service.start()
    try:
        eventually(lambda: "the log is away" in str(service.report()["why"]), "the log is told")
        assert service.report()["status"] == "degraded"
        assert str(service.report()["why"]).endswith("no broker at 10.0.0.9")

        log.is_away = False
        eventually(lambda: f"refuses {registry.refuses}: " in str(service.ready()), "the refusal is told")
    finally:
        service.stop()
        log.close()


def count(messaging: MemoryMessaging, topic: Topics) -> int:
    """Return how many raw records of a quantity there are."""
    return len(messaging.read_all(topic.raw))


def test_every_quantity_of_the_rig_arrives(
    service: CollectorService,
    messaging: MemoryMessaging,
    registry: Registry,
    own_port: Settings,
    eventually: Eventually,
) -> None:
    """Every quantity within seconds; all sensors are bound; the health page shows them."""
    eventually(lambda: all(count(messaging, topic) for topic in QUANTITIES), "each quantity arrived")
    eventually(lambda: len(registry.known) == 10, "all sensors were bound")

    health = requests.get(f"{own_port.flask_collector_url}/health", timeout=5).json()

    assert health["status"] == "ok"
    assert set(health["sensors"]) == {sensor.sensor_id for sensor in load_rig(own_port.rig_file).sensors}
    assert health["dropped"] == 0
    metrics = requests.get(f"{own_port.flask_collector_url}/metrics", timeout=5).text
    assert 'dt_sensor_reads_total{sensor_id="camera"}' in metrics
    assert "dt_outbox_dropped_total 0.0" in metrics
    soil = [SensorData.from_json(record.value or b"") for record in messaging.read_all(Topics.SOIL_MOISTURE.raw)]
    assert ("seesaw-soil", "basil", "box") in {(each.sensor_id, each.plant_id, each.zone_id) for each in soil}


def test_collector_lives_through_a_restart_of_the_simulator(
    own_port: Settings, messaging: MemoryMessaging, rig: Rig, registry: Registry, eventually: Eventually
) -> None:
    """It starts without a box, reads when there is one, waits when it goes, and reads again, chips set up anew."""
    clock = SystemClock()
    box = Box(box_spec(rig), clock.wall() - 3600.0)
    box.drive("box/lamp", 1.0)
    service = create_service(own_port, messaging, clock, database=registry)
    service.start()
    for _ in range(2):
        server = WireServer(BoxWire(box, clock, wiring(rig)), own_port.wire_path)
        server.start()
        soil, light = count(messaging, Topics.SOIL_MOISTURE), count(messaging, Topics.LIGHT_INTENSITY)
        eventually(lambda n=soil: count(messaging, Topics.SOIL_MOISTURE) > n + 1, "soil readings arrived")  # type: ignore[misc]
        eventually(lambda n=light: count(messaging, Topics.LIGHT_INTENSITY) > n + 1, "light readings arrived")  # type: ignore[misc]
        server.stop()

    service.stop()

    values = [
        SensorData.from_json(record.value or b"").value for record in messaging.read_all(Topics.LIGHT_INTENSITY.raw)
    ]
    # A chip that loses its power between order and fetch answers 0, as in the dark: once for each restart at most.
    assert sum(value < 1000.0 for value in values) <= 1
    assert values[-1] > 1000.0


def test_rig_with_an_unknown_kind_is_refused_before_anything_opens(
    own_port: Settings, messaging: MemoryMessaging
) -> None:
    """A typing error in the rig file ends the start with the sensor's name."""
    text = own_port.rig_file.read_text("utf-8").replace('kind = "bh1750"', 'kind = "bh1751"')
    own_port.rig_file.write_text(text, "utf-8")

    with pytest.raises(ConfigError, match="sensor bh1750-light: no kind 'bh1751'"):
        create_service(own_port, messaging, SystemClock())


@pytest.mark.parametrize("moves_pump", [False, True])
def test_s01_a_running_collector_takes_no_rig_that_gives_it_a_pumps_pin(
    service: CollectorService, own_port: Settings, board: BoxWire, eventually: Eventually, *, moves_pump: bool
) -> None:
    """Nor one that moves the pump away: the guard that runs drives the old pin until it is restarted."""
    text = own_port.rig_file.read_text("utf-8").replace('pin = "GPIO4"\n', 'pin = "GPIO4"\npower_pin = "GPIO17"\n')
    if moves_pump:
        text = text.replace('\npin = "GPIO17"', '\npin = "GPIO25"')
    own_port.rig_file.write_text(text, "utf-8")

    service.look_at_rig()

    eventually(lambda: "power_pin: GPIO17" in str(service.ready()), "the changed rig was refused")
    assert not board.pin_read(17)
