"""MQTT devices as sensors, on a genuine Mosquitto: the collector listens, mosquitto_pub speaks for the devices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dt.collector.main import CollectorService, create_service
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.operations.plan import free_port
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import HealthReport, HealthStatus, SensorData, SensorDescriptor
from dt.utils.quantities import Unit
from tests.integration.mosquitto import Mosquitto, make_certificates

pytestmark = pytest.mark.integration

Eventually = Callable[..., None]
ESPHOME = "balcony/sensor/air_temperature/state"
TASMOTA = "tele/bench/SENSOR"
RIG = f"""
[zones.box]
[plants.basil]
zone = "box"

[[sensors]]
id = "esphome-air"
kind = "mqtt"
quantity = "temperature"
zone = "box"
every_s = 1
topic = "{ESPHOME}"
availability = "balcony/status"

[[sensors]]
id = "tasmota-air"
kind = "mqtt"
quantity = "temperature"
zone = "box"
every_s = 1
topic = "{TASMOTA}"
json = "AM2301.Temperature"
unit = "degF"
time = "Time"
availability = "tele/bench/LWT"

[[sensors]]
id = "tasmota-humidity"
kind = "mqtt"
quantity = "humidity"
zone = "box"
every_s = 1
topic = "{TASMOTA}"
json = "AM2301.Humidity"
time = "Time"
"""


class Registry:
    """A database that takes every sensor."""

    def bind_sensor(self, descriptor: SensorDescriptor) -> None:
        """Take it."""


@pytest.fixture
def mosquitto(tmp_path: Path, eventually: Eventually) -> Iterator[Mosquitto]:
    """Return a running Mosquitto."""
    server = Mosquitto(tmp_path)
    server.start()
    eventually(server.listens, "mosquitto listens")
    yield server
    server.stop()


@contextmanager
def collecting(
    server: Mosquitto, settings: Settings, messaging: MemoryMessaging, eventually: Eventually, **changes: Any
) -> Iterator[CollectorService]:
    """Run a collector on a rig without any bus, pin or simulator."""
    rig = settings.data_dir.parent / "mqtt-rig.toml"
    rig.write_text(RIG, "utf-8")
    port = free_port("127.0.0.1")
    update = {"mqtt_url": server.url, "rig_file": rig, "flask_collector_url": f"http://127.0.0.1:{port}", **changes}
    service = create_service(settings.model_copy(update=update), messaging, SystemClock(), database=Registry())
    service.start()
    try:
        eventually(lambda: inbox_of(service).get("connected"), "the broker is there")
        yield service
    finally:
        service.stop()


def readings(messaging: MemoryMessaging, topic: Topics, sensor_id: str) -> list[SensorData]:
    """Return a sensor's raw readings."""
    found = [SensorData.from_json(record.value or b"") for record in messaging.read_all(topic.raw)]
    return [reading for reading in found if reading.sensor_id == sensor_id]


def tasmota(temperature: float, age_s: float = 0.0) -> str:
    """Return a message as Tasmota sends it, of a device whose zone is UTC."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - age_s))
    return f'{{"Time":"{at}","AM2301":{{"Temperature":{temperature},"Humidity":58.6}},"TempUnit":"F"}}'


def topics_of(service: CollectorService) -> dict[str, dict[str, int]]:
    """Return what the service says of each topic."""
    return inbox_of(service)["topics"]  # type: ignore[no-any-return]


def inbox_of(service: CollectorService) -> dict[str, Any]:
    """Return what the service says of its MQTT client, once it has one."""
    return service.health().get("mqtt", {})  # type: ignore[return-value]


def status_of(messaging: MemoryMessaging, sensor_id: str) -> HealthReport | None:
    """Return a sensor's last word on `dt.health`."""
    reports = [HealthReport.from_json(record.value or b"") for record in messaging.read_all(Topics.HEALTH)]
    return next((report for report in reversed(reports) if report.sensor_id == sensor_id), None)


def test_esphome_and_tasmota_devices_are_sensors(
    mosquitto: Mosquitto, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """One message of Tasmota is two readings; the units are those of the devices."""
    with collecting(mosquitto, settings, messaging, eventually):
        eventually(lambda: _publish_until(mosquitto, ESPHOME, "21.5", messaging, "esphome-air"))
        sent_at = time.time()
        mosquitto.publish(TASMOTA, tasmota(71.6))
        eventually(lambda: readings(messaging, Topics.TEMPERATURE, "tasmota-air"))
        eventually(lambda: readings(messaging, Topics.HUMIDITY, "tasmota-humidity"))

    [esphome, *_] = readings(messaging, Topics.TEMPERATURE, "esphome-air")
    [warm, *_] = readings(messaging, Topics.TEMPERATURE, "tasmota-air")
    [humid, *_] = readings(messaging, Topics.HUMIDITY, "tasmota-humidity")
    assert (esphome.value, esphome.unit) == (21.5, Unit.DEGREE_CELSIUS)
    assert (warm.value, warm.unit) == (71.6, Unit.DEGREE_FAHRENHEIT)
    assert humid.value == 58.6
    assert warm.timestamp == humid.timestamp
    assert sent_at - 1.0 <= warm.timestamp <= time.time()  # the device tells whole seconds


def test_retained_values_are_no_readings_but_a_retained_offline_counts(
    mosquitto: Mosquitto, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """A device that left long before the collector came is failed, with why."""
    mosquitto.publish(ESPHOME, "19.0", retain=True)
    mosquitto.publish("balcony/status", "offline", retain=True)
    with collecting(mosquitto, settings, messaging, eventually) as service:
        eventually(lambda: topics_of(service).get(ESPHOME, {}).get("retained"))
        eventually(lambda: (report := status_of(messaging, "esphome-air")) and report.status is HealthStatus.FAILED)

        report = status_of(messaging, "esphome-air")
        assert report is not None
        assert report.why == f"{ESPHOME}: the device is offline, says balcony/status"
        assert readings(messaging, Topics.TEMPERATURE, "esphome-air") == []
        mosquitto.publish("balcony/status", "online", retain=True)
        mosquitto.publish(ESPHOME, "20.0")
        eventually(lambda: readings(messaging, Topics.TEMPERATURE, "esphome-air"), within_s=30)


def test_garbage_fails_its_own_sensor_alone(
    mosquitto: Mosquitto, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """It is counted, and the other device of the same client goes on."""
    with collecting(mosquitto, settings, messaging, eventually) as service:
        for payload in ("nan", "x" * 100_000, '{"value":1}'):
            mosquitto.publish(ESPHOME, payload)
        eventually(lambda: topics_of(service).get(ESPHOME, {}).get("refused") == 3, "three are refused")
        mosquitto.publish(TASMOTA, tasmota(70.0))
        eventually(lambda: readings(messaging, Topics.TEMPERATURE, "tasmota-air"))

    assert readings(messaging, Topics.TEMPERATURE, "esphome-air") == []


def test_what_the_broker_kept_arrives_with_its_own_time_even_over_its_restart(
    mosquitto: Mosquitto, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """The session is persistent and at least once; a kept message without a time is of nobody knows when."""
    with collecting(mosquitto, settings, messaging, eventually):
        eventually(lambda: _publish_until(mosquitto, ESPHOME, "21.5", messaging, "esphome-air"))
    before = len(readings(messaging, Topics.TEMPERATURE, "esphome-air"))
    mosquitto.publish(ESPHOME, "22.0")
    for temperature, age_s in ((60.0, 900.0), (61.0, 600.0), (62.0, 300.0)):
        mosquitto.publish(TASMOTA, tasmota(temperature, age_s))
    mosquitto.stop()
    mosquitto.start()
    eventually(mosquitto.listens)

    with collecting(mosquitto, settings, messaging, eventually) as service:
        eventually(lambda: topics_of(service).get(ESPHOME, {}).get("undated") == 1, "the undated one is left out")
        eventually(lambda: len(readings(messaging, Topics.TEMPERATURE, "tasmota-air")) == 3, "all three are read")

    kept = readings(messaging, Topics.TEMPERATURE, "tasmota-air")
    assert [reading.value for reading in kept] == [60.0, 61.0, 62.0]
    assert [round(later.timestamp - earlier.timestamp) for earlier, later in pairwise(kept)] == [300, 300]
    assert len(readings(messaging, Topics.TEMPERATURE, "esphome-air")) == before


def test_a_short_break_of_the_broker_loses_nothing_and_is_told(
    mosquitto: Mosquitto, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """What may have waited for less than `stale_after_s` is still believed."""
    with collecting(mosquitto, settings, messaging, eventually) as service:
        eventually(lambda: _publish_until(mosquitto, ESPHOME, "21.5", messaging, "esphome-air"))
        mosquitto.stop()
        eventually(lambda: inbox_of(service)["why"], "the break is told")
        mosquitto.start()
        eventually(mosquitto.listens)
        eventually(lambda: inbox_of(service)["connected"], "it is back", within_s=30)
        mosquitto.publish(ESPHOME, "23.25")

        eventually(lambda: readings(messaging, Topics.TEMPERATURE, "esphome-air")[-1].value == 23.25)


def test_an_edited_row_listens_once_and_a_removed_one_no_more(
    mosquitto: Mosquitto, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """A bad payload is counted once, however often the row was edited; nothing of the removed time comes back."""
    with collecting(mosquitto, settings, messaging, eventually) as service:
        row = f'topic = "{ESPHOME}"\n'

        def edit(text: str) -> None:
            (settings.data_dir.parent / "mqtt-rig.toml").write_text(text, "utf-8")
            service.look_at_rig()

        def gives(value: float) -> bool:
            mosquitto.publish(ESPHOME, "20")
            found = readings(messaging, Topics.TEMPERATURE, "esphome-air")
            return bool(found) and found[-1].value == value

        for offset in (1.0, 2.0, 3.0):
            edit(RIG.replace(row, f"{row}offset = {offset}\n"))
            eventually(lambda wanted=20.0 + offset: gives(wanted), "the edited row is read")
        heard = topics_of(service)[ESPHOME]["messages"]
        mosquitto.publish(ESPHOME, "unavailable")
        mosquitto.publish(ESPHOME, "19")
        eventually(lambda: topics_of(service)[ESPHOME]["messages"] >= heard + 2, "both are heard")
        assert topics_of(service)[ESPHOME]["refused"] == 1

        edit(RIG.replace('id = "esphome-air"', 'id = "other-air"').replace(row, 'topic = "other/topic"\n'))
        eventually(lambda: "esphome-air" not in str(service.health()["sensors"]), "the row is gone")
        mosquitto.publish(ESPHOME, "99")
        edit(RIG)
        eventually(lambda: gives(20.0), "it is read again")

    values = [reading.value for reading in readings(messaging, Topics.TEMPERATURE, "esphome-air")]
    assert 99.0 not in values


def test_devices_are_read_by_tls_and_password(
    tmp_path: Path, settings: Settings, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """The settings are those of the bridge out."""
    certificates = make_certificates(tmp_path / "tls")
    server = Mosquitto(tmp_path, users={"dt": "s3cret"}, tls=certificates)
    server.start()
    eventually(server.listens)
    login = {"mqtt_cafile": str(certificates.ca), "mqtt_username": "dt", "mqtt_password": "s3cret"}
    with collecting(server, settings, messaging, eventually, **login):
        eventually(lambda: _publish_until(server, ESPHOME, "21.5", messaging, "esphome-air", user=("dt", "s3cret")))
    server.stop()


def _publish_until(
    server: Mosquitto, topic: str, payload: str, messaging: MemoryMessaging, sensor_id: str, **more: Any
) -> bool:
    """Publish once more and return whether a reading came of it; the subscription may just be on its way."""
    server.publish(topic, payload, **more)
    return bool(readings(messaging, Topics.TEMPERATURE, sensor_id))
