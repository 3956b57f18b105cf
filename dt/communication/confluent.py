"""The log on Apache Kafka by confluent-kafka (librdkafka): the fast path, where its wheel exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from dt.communication.confluent_consumer import ConfluentConsumer
from dt.communication.confluent_options import member_options, producer_options, reader_options, transaction_options
from dt.communication.confluent_producer import IdempotentProducer, TransactionalProducer
from dt.communication.kafka import KafkaMessaging
from dt.communication.kafka_options import KafkaOptions
from dt.communication.kafka_sender import LIMIT_BYTES, Sendable
from dt.communication.messaging import Record, Start
from dt.communication.topics import TOPIC_TABLE, TopicSpec
from dt.utils.clock import Clock
from dt.utils.config import Settings


class _Headers(Mapping[str, bytes]):
    """A record's headers, made when somebody asks: few readers do, and a backlog has millions."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> bytes:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())

    def _read(self) -> dict[str, bytes]:
        return dict(self._raw.headers() or ())


class ConfluentClients:
    """librdkafka's clients; topics and memberships are administered by kafka-python, which is always there."""

    name = "confluent"

    def __init__(self, options: KafkaOptions) -> None:
        self.options = options

    def producer(self) -> IdempotentProducer:
        """Return an idempotent producer."""
        return IdempotentProducer(producer_options(self.options))

    def transactional(self, identity: str) -> TransactionalProducer:
        """Return a producer of transactions."""
        return TransactionalProducer(transaction_options(self.options, identity))

    def send_all(self, producer: TransactionalProducer, items: Iterable[Sendable]) -> None:
        """Hand records to a producer, in order."""
        producer.send_all(items)

    def reader(self, *, is_committed_only: bool = True) -> ConfluentConsumer:
        """Return a consumer without a group."""
        return ConfluentConsumer(reader_options(self.options, is_committed_only=is_committed_only))

    def member(self, group: str, identity: str, start: Start) -> ConfluentConsumer:
        """Return a consumer in a group."""
        return ConfluentConsumer(member_options(self.options, group, identity, start))

    def record_of(self, raw: Any, cut: int) -> Record:
        """Return a polled record as handlers know it."""
        key = raw.key()
        return Record(
            raw.topic()[cut:],
            raw.partition(),
            raw.offset(),
            None if key is None else _text_of(key),
            raw.value(),
            _Headers(raw),
            raw.timestamp()[1] / 1000,
        )


class ConfluentMessaging(KafkaMessaging):
    """`MessagingService` by librdkafka; may be made before the broker is there."""

    def __init__(
        self,
        settings: Settings,
        service: str,
        clock: Clock | None = None,
        *,
        table: Mapping[str, TopicSpec] = TOPIC_TABLE,
        limit_bytes: int = LIMIT_BYTES,
        blocks_at_most_s: float = 30.0,
    ) -> None:
        super().__init__(
            settings,
            service,
            clock,
            clients=ConfluentClients,
            table=table,
            limit_bytes=limit_bytes,
            blocks_at_most_s=blocks_at_most_s,
        )


@lru_cache(maxsize=8192)
def _text_of(key: bytes) -> str:
    return key.decode("utf-8", "replace")
