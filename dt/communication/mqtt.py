"""A bridge out to MQTT: live processed readings, for home automation and whoever else listens there.

A process of its own (`python -m dt.communication.mqtt`), for a broker that is away holds its consumer group back, and
that must delay nobody else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from prometheus_client import Counter

from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Record, Start, Subscription
from dt.communication.mqtt_connection import MqttConnection, MqttLogin
from dt.communication.mqtt_discovery import discovery
from dt.communication.process import run_process
from dt.communication.topics import Topics, processed_topics
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import Origin, SensorData
from dt.utils.exceptions import MessageError, MessagingError
from dt.utils.service import Service

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessageInfo

GROUP = "mqtt_bridge"
NO_PLANT = "-"
_ACKNOWLEDGED_WITHIN_S = 10.0
_LIVE = Origin.LIVE.value.encode()

_Place = tuple[str, int, int]


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

    def __init__(
        self, settings: Settings, messaging: MessagingService, clock: Clock, most_held_back: int | None = None
    ) -> None:
        super().__init__("mqtt", clock)
        self._most_held_back = most_held_back
        self._prefix = settings.mqtt_prefix.strip("/")
        self._discovery = settings.mqtt_discovery_prefix.strip("/")
        self._login = MqttLogin.of(settings)
        self._client_id = f"{self._prefix.replace('/', '-')}-bridge-{settings.instance}"
        self._messaging = messaging
        self._connection: MqttConnection | None = None
        self._subscription: Subscription | None = None
        self._unacknowledged: dict[_Place, MQTTMessageInfo] = {}
        self._announced: set[str] = set()
        self._sent = Counter("dt_mqtt_readings", "readings that the MQTT broker took", registry=self.metrics)
        self._dropped_readings = 0
        self._dropped = Counter("dt_mqtt_dropped", "readings that waited too long for it", registry=self.metrics)

    def on_start(self) -> None:
        """Connect in the background, and follow the readings from now on."""
        connection = MqttConnection(
            self._login,
            self._client_id,
            f"{self._prefix}/status",
            connected=lambda _connection, _session: self._announced.clear(),
        )
        self._connection = connection
        connection.start()
        self.closing("MQTT client", connection.stop)
        topics = [topic for topic in processed_topics() if topic != Topics.CAMERA_IMAGE.processed]
        self._subscription = self._messaging.subscribe(topics, GROUP, self.take, start=Start.LATEST)
        self.closing("readings", self._subscription.stop)
        self.closing("health", HealthBeat(self, self._messaging, self.clock).start())

    def ready(self) -> str | None:
        """Wait for both brokers."""
        if self._connection is None or not self.is_started:
            return "not started"
        if not self._connection.is_connected:
            return self._connection.why_not
        if self._subscription is None or not self._subscription.is_assigned:
            return "waiting for the log"
        return None

    def health(self) -> dict[str, object]:
        """Return where the readings go, and whether they do."""
        return {
            "mqtt": str(self._login.address),
            "mqtt_connected": self._connection is not None and self._connection.is_connected,
            "lag": 0 if self._subscription is None else self._subscription.last_lag,
            "dropped": self._dropped_readings,
            "messaging": self._messaging.health(),
        }

    def take(self, records: Sequence[Record]) -> None:
        """Publish a batch and return when the broker has acknowledged all of it; raises MessagingError otherwise."""
        readings = {_place(record): reading for record in records if (reading := _live_reading(record)) is not None}
        connection = self._connection
        if not readings or connection is None:
            return
        if not connection.is_connected:
            if self._holds_back_too_many():
                self._dropped.inc(len(readings))
                self._dropped_readings += len(readings)
                return
            raise MessagingError(connection.why_not or "no MQTT broker")
        deadline = self.clock.monotonic() + _ACKNOWLEDGED_WITHIN_S
        for place, reading in readings.items():
            if place not in self._unacknowledged:  # those of an attempt that took too long are still on their way
                self._unacknowledged[place] = self._publish(connection, reading)
        for place in readings:
            self._await(place, deadline - self.clock.monotonic())
        self._unacknowledged.clear()
        self._sent.inc(len(readings))

    def _holds_back_too_many(self) -> bool:
        """Return whether older readings have to go: a log in memory stands still while a group lies too far behind."""
        return (
            self._most_held_back is not None
            and self._subscription is not None
            and self._subscription.lag() > self._most_held_back
        )

    def _publish(self, connection: MqttConnection, reading: SensorData) -> MQTTMessageInfo:
        topic = mqtt_topic(self._prefix, reading)
        if self._discovery and topic not in self._announced:
            name, config = discovery(self._discovery, self._prefix, topic, reading)
            connection.publish(name, config, retain=True)
            self._announced.add(topic)
        return connection.publish(topic, reading.to_json(), retain=True)

    def _await(self, place: _Place, timeout_s: float) -> None:
        """Block until one message is acknowledged."""
        info = self._unacknowledged[place]
        try:
            info.wait_for_publish(max(0.0, timeout_s))
        except (RuntimeError, ValueError) as error:  # the queue is full, or the connection broke while it was sent
            del self._unacknowledged[place]
            raise MessagingError(f"MQTT: {error}") from error
        if not info.is_published():
            raise MessagingError(f"MQTT: no acknowledgement within {_ACKNOWLEDGED_WITHIN_S:g} s")


def create_service(
    settings: Settings, messaging: MessagingService, clock: Clock, most_held_back: int | None = None
) -> MqttBridge:
    """Assemble the bridge; raises ConfigError without a usable MQTT_URL, and opens nothing before `start`.

    Without a broker the readings wait in the log; where more than `most_held_back` of them do, the oldest are dropped.
    """
    return MqttBridge(settings, messaging, clock, most_held_back)


def main() -> int:
    """Run the bridge on the broker until a signal, and return the exit code."""
    return run_process("mqtt", create_service)


def _place(record: Record) -> _Place:
    return record.topic, record.partition, record.offset


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
