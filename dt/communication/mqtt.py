"""A bridge out to MQTT: live processed readings, for home automation and whoever else listens there.

A process of its own (`python -m dt.communication.mqtt`), for a broker that is away holds its consumer group back, and
that must delay nobody else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from prometheus_client import Counter

from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Record, Start, Subscription
from dt.communication.process import run_process
from dt.communication.topics import Topics, processed_topics
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import Origin, SensorData
from dt.utils.exceptions import ConfigError, MessageError, MessagingError
from dt.utils.logger import get_logger
from dt.utils.service import Service

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessageInfo

GROUP = "mqtt_bridge"
NO_PLANT = "-"
ONLINE, OFFLINE = b"online", b"offline"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_ACKNOWLEDGED_WITHIN_S = 10.0
_SAYS_GOODBYE_WITHIN_S = 1.0
_LIVE = Origin.LIVE.value.encode()
_AT_LEAST_ONCE = 1

log = get_logger("dt.communication.mqtt")


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttAddress:
    """Where an MQTT broker is, and who we are there."""

    host: str
    port: int
    username: str | None
    password: str | None
    is_encrypted: bool


def mqtt_address(url: str) -> MqttAddress:
    """Read `mqtt://[user:password@]host[:port]` or `mqtts://...`; raises ConfigError.

    >>> mqtt_address("mqtts://ada:p%40ss@broker.local").port
    8883
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"MQTT_URL: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigError("MQTT_URL: must be of the form mqtt://[user:password@]host:port")
    return MqttAddress(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        is_encrypted=parts.scheme == "mqtts",
    )


def mqtt_topic(prefix: str, reading: SensorData) -> str:
    """Return `<prefix>/<zone>/<plant or ->/<quantity>`; what MQTT reserves is percent-encoded in names.

    >>> mqtt_topic(
    ...     "plant-twin",
    ...     SensorData.from_dict(
    ...         {
    ...             "sensor_id": "s",
    ...             "data_type": "humidity",
    ...             "value": 50,
    ...             "unit": "%",
    ...             "timestamp": 0,
    ...             "correlation_id": "c",
    ...             "zone_id": "shelf #2",
    ...         }
    ...     ),
    ... )
    'plant-twin/shelf%20%232/-/humidity'
    """
    plant = NO_PLANT if reading.plant_id is None else quote(reading.plant_id, safe="")
    return f"{prefix}/{quote(reading.zone_id, safe='')}/{plant}/{reading.data_type}"


class MqttBridge(Service):
    """Publishes each live reading, retained and at least once; `<prefix>/status` says `online` or `offline`.

    MQTT knows no event time: history, replays and late readings stay out, or they would pass for the present.
    """

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock) -> None:
        super().__init__("mqtt", clock)
        if not settings.mqtt_url:
            raise ConfigError("MQTT_URL: is not set; give the broker as mqtt://[user:password@]host:port")
        self._address = mqtt_address(settings.mqtt_url)
        self._prefix = settings.mqtt_prefix.strip("/")
        self._instance = settings.instance
        self._messaging = messaging
        self._client: Client | None = None
        self._subscription: Subscription | None = None
        self._refusal = ""
        self._sent = Counter("dt_mqtt_readings", "readings that the MQTT broker took", registry=self.metrics)

    def on_start(self) -> None:
        """Connect in the background, and follow the readings from now on."""
        self._client = self._connect()
        self.closing("MQTT client", self._disconnect)
        topics = [topic for topic in processed_topics() if topic != Topics.CAMERA_IMAGE.processed]
        self._subscription = self._messaging.subscribe(topics, GROUP, self.take, start=Start.LATEST)
        self.closing("readings", self._subscription.stop)
        self.closing("health", HealthBeat(self, self._messaging, self.clock).start())

    def ready(self) -> str | None:
        """Wait for both brokers."""
        if self._client is None or not self._client.is_connected():
            return self._refusal or f"no MQTT broker at {self._address.host}:{self._address.port}"
        if self._subscription is None or not self._subscription.is_assigned:
            return "waiting for the log"
        return None

    def health(self) -> dict[str, object]:
        """Return where the readings go, and whether they do."""
        return {
            "mqtt": f"{self._address.host}:{self._address.port}",
            "mqtt_connected": self._client is not None and self._client.is_connected(),
            "messaging": self._messaging.health(),
        }

    def take(self, records: Sequence[Record]) -> None:
        """Publish a batch and return when the broker has acknowledged all of it; raises MessagingError otherwise."""
        readings = [reading for record in records if (reading := _live_reading(record)) is not None]
        client = self._client
        if not readings or client is None:
            return
        if not client.is_connected():
            raise MessagingError(self.ready() or "no MQTT broker")
        deadline = self.clock.monotonic() + _ACKNOWLEDGED_WITHIN_S
        sent = [self._publish(client, reading) for reading in readings]
        for info in sent:
            _await(info, deadline - self.clock.monotonic())
        self._sent.inc(len(sent))

    def _publish(self, client: Client, reading: SensorData) -> MQTTMessageInfo:
        topic = mqtt_topic(self._prefix, reading)
        return client.publish(topic, reading.to_json(), qos=_AT_LEAST_ONCE, retain=True)

    def _connect(self) -> Client:
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        name = f"{self._prefix.replace('/', '-')}-bridge-{self._instance}"
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv311)
        client.will_set(self._status_topic, OFFLINE, qos=_AT_LEAST_ONCE, retain=True)
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.is_encrypted:
            client.tls_set()
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.max_inflight_messages_set(1000)
        client.on_connect = self._on_connect
        client.connect_async(self._address.host, self._address.port, keepalive=30)
        client.loop_start()
        return client

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._refusal = f"the MQTT broker refuses: {reason}" if reason.is_failure else ""
        if reason.is_failure:
            log.warning("%s", self._refusal)
            return
        log.info("connected to MQTT at %s:%d", self._address.host, self._address.port)
        client.publish(self._status_topic, ONLINE, qos=_AT_LEAST_ONCE, retain=True)

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected():
            client.publish(self._status_topic, OFFLINE, qos=_AT_LEAST_ONCE, retain=True).wait_for_publish(
                _SAYS_GOODBYE_WITHIN_S
            )
        client.disconnect()
        client.loop_stop()

    @property
    def _status_topic(self) -> str:
        return f"{self._prefix}/status"


def create_service(settings: Settings, messaging: MessagingService, clock: Clock) -> MqttBridge:
    """Assemble the bridge; raises ConfigError without a usable MQTT_URL, and opens nothing before `start`."""
    return MqttBridge(settings, messaging, clock)


def main() -> int:
    """Run the bridge on the broker until a signal, and return the exit code."""
    return run_process("mqtt", create_service)


def _await(info: MQTTMessageInfo, timeout_s: float) -> None:
    """Block until one message is acknowledged."""
    try:
        info.wait_for_publish(max(0.0, timeout_s))
    except (RuntimeError, ValueError) as error:  # the queue is full, or the connection broke while it was sent
        raise MessagingError(f"MQTT: {error}") from error
    if not info.is_published():
        raise MessagingError(f"MQTT: no acknowledgement within {_ACKNOWLEDGED_WITHIN_S:g} s")


def _live_reading(record: Record) -> SensorData | None:
    """Decode what is live and in time; raises MessageError."""
    if record.headers.get("origin", _LIVE) != _LIVE:
        return None
    if record.value is None:
        raise MessageError("$", "must be a reading, and is empty")
    reading = SensorData.from_json(record.value)
    return reading if reading.origin is Origin.LIVE and not reading.late else None


if __name__ == "__main__":
    sys.exit(main())
