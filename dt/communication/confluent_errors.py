"""librdkafka's errors as those of `kafka.errors`, which this package knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import confluent_kafka
from kafka import errors

_LOCAL: dict[int, type[errors.KafkaError]] = {
    confluent_kafka.KafkaError._TIMED_OUT: errors.KafkaTimeoutError,
    confluent_kafka.KafkaError._MSG_TIMED_OUT: errors.KafkaTimeoutError,
    confluent_kafka.KafkaError._QUEUE_FULL: errors.KafkaTimeoutError,
    confluent_kafka.KafkaError._UNKNOWN_TOPIC: errors.UnknownTopicOrPartitionError,
    confluent_kafka.KafkaError._UNKNOWN_PARTITION: errors.UnknownTopicOrPartitionError,
    confluent_kafka.KafkaError._TRANSPORT: errors.KafkaConnectionError,
    confluent_kafka.KafkaError._ALL_BROKERS_DOWN: errors.KafkaConnectionError,
    confluent_kafka.KafkaError._ASSIGNMENT_LOST: errors.CommitFailedError,
}


def in_kafka_words(error: confluent_kafka.KafkaError) -> errors.KafkaError:
    """Return the same error: the broker's own numbers are shared, the library's are below zero."""
    code = error.code()
    if code == confluent_kafka.KafkaError._FATAL and "fenced" in error.str().lower():
        code = confluent_kafka.KafkaError.FENCED_INSTANCE_ID
    known: type[errors.KafkaError] | None = errors.for_code(code) if code > 0 else _LOCAL.get(code)
    return (known or errors.KafkaError)(f"{error.name()}: {error.str()}")


@contextmanager
def kafka_words() -> Iterator[None]:
    """Raise what librdkafka raises as one of `kafka.errors`."""
    try:
        yield
    except confluent_kafka.KafkaException as failure:
        raise in_kafka_words(failure.args[0]) from failure
