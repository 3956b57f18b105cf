"""The MQTT bridge against a genuine Mosquitto."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import outgoing
from dt.communication.mqtt import MqttBridge, create_service
from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import Origin, SensorData
from dt.utils.quantities import Quantity, Unit

pytestmark = pytest.mark.integration

Eventually = Callable[..., None]


class Mosquitto:
    """A broker on a free port that can be stopped and started again."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._config = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")

    def start(self) -> None:
        """Start, and return when it listens."""
        command = [self._program, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens(self) -> bool:
        """Return whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5)
            self._process = None


class Listener:
    """A client of another program, that remembers what it hears."""

    def __init__(self, port: int, prefix: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.subscribed = threading.Event()
        self._prefix = prefix
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def values(self, topic: str) -> list[float]:
        """Return the values heard under a topic."""
        return [SensorData.from_json(payload).value for name, payload in self.heard if name == topic]

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(f"{self._prefix}/#", qos=1)


@pytest.fixture
def mosquitto(tmp_path: Path, eventually: Eventually) -> Iterator[Mosquitto]:
    """Return a running Mosquitto."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        if os.environ.get("DT_REQUIRE_SERVERS") == "1":
            pytest.fail("mosquitto is missing; on Debian: apt install mosquitto")
        pytest.skip("mosquitto is not installed")
    server = Mosquitto(program, tmp_path)
    server.start()
    eventually(server.listens, "mosquitto listens")
    yield server
    server.stop()


@pytest.fixture
def bridge(
    mosquitto: Mosquitto, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> Iterator[MqttBridge]:
    """Return a running bridge."""
    update = {"mqtt_url": f"mqtt://127.0.0.1:{mosquitto.port}", "mqtt_prefix": "green/house"}
    service = create_service(settings.model_copy(update=update), messaging, SystemClock())
    service.start()
    eventually(lambda: service.ready() is None, "the bridge is ready")
    yield service
    service.stop()


@pytest.fixture
def listener(mosquitto: Mosquitto, eventually: Eventually) -> Iterator[Listener]:
    """Return a listener to everything under the prefix."""
    client = Listener(mosquitto.port, "green/house")
    eventually(client.subscribed.is_set, "the listener listens")
    yield client
    client.close()


def send(messaging: MemoryMessaging, value: float, **more: Any) -> SensorData:
    """Publish a processed reading of the basil's soil."""
    fields: dict[str, Any] = {
        "sensor_id": "basil-soil",
        "data_type": Quantity.SOIL_MOISTURE,
        "value": value,
        "unit": Unit.VWC,
        "timestamp": 1_800_000_000.0,
        "correlation_id": f"c{value}",
        "zone_id": "box",
        "plant_id": "basil",
    }
    reading = SensorData(**{**fields, **more})
    messaging.publish_batch([outgoing(Topics.of(reading.data_type).processed, reading, key="box")])
    return reading


SOIL = "green/house/box/basil/soil_moisture"


def test_readings_arrive_whole_under_zone_plant_and_quantity(
    bridge: MqttBridge, listener: Listener, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """The payload is the message's own JSON; a reading of the zone's air has a dash for the plant."""
    soil = send(messaging, 0.3)
    air = send(
        messaging, 21.5, data_type=Quantity.TEMPERATURE, unit=Unit.DEGREE_CELSIUS, plant_id=None, sensor_id="air"
    )
    air_topic = "green/house/box/-/temperature"
    eventually(lambda: {SOIL, air_topic} <= {topic for topic, _ in listener.heard})

    heard = dict(listener.heard)
    assert SensorData.from_json(heard[SOIL]) == soil
    assert SensorData.from_json(heard[air_topic]) == air


def test_late_comer_gets_the_latest_value_at_once(
    bridge: MqttBridge, mosquitto: Mosquitto, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """Values are retained."""
    for value in (0.1, 0.2, 0.3):
        send(messaging, value)
    eventually(lambda: bridge._subscription is not None and bridge._subscription.lag() == 0)

    client = Listener(mosquitto.port, "green/house")
    eventually(lambda: client.values(SOIL))

    assert client.values(SOIL) == [0.3]
    client.close()


def test_history_replays_and_late_readings_stay_out(
    bridge: MqttBridge, listener: Listener, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """MQTT knows no event time: they would pass for the present."""
    send(messaging, 0.1, origin=Origin.BACKFILL)
    send(messaging, 0.2, origin=Origin.REPLAY)
    send(messaging, 0.3, late=True)
    send(messaging, 0.4)
    eventually(lambda: listener.values(SOIL))

    assert listener.values(SOIL) == [0.4]


def test_status_says_online_and_offline_after_a_stop(
    bridge: MqttBridge, listener: Listener, eventually: Eventually
) -> None:
    """Others see whether values can be expected."""
    status = "green/house/status"
    eventually(lambda: (status, b"online") in listener.heard)

    bridge.stop()

    eventually(lambda: (status, b"offline") in listener.heard)


def test_last_will_says_offline_when_the_bridge_dies(
    bridge: MqttBridge, listener: Listener, eventually: Eventually
) -> None:
    """A connection that breaks without a word is announced by the broker."""
    status = "green/house/status"
    eventually(lambda: (status, b"online") in listener.heard)
    assert bridge._connection is not None
    client = bridge._connection._client

    client.loop_stop()
    connection = client.socket()
    assert connection is not None
    connection.close()  # as the system does for a process that was killed

    eventually(lambda: (status, b"offline") in listener.heard)


def test_readings_of_an_outage_arrive_afterwards_in_order(
    bridge: MqttBridge, mosquitto: Mosquitto, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """Nothing is committed before the broker has acknowledged it."""
    send(messaging, 0.1)
    mosquitto.stop()
    eventually(lambda: bridge.ready() is not None, "the bridge misses its broker")
    for value in (0.2, 0.3, 0.4):
        send(messaging, value)

    mosquitto.start()
    eventually(mosquitto.listens)
    client = Listener(mosquitto.port, "green/house")
    eventually(lambda: 0.4 in client.values(SOIL), within_s=30)

    values = client.values(SOIL)
    assert values == sorted(values)
    eventually(lambda: bridge.metrics.get_sample_value("dt_mqtt_readings_total") == 4)
    client.close()
