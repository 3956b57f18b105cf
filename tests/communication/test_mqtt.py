"""The bridge's pure parts: addresses, topic names, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dt.communication.memory import MemoryMessaging
from dt.communication.mqtt import create_service, mqtt_topic
from dt.communication.mqtt_connection import MqttAddress, mqtt_address
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorData
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity, Unit


def reading(zone_id: str, plant_id: str | None) -> SensorData:
    """Return a reading of one place."""
    return SensorData(
        sensor_id="probe",
        data_type=Quantity.SOIL_MOISTURE,
        value=0.3,
        unit=Unit.VWC,
        timestamp=0.0,
        correlation_id="c",
        zone_id=zone_id,
        plant_id=plant_id,
    )


def test_address_is_read_with_user_and_password() -> None:
    """Reserved characters come percent-encoded."""
    address = mqtt_address("mqtt://ada:p%40ss%3Aword@broker.local:2883")

    assert address == MqttAddress(
        host="broker.local", port=2883, username="ada", password="p@ss:word", is_encrypted=False
    )


@pytest.mark.parametrize(("url", "port"), [("mqtt://h", 1883), ("mqtts://h", 8883), ("mqtt://[::1]", 1883)])
def test_port_has_the_usual_default(url: str, port: int) -> None:
    """1883 in the clear, 8883 with TLS."""
    assert mqtt_address(url).port == port


@pytest.mark.parametrize(
    "url", ["http://h:1", "mqtt://", "mqtt://h:port", "h:1883", "mqtt://h/topic", "mqtt://h:99999"]
)
def test_other_urls_are_refused_by_the_settings_name(url: str) -> None:
    """One line that names the variable."""
    with pytest.raises(ConfigError, match=r"^MQTT_URL: "):
        mqtt_address(url)


@pytest.mark.parametrize(
    ("zone", "plant", "topic"),
    [
        ("box", "basil", "green/box/basil/soil_moisture"),
        ("box", None, "green/box/-/soil_moisture"),
        ("a/b", "c+d#e", "green/a%2Fb/c%2Bd%23e/soil_moisture"),
    ],
)
def test_topic_names_zone_plant_and_quantity(zone: str, plant: str | None, topic: str) -> None:
    """Names with what MQTT reserves add no levels and no wildcards."""
    assert mqtt_topic("green", reading(zone, plant)) == topic


def test_bridge_without_an_address_is_refused(
    settings: Settings, messaging: MemoryMessaging, clock: ManualClock
) -> None:
    """It exists only where MQTT_URL is set."""
    with pytest.raises(ConfigError, match="MQTT_URL: is not set"):
        create_service(settings, messaging, clock)


def test_a_log_in_memory_does_not_wait_for_ever_for_an_mqtt_broker(
    settings: Settings, messaging: MemoryMessaging, eventually: Callable[..., None]
) -> None:
    """It would stand still for everybody: beyond a bound the oldest go, and are counted."""
    away = settings.model_copy(update={"mqtt_url": "mqtt://127.0.0.1:9"})
    bridge = create_service(away, messaging, SystemClock(), most_held_back=50)
    bridge.start()
    for number in range(200):
        message = replace(reading("box", "basil"), timestamp=float(number))
        messaging.publish(Topics.SOIL_MOISTURE.processed, message, key="box")

    eventually(lambda: bridge.health()["dropped"] > 0, "some are dropped")
    eventually(lambda: bridge.health()["lag"] <= 50, "the rest waits")
    assert "no MQTT broker at 127.0.0.1:9" in (bridge.ready() or "")
    bridge.stop()
