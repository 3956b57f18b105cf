"""Reading a topic from its beginning to its present end, without a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from dt.communication.kafka_errors import MissingTopicError
from dt.communication.messaging import Record
from dt.utils.exceptions import MessagingError

_POLL_MS = 500
_IDLE_POLLS_AT_MOST = 60  # half a minute without a record while an open transaction hides the rest


def record_of(raw: ConsumerRecord, cut: int) -> Record:
    """Return the record as handlers know it, `cut` characters of topic prefix removed."""
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


def read_partitions(options: Mapping[str, Any], topic: str, numbers: Iterable[int] | None, cut: int) -> list[Record]:
    """Return the committed records of a topic's partitions (None: all) up to where they end now.

    Waits for transactions that are open at that end, so that nothing a predecessor committed is missed.
    """
    consumer = KafkaConsumer(**options)
    try:
        known = consumer.partitions_for_topic(topic)
        if not known:
            raise MissingTopicError(f"{topic[cut:]}: not there yet; see make kafka-topics")
        places = [TopicPartition(topic, number) for number in sorted(known if numbers is None else numbers)]
        return _read_to_end(consumer, places, _ends(options, places), cut)
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)


def _ends(options: Mapping[str, Any], places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the ends of the log, records of open transactions included."""
    looking = KafkaConsumer(**{**options, "isolation_level": "read_uncommitted"})
    try:
        ends: dict[TopicPartition, int] = looking.end_offsets(list(places))
        return ends
    finally:
        looking.close(autocommit=False, timeout_ms=1_000)


def _read_to_end(
    consumer: KafkaConsumer, places: list[TopicPartition], ends: Mapping[TopicPartition, int], cut: int
) -> list[Record]:
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    found: dict[TopicPartition, list[Record]] = {place: [] for place in places}
    idle = 0
    while any(consumer.position(place) < ends[place] for place in places):
        polled = consumer.poll(timeout_ms=_POLL_MS)
        idle = 0 if polled else idle + 1
        if idle > _IDLE_POLLS_AT_MOST:
            raise MessagingError(f"{places[0].topic[cut:]}: could not be read to its end")
        for place, records in polled.items():
            found[place] += [record_of(raw, cut) for raw in records if raw.offset < ends[place]]
    return [record for place in places for record in found[place]]
