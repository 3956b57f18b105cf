"""librdkafka's producers with as much of kafka-python's surface as is used here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import confluent_kafka
from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from dt.communication.confluent_errors import in_kafka_words, kafka_words
from dt.communication.hung_calls import HungCalls
from dt.communication.kafka_sender import Sendable

_POLL_S = 0.1
_TAKES_NOTHING_S = 2.0
_COMMIT_TIMEOUT_S = 10.0
_NO_ROOM_S = 0.05
_GRACE_S = 1.0

_calls = HungCalls()

Headers = Any  # list[tuple[str, bytes]], which the client's types call unlike its own
_Failure = confluent_kafka.KafkaError | None


class Receipt:
    """What became of one record; set by the producer's thread."""

    __slots__ = ("_told", "exception", "is_done")

    def __init__(self) -> None:
        self.is_done = False
        self.exception: KafkaError | None = None
        self._told: Callable[[], None] | None = None

    def failed(self) -> bool:
        """Return whether the record was not taken."""
        return self.exception is not None

    def add_both(self, told: Callable[[], None]) -> None:
        """Call back when it is done, or at once."""
        self._told = told
        if self.is_done:
            told()

    def settle(self, error: _Failure, _message: object) -> None:
        """Take the delivery report."""
        self.exception = None if error is None else in_kafka_words(error)
        self.is_done = True
        if self._told is not None:
            self._told()


class IdempotentProducer:
    """Sends in order and gives a receipt for each record; a thread of its own takes the reports."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._producer = confluent_kafka.Producer(dict(options))
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._take_reports, name="kafka reports", daemon=True)
        self._thread.start()

    def send(self, topic: str, value: bytes | None, key: bytes | None, headers: Headers) -> Receipt:
        """Queue a record; raises KafkaTimeoutError where its topic is not there, or the queue stays full."""
        receipt = Receipt()
        until = time.monotonic() + _TAKES_NOTHING_S
        while True:
            try:
                with kafka_words():
                    self._producer.produce(topic, value, key, headers=headers, on_delivery=receipt.settle)
            except BufferError as error:
                self._wait(until, "the queue is full", error)
            except KafkaError as error:
                if not error.retriable or "FATAL" in str(error):
                    raise
                self._wait(until, str(error), error)
            else:
                return receipt

    def close(self, timeout: float) -> None:
        """Let go of everything that is not yet acknowledged."""
        self._producer.purge(blocking=False)
        self._is_ended.set()
        self._thread.join(timeout)

    def _wait(self, until: float, why: str, error: Exception) -> None:
        if self._is_ended.wait(_NO_ROOM_S) or time.monotonic() > until:
            raise KafkaTimeoutError(why) from error

    def _take_reports(self) -> None:
        while not self._is_ended.is_set():
            try:
                self._producer.poll(_POLL_S)
            except confluent_kafka.KafkaException:  # it is stopped for good, by a refused record say
                self._producer.purge(blocking=False)  # what waits behind that one is told so
        self._producer.poll(0)


class TransactionalProducer:
    """Transactions; the first record that fails says why its transaction does."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._failure: KafkaError | None = None
        self._producer = confluent_kafka.Producer({**options, "on_delivery": self._note})

    def init_transactions(self) -> None:
        """End what a predecessor of the same identity left open."""
        with kafka_words():
            self._producer.init_transactions(_COMMIT_TIMEOUT_S)

    def begin_transaction(self) -> None:
        """Begin."""
        self._failure = None
        with kafka_words():
            self._producer.begin_transaction()

    def send_all(self, items: Iterable[Sendable]) -> None:
        """Queue records in order; waits for room."""
        produce: Callable[..., None] = self._producer.produce
        until = time.monotonic() + _COMMIT_TIMEOUT_S
        with self._explained(), kafka_words():
            for topic, value, key, headers, _size in items:
                while True:
                    try:
                        produce(topic, value, key, headers=headers)
                        break
                    except BufferError as error:
                        self._producer.poll(_NO_ROOM_S)
                        if time.monotonic() > until:
                            raise KafkaTimeoutError("the queue is full") from error

    def send_offsets_to_transaction(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: Any) -> None:
        """Commit the input's offsets with the outputs.

        librdkafka (2.16) does not keep its own limit: where the group's coordinator goes away it may wait for ever.
        """
        own = in_own_words(offsets)
        with self._explained(), kafka_words():
            _calls.within(
                _COMMIT_TIMEOUT_S + _GRACE_S,
                lambda: self._producer.send_offsets_to_transaction(own, group, _COMMIT_TIMEOUT_S),
            )

    def commit_transaction(self) -> None:
        """Send what waits and commit."""
        with self._explained(), kafka_words():
            self._producer.commit_transaction(_COMMIT_TIMEOUT_S)

    def close(self, timeout: float) -> None:
        """Let go; what is open is aborted by whoever comes next."""
        self._producer.purge(blocking=False)
        self._producer.flush(min(timeout, _NO_ROOM_S))

    def _note(self, error: _Failure, _message: object) -> None:
        if error is not None and self._failure is None:
            self._failure = in_kafka_words(error)

    def _explained(self) -> _Explained:
        return _Explained(self)


class _Explained:
    """Turns the failure of a step into that of the record which caused it."""

    def __init__(self, producer: TransactionalProducer) -> None:
        self._producer = producer

    def __enter__(self) -> None:
        """Watch."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        cause = self._producer._failure
        if isinstance(error, KafkaError) and cause is not None:
            raise cause from error


def in_own_words(offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> list[confluent_kafka.TopicPartition]:
    """Return offsets as librdkafka takes them."""
    return [
        confluent_kafka.TopicPartition(place.topic, place.partition, offset.offset) for place, offset in offsets.items()
    ]


def places(known: Sequence[confluent_kafka.TopicPartition]) -> list[TopicPartition]:
    """Return partitions as the rest of this package names them."""
    return [TopicPartition(place.topic, place.partition) for place in known]
