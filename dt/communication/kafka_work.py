"""The two ways of dealing with records: a handler, and a transformer inside transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from dt.communication.dead_letters import letter_of
from dt.communication.kafka_clients import Clients
from dt.communication.kafka_errors import MOVED_ON, translated
from dt.communication.kafka_reading import read_partitions
from dt.communication.kafka_sender import Sendable, let_go
from dt.communication.kafka_subscription import offsets_after
from dt.communication.messaging import Handler, Outgoing, Record, Start, Transformer, UnusableRecordsError
from dt.utils.clock import Clock
from dt.utils.exceptions import MessagingError
from dt.utils.logger import get_logger

_COMMIT_TIMEOUT_MS = 5_000

log = get_logger(__name__)


class HandlerWork:
    """A handler; offsets are committed after it returned and what it published is durable."""

    def __init__(
        self,
        handler: Handler,
        start: Start,
        prefix: str,
        publish: Callable[[Outgoing], None],
        settle: Callable[[float], bool],
        clock: Clock,
    ) -> None:
        self._handler = handler
        self._start = start
        self._prefix = prefix
        self._publish = publish
        self._settle = settle
        self._clock = clock

    def assigned(self, consumer: Any) -> None:
        """Fix where a new group begins that wants only what comes from now on."""
        if self._start is Start.EARLIEST:
            return
        new = [place for place in consumer.assignment() if consumer.committed(place) is None]
        if new:
            consumer.commit({place: _offset(consumer.position(place)) for place in new}, timeout_ms=_COMMIT_TIMEOUT_MS)

    def attempt(self, records: Sequence[Record]) -> None:
        """Let the handler have them, and bury what it gives back."""
        try:
            self._handler(records)
        except UnusableRecordsError as error:
            for record, why in error.unusable:
                self.bury(record, why)

    def bury(self, record: Record, error: Exception) -> None:
        """Publish the dead letter; `handled` waits until it is durable."""
        self._publish(letter_of(record, error, self._clock.wall()))

    def handled(self, consumer: Any, records: Sequence[Record], should_end: Callable[[], bool]) -> None:
        """Commit, once everything that came of the batch is durable."""
        while not self._settle(0.2):
            if should_end():
                return
        offsets = offsets_after(records, self._prefix)
        while True:
            try:
                consumer.commit(offsets, timeout_ms=_COMMIT_TIMEOUT_MS)
            except MOVED_ON as error:
                log.info("%d records will come again, the group moved on: %s", len(records), error)
            except KafkaTimeoutError:
                if not should_end():
                    continue
            return

    def close(self) -> None:
        """Hold nothing."""


class TransformWork:
    """A transformer; outputs, state and offsets appear together or not at all."""

    def __init__(
        self,
        transformer: Transformer,
        state_topic: str | None,
        identity: str,
        clients: Clients,
        encode: Callable[[Sequence[Outgoing]], list[Sendable]],
        clock: Clock,
    ) -> None:
        self._transformer = transformer
        self._state_topic = state_topic
        self._identity = identity
        self._clients = clients
        self._options = clients.options
        self._encode = encode
        self._clock = clock
        self._consumer: Any = None
        self._producer: Any = None
        self._is_stale = True

    def assigned(self, consumer: Any) -> None:
        """End what a predecessor left open, then take over its state."""
        self._consumer = consumer
        self._is_stale = True
        self._ready_producer()
        self._restore()

    def attempt(self, records: Sequence[Record]) -> None:
        """Transform and commit; after any failure the transformer begins again from what is committed."""
        try:
            if self._is_stale:
                self._ready_producer()  # ends what is open, one way or the other
                records = self._uncommitted(records)
                self._restore()
            self._is_stale = bool(records)
            if not records:
                return
            outputs = self._encode(self._transformer.transform(records))
            self._commit(records, outputs)
        except KafkaError as error:
            raise translated(error, f"{self._identity}: transaction") from error
        self._is_stale = False

    def bury(self, record: Record, error: Exception) -> None:
        """Commit the dead letter together with the offset of its record."""
        try:
            self._commit([record], self._encode([letter_of(record, error, self._clock.wall())]))
        except KafkaError as failure:
            raise translated(failure, f"{self._identity}: dead letter") from failure

    def handled(self, consumer: Any, records: Sequence[Record], should_end: Callable[[], bool]) -> None:
        """Do nothing: the transaction has committed the offsets."""

    def close(self) -> None:
        """Abort what is open."""
        self._drop_producer()

    def _commit(self, records: Sequence[Record], outputs: Sequence[Sendable]) -> None:
        consumer = self._consumer
        if consumer is None:
            raise MessagingError(f"{self._identity}: has no partitions")
        producer = self._ready_producer()
        offsets = offsets_after(records, self._options.prefix)
        try:
            producer.begin_transaction()
            self._clients.send_all(producer, outputs)
            producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
            producer.commit_transaction()
        except Exception:
            self._drop_producer()
            if not self._was_committed_nevertheless(consumer, records):
                raise

    def _was_committed_nevertheless(self, consumer: Any, records: Sequence[Record]) -> bool:
        """Ask for the offsets: an answer may get lost after the broker has committed."""
        self._ready_producer()  # ends the open transaction, one way or the other
        offsets = offsets_after(records, self._options.prefix)
        return all((consumer.committed(place) or 0) >= offset.offset for place, offset in offsets.items())

    def _uncommitted(self, records: Sequence[Record]) -> list[Record]:
        """Leave out what an earlier attempt has committed without hearing of it."""
        if self._consumer is None:
            return list(records)
        prefix = self._options.prefix
        taken = {place: self._consumer.committed(place) or 0 for place in offsets_after(records, prefix)}
        return [r for r in records if r.offset >= taken[TopicPartition(prefix + r.topic, r.partition)]]

    def _ready_producer(self) -> Any:
        if self._producer is None:
            producer = self._clients.transactional(self._identity)
            try:
                producer.init_transactions()
            except KafkaError:
                let_go(producer)
                raise
            self._producer = producer
        return self._producer

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            let_go(producer)

    def _restore(self) -> None:
        self._transformer.restore(self._state())
        self._is_stale = False

    def _state(self) -> list[Record]:
        """Return the latest record of each key in the state partitions that belong to this member's input."""
        if self._state_topic is None or self._consumer is None:
            return []
        numbers = {place.partition for place in self._consumer.assignment()}
        if not numbers:
            return []
        found = read_partitions(self._clients, self._state_topic, numbers)
        return list({record.key: record for record in found}.values())


def _offset(position: int) -> OffsetAndMetadata:
    return OffsetAndMetadata(position, "", -1)
