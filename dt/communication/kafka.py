"""The log on Apache Kafka: by kafka-python, unless clients of another library are given."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from kafka.errors import KafkaError

from dt.communication.kafka_clients import Clients, KafkaPython
from dt.communication.kafka_errors import translated
from dt.communication.kafka_options import KafkaOptions
from dt.communication.kafka_reading import read_partitions
from dt.communication.kafka_sender import LIMIT_BYTES, RecordSender, Sendable
from dt.communication.kafka_subscription import KafkaSubscription, Work, connected
from dt.communication.kafka_work import HandlerWork, TransformWork
from dt.communication.messaging import Handler, Outgoing, Start, Transformer, UnknownTopicError, to_publish
from dt.communication.messaging import Record as LogRecord
from dt.communication.topics import TOPIC_TABLE, TopicSpec
from dt.utils.clock import Clock, SystemClock
from dt.utils.codec import Message
from dt.utils.config import Settings
from dt.utils.exceptions import MessageTooLargeError, MessagingError

_BATCH_OVERHEAD = 128  # what the broker counts beside key, value and headers: batch header, lengths, offsets
_HEADER_OVERHEAD = 10
_CLOSE_TIMEOUT_S = 4.0
_STOP_TIMEOUT_S = 2.5  # of it, for the subscriptions


class KafkaMessaging:
    """`MessagingService` on Apache Kafka; may be made before the broker is there."""

    def __init__(
        self,
        settings: Settings,
        service: str,
        clock: Clock | None = None,
        *,
        clients: Callable[[KafkaOptions], Clients] = KafkaPython,
        table: Mapping[str, TopicSpec] = TOPIC_TABLE,
        limit_bytes: int = LIMIT_BYTES,
        blocks_at_most_s: float = 30.0,
    ) -> None:
        self._options = KafkaOptions.of(settings, service)
        self._clients = clients(self._options)
        self._clock = clock or SystemClock()
        self._table = table
        self._sender = RecordSender(self._connect, limit_bytes=limit_bytes, blocks_at_most_s=blocks_at_most_s)
        self._subscriptions: list[KafkaSubscription] = []
        self._lock = threading.Lock()
        self._is_closing = False
        self._is_closed = False
        _quieten(logging.getLogger("kafka"))

    def publish(
        self,
        topic: str,
        value: Message | bytes | None,
        *,
        key: str | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Queue one record; blocks under back-pressure; raises MessageTooLargeError or MessagingError."""
        self.publish_batch([to_publish(topic, value, key, headers)])

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        """Queue several records in order; all are checked before the first is queued."""
        self._require_open()
        self._sender.put(self._encode(batch))

    def flush(self, timeout_s: float = 10.0) -> None:
        """Return when everything queued is durable; raises MessagingError with what was refused or is still waiting."""
        self._sender.flush(timeout_s)

    def subscribe(
        self,
        topics: Sequence[str],
        group: str,
        handler: Handler,
        *,
        start: Start = Start.EARLIEST,
        max_batch: int = 1000,
    ) -> KafkaSubscription:
        """Give batches to the handler in a thread; offsets are committed after it returns."""
        work = HandlerWork(
            handler,
            start,
            self._options.prefix,
            lambda letter: self._sender.put(self._encode([letter])),
            self._sender.settle,
            self._clock,
        )
        return self._join(topics, group, max_batch, start, lambda _: work)

    def transform(
        self,
        topics: Sequence[str],
        group: str,
        transformer: Transformer,
        *,
        state_topic: str | None = None,
        max_batch: int = 1000,
    ) -> KafkaSubscription:
        """Consume, transform and produce: outputs, state and offsets in one transaction."""

        def work(identity: str) -> Work:
            return TransformWork(transformer, state_topic, identity, self._clients, self._encode, self._clock)

        return self._join(topics, group, max_batch, Start.EARLIEST, work)

    def read_all(self, topic: str) -> list[LogRecord]:
        """Return the committed records of a topic up to its present end."""
        self._require_open()
        self._spec(topic)
        try:
            return read_partitions(self._clients, topic, None)
        except (KafkaError, OSError) as error:
            raise translated(error, f"reading {topic}") from error

    def health(self) -> dict[str, object]:
        """Return whether a broker answers, what waits to be sent, and each group's state."""
        return {
            "connected": not self._is_closed and self._options.is_reachable(),
            "kind": "kafka",
            "client": self._clients.name,
            "servers": ",".join(self._options.servers),
            "waiting": self._sender.pending,
            "groups": {
                member.group: "assigned" if member.is_assigned else "waiting" if member.is_running else "stopped"
                for member in self._subscriptions
            },
        }

    def close(self) -> None:
        """Stop all subscriptions, send what waits while a broker answers, and let go; within five seconds."""
        with self._lock:
            if self._is_closing:
                return
            self._is_closing = True
        until = self._clock.monotonic() + _CLOSE_TIMEOUT_S
        stopping = [threading.Thread(target=member.stop, args=(_STOP_TIMEOUT_S,)) for member in self._subscriptions]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        self._is_closed = True
        left_s = max(0.5, until - self._clock.monotonic())
        self._sender.close(left_s if self._options.is_reachable() else 0.0)

    def _join(
        self, topics: Sequence[str], group: str, max_batch: int, start: Start, work: Callable[[str], Work]
    ) -> KafkaSubscription:
        for topic in topics:
            self._spec(topic)
        with self._lock:
            if self._is_closing:
                raise MessagingError("the log is closed")
            identity = self._free_identity(group)
            member = KafkaSubscription(
                self._clients, topics, group, identity, max_batch, start, work(identity), self._clock
            )
            self._subscriptions = [*(m for m in self._subscriptions if m.identity != identity), member]
            return member

    def _free_identity(self, group: str) -> str:
        """Return the first name in the group that no running member of this process has."""
        taken = {member.identity for member in self._subscriptions if member.is_running}
        return next(name for n in count() if (name := self._options.identity(group, n)) not in taken)

    def _connect(self, should_end: Callable[[], bool]) -> Any:
        return connected(self._options, should_end, self._clock, self._clients.producer)

    def _encode(self, batch: Sequence[Outgoing]) -> list[Sendable]:
        """Return records as the client takes them; refuses unknown topics and what is too large for one."""
        prefix = self._options.prefix
        table = self._table
        encoded = []
        for outgoing in batch:
            topic, value, key, headers = outgoing.topic, outgoing.value, outgoing.key, outgoing.headers
            spec = table.get(topic) or self._spec(topic)
            raw_key = None if key is None else key.encode()
            size = _BATCH_OVERHEAD + len(value or b"") + len(raw_key or b"")
            if headers:
                size += _HEADER_OVERHEAD * len(headers) + sum(map(len, headers)) + sum(map(len, headers.values()))
            if size > spec.max_message_bytes:
                raise MessageTooLargeError(topic, size, spec.max_message_bytes)
            encoded.append(Sendable(prefix + topic, value, raw_key, list(headers.items()), size))
        return encoded

    def _spec(self, topic: str) -> TopicSpec:
        try:
            return self._table[topic]
        except KeyError:
            raise UnknownTopicError(f"{topic}: no such topic") from None

    def _require_open(self) -> None:
        if self._is_closed:
            raise MessagingError("the log is closed")


def _quieten(logger: logging.Logger) -> None:
    """Keep the client's own chatter out of the logs (several lines a second in an outage), unless its level was set."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
