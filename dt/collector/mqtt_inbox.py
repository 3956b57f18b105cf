"""The collector's one MQTT client: messages for every sensor of kind mqtt, and how long each may have waited.

The session is persistent and its subscriptions are at least once, so the broker keeps messages while the collector is
away. MQTT 3.1.1 does not say of a message since when it was kept: after each connection a mark of our own is sent
through the broker, and what comes before the mark may have waited for as long as we were away.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from dt.collector.kinds.base_sensor import Arrival
from dt.communication.mqtt_connection import MqttConnection, MqttLogin
from dt.utils.clock import Clock, SystemClock
from dt.utils.config import Settings
from dt.utils.logger import get_logger

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

_MARK_WITHIN_S = 10.0  # brokers that let us publish no mark: what was kept has come by then

log = get_logger(__name__)

Hear = Callable[[Arrival], None]


class MqttInbox:
    """Gives each message to whoever listens to its topic, on paho's thread."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        prefix = settings.mqtt_prefix.strip("/")
        client_id = f"{prefix.replace('/', '-')}-collector-{settings.instance}"
        self._mark_topic = f"{prefix}/collector/{settings.instance}/mark"
        self._listeners: dict[str, list[Hear]] = {}
        self._retained: dict[str, Arrival] = {}
        self._lock = threading.Lock()
        self._is_started = False
        self._lost_s: float | None = None  # when the connection broke; None before the first
        self._connected_s: float | None = None
        self._mark = b""
        self._is_marked = False
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._connection = MqttConnection(
            MqttLogin.of(settings), client_id, f"{prefix}/collector/{settings.instance}/status",
            connected=self._on_connected, lost=self._on_lost, heard=self._on_message,
        )  # fmt: skip

    @property
    def why_not(self) -> str:
        """Return why nothing can come at present; empty while the broker is there."""
        return self._connection.why_not

    def listen(self, topic: str, hear: Hear) -> None:
        """Hear every message of a topic from now on, a retained one at once."""
        with self._lock:
            is_new = topic not in self._listeners
            self._listeners.setdefault(topic, []).append(hear)
            retained = self._retained.get(topic)
        if is_new and self._connection.is_connected:
            self._connection.follow([topic])
        elif retained is not None:
            self._tell(hear, retained)

    def unlisten(self, topic: str, hear: Hear) -> None:
        """Hear a topic no more; the session forgets one that nobody hears."""
        with self._lock:
            listeners = [each for each in self._listeners.get(topic, ()) if each != hear]
            if listeners:
                self._listeners[topic] = listeners
                return
            if self._listeners.pop(topic, None) is None:
                return
            self._retained.pop(topic, None)
        self._connection.forget(topic)
        with self._lock:
            is_heard_again = topic in self._listeners
        if is_heard_again and self._connection.is_connected:
            self._connection.follow([topic])

    def start(self) -> None:
        """Connect, unless that was done: the broker gives what it kept at once, so who wants it listens before."""
        with self._lock:
            is_first, self._is_started = not self._is_started, True
        if is_first:
            self._connection.start()

    def count(self, topic: str, what: str) -> None:
        """Count what became of a message: messages, retained, undated, refused, thinned, dropped."""
        with self._lock:
            self._counts[topic][what] += 1

    def health(self) -> dict[str, object]:
        """Return whether the broker is there, and what became of the messages of each topic."""
        with self._lock:
            topics = {topic: dict(counts) for topic, counts in self._counts.items()}
        return {
            "broker": str(self._connection.address),
            "connected": self._connection.is_connected,
            "why": self.why_not,
            "topics": topics,
        }

    def close(self) -> None:
        """Leave the broker, which keeps messages for us from now on."""
        self._connection.stop()

    def _on_connected(self, connection: MqttConnection, is_session_present: bool) -> None:  # noqa: FBT001 - a callback
        now_s = self._clock.monotonic()
        with self._lock:
            self._connected_s = now_s
            self._is_marked = not is_session_present
            self._mark = uuid.uuid4().hex.encode()
            topics = list(self._listeners)
        connection.follow([self._mark_topic, *topics])
        if is_session_present:
            connection.publish(self._mark_topic, self._mark)

    def _on_lost(self, since_s: float) -> None:
        with self._lock:
            if self._connected_s is not None:
                self._lost_s, self._connected_s = self._clock.monotonic() - since_s, None

    def _on_message(self, message: MQTTMessage) -> None:
        if message.topic == self._mark_topic:
            self._is_marked = self._is_marked or message.payload == self._mark
            return
        arrival = Arrival(bytes(message.payload), self._clock.wall(), self._may_have_waited_s(), bool(message.retain))
        with self._lock:
            listeners = list(self._listeners.get(message.topic, ()))
            if listeners:
                self._retained.pop(message.topic, None)
                if arrival.is_retained:
                    self._retained[message.topic] = arrival
        if not listeners:  # the session remembers a topic that no sensor has any more
            self._connection.forget(message.topic)
            return
        self.count(message.topic, "messages")
        for hear in listeners:
            self._tell(hear, arrival)

    def _may_have_waited_s(self) -> float:
        now_s = self._clock.monotonic()
        with self._lock:
            connected_s = now_s if self._connected_s is None else self._connected_s
            if self._is_marked or now_s - connected_s > _MARK_WITHIN_S:
                return 0.0
            return float("inf") if self._lost_s is None else now_s - self._lost_s

    def _tell(self, hear: Hear, arrival: Arrival) -> None:
        try:
            hear(arrival)
        except Exception:  # paho's thread must live for the other topics
            log.exception("a message could not be taken")
