"""The MQTT bridge against a genuine Mosquitto."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity, Unit
from tests.integration.mosquitto import Mosquitto, make_certificates

pytestmark = pytest.mark.integration

Eventually = Callable[..., None]


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

    def texts(self, topic: str) -> list[bytes]:
        """Return the payloads heard under a topic."""
        return [payload for name, payload in self.heard if name == topic]

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
    server = Mosquitto(tmp_path)
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


@contextmanager
def running(server: Mosquitto, settings: Settings, messaging: MemoryMessaging, **changes: Any) -> Iterator[MqttBridge]:
    """Run a bridge with settings of its own."""
    update = {"mqtt_url": server.url, "mqtt_prefix": "green/house", **changes}
    service = create_service(settings.model_copy(update=update), messaging, SystemClock())
    service.start()
    yield service
    service.stop()


def test_wrong_password_is_named_and_the_right_one_gets_in(
    tmp_path: Path, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """What is held back meanwhile is not lost: the group has committed nothing."""
    server = Mosquitto(tmp_path, users={"ada": "right"})
    server.start()
    eventually(server.listens)
    login = {"mqtt_username": "ada"}
    with running(server, settings, messaging, **login, mqtt_password="wrong") as bridge:
        eventually(lambda: "refuses: Not authorized" in (bridge.ready() or ""), "the refusal is told")
        send(messaging, 0.1)

    with running(server, settings, messaging, **login, mqtt_password="right") as bridge:
        eventually(lambda: bridge.metrics.get_sample_value("dt_mqtt_readings_total") == 1, "the reading is out")
        assert bridge.ready() is None
    server.stop()


@pytest.mark.filterwarnings(r"ignore:unclosed .ssl\.SSLSocket:ResourceWarning")  # paho leaves a failed handshake open
def test_tls_checks_the_brokers_certificate(
    tmp_path: Path, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """A broker that a strange authority vouches for gets nothing, and the health says why."""
    ours, strange = make_certificates(tmp_path / "ours"), make_certificates(tmp_path / "strange")
    server = Mosquitto(tmp_path, tls=ours)
    server.start()
    eventually(server.listens)
    with running(server, settings, messaging, mqtt_cafile=str(strange.ca)) as bridge:
        eventually(lambda: "is not trusted" in (bridge.ready() or ""), "the certificate is refused")
        send(messaging, 0.1)
    client = {"mqtt_certfile": str(ours.client), "mqtt_keyfile": str(ours.client_key)}

    with running(server, settings, messaging, mqtt_cafile=str(ours.ca), **client) as bridge:
        eventually(lambda: bridge.metrics.get_sample_value("dt_mqtt_readings_total") == 1, "the reading is out")
    server.stop()


def test_home_assistant_is_told_once_of_each_topic(
    mosquitto: Mosquitto, settings: Settings, messaging: MemoryMessaging, listener: Listener, eventually: Eventually
) -> None:
    """The announcement is retained and leads to the readings, in the unit that Home Assistant knows."""
    with running(mosquitto, settings, messaging, mqtt_discovery_prefix="green/house/ha") as bridge:
        eventually(lambda: bridge.ready() is None)
        for value in (0.31, 0.32):
            send(messaging, value)
        eventually(lambda: listener.values(SOIL) == [0.31, 0.32])

    [config] = [
        json.loads(text) for text in listener.texts("green/house/ha/sensor/green_house/box_basil_soil_moisture/config")
    ]
    assert (config["state_topic"], config["device_class"], config["unit_of_measurement"]) == (SOIL, "moisture", "%")
    assert config["availability_topic"] == "green/house/status"


def test_settings_that_contradict_each_other_are_refused(settings: Settings, messaging: MemoryMessaging) -> None:
    """Before anything is opened, in one line that names the variable."""
    for url, changes, name in (
        ("mqtt://h", {"mqtt_cafile": "/dev/null"}, "MQTT_URL"),
        ("mqtts://h", {"mqtt_cafile": "/dev/null"}, "MQTT_CAFILE"),
        ("mqtts://h", {"mqtt_keyfile": "/dev/null"}, "MQTT_KEYFILE"),
        ("mqtts://h", {"mqtt_certfile": "/dev/null"}, "MQTT_CERTFILE"),
    ):
        with pytest.raises(ConfigError, match=f"^{name}: "):
            create_service(settings.model_copy(update={"mqtt_url": url, **changes}), messaging, SystemClock())
