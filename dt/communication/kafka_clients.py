"""What a Kafka library has to offer for this package, and kafka-python's own offer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from kafka import KafkaConsumer, KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import FencedInstanceIdError

from dt.communication.kafka_options import KafkaOptions
from dt.communication.kafka_sender import Sendable, send_all
from dt.communication.messaging import Record, Start


class Clients(Protocol):
    """Makes a library's clients by the options of one service.

    They have as much of the surface of kafka-python's KafkaConsumer and KafkaProducer as is used here, and raise the
    errors of `kafka.errors`, whatever library is behind them.
    """

    name: str
    options: KafkaOptions

    def producer(self) -> Any:
        """Return an idempotent producer; after one failed record it sends no further ones."""
        ...

    def transactional(self, identity: str) -> Any:
        """Return a producer of transactions."""
        ...

    def send_all(self, producer: Any, items: Iterable[Sendable]) -> None:
        """Hand records to a producer of transactions, in order."""
        ...

    def reader(self, *, is_committed_only: bool = True) -> Any:
        """Return a consumer without a group."""
        ...

    def member(self, group: str, identity: str, start: Start) -> Any:
        """Return a consumer in a group; its `ensure_identity` raises when another process carries its identity."""
        ...

    def record_of(self, raw: Any, cut: int) -> Record:
        """Return a polled record as handlers know it, `cut` characters of topic prefix removed."""
        ...


class KafkaPython:
    """kafka-python's clients."""

    name = "kafka-python"

    def __init__(self, options: KafkaOptions) -> None:
        self.options = options

    def producer(self) -> KafkaProducer:
        """Return an idempotent producer; the client itself refuses to send after one failed record."""
        return KafkaProducer(**self.options.producer())

    def transactional(self, identity: str) -> KafkaProducer:
        """Return a producer of transactions."""
        return KafkaProducer(**self.options.transactional(identity))

    def send_all(self, producer: KafkaProducer, items: Iterable[Sendable]) -> None:
        """Hand records to a producer, in order."""
        send_all(producer, items)

    def reader(self, *, is_committed_only: bool = True) -> KafkaConsumer:
        """Return a consumer without a group."""
        isolation = "read_committed" if is_committed_only else "read_uncommitted"
        return KafkaConsumer(**{**self.options.consumer(), "isolation_level": isolation})

    def member(self, group: str, identity: str, start: Start) -> KafkaConsumer:
        """Return a consumer in a group."""
        return _Member(**self.options.group(group, identity, start))

    def record_of(self, raw: ConsumerRecord, cut: int) -> Record:
        """Return a polled record as handlers know it."""
        key = raw.key
        return Record(
            raw.topic[cut:],
            raw.partition,
            raw.offset,
            None if key is None else key.decode("utf-8", "replace"),
            raw.value,
            dict(raw.headers),
            raw.timestamp / 1000,
        )


class _Member(KafkaConsumer):  # type: ignore[misc]  # the client has no types
    """A consumer that notices when another process takes its static identity."""

    _was_mute = False

    def ensure_identity(self) -> None:
        """Raise when another process has this identity: the client only stops its heartbeat then, and polls on."""
        coordinator = self._coordinator
        is_mute = coordinator.stable() and not coordinator._heartbeat_enabled
        if is_mute and self._was_mute:
            raise FencedInstanceIdError(self.config["group_instance_id"])
        self._was_mute = is_mute
