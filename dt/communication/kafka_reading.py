"""Reading a topic from its beginning to its present end, without a group."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import TopicPartition

from dt.communication.kafka_clients import Clients
from dt.communication.kafka_errors import SETTLING, MissingTopicError
from dt.communication.messaging import Record
from dt.utils.exceptions import MessagingError

_POLL_MS = 500
_SETTLES_WITHIN_S = 20.0
_AGAIN_S = 0.1
_IDLE_POLLS_AT_MOST = 60  # half a minute without a record while an open transaction hides the rest


def read_partitions(clients: Clients, topic: str, numbers: Iterable[int] | None) -> list[Record]:
    """Return the committed records of a topic's partitions (None: all) up to where they end now.

    Waits for transactions that are open at that end, so that nothing a predecessor committed is missed, and for a
    broker whose partitions are still being taken over.
    """
    until_s = time.monotonic() + _SETTLES_WITHIN_S
    asked = None if numbers is None else list(numbers)
    while True:
        try:
            return _read_once(clients, topic, asked)
        except SETTLING:
            if time.monotonic() > until_s:
                raise
            time.sleep(_AGAIN_S)


def _read_once(clients: Clients, topic: str, numbers: Iterable[int] | None) -> list[Record]:
    full = clients.options.prefix + topic
    consumer = clients.reader()
    try:
        known = consumer.partitions_for_topic(full)
        if not known:
            raise MissingTopicError(f"{topic}: not there yet; see make kafka-topics")
        places = [TopicPartition(full, number) for number in sorted(known if numbers is None else numbers)]
        ends = _ends(clients.reader(is_committed_only=False), places)
        raws = _read_to_end(consumer, places, ends, topic)
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)
    cut = len(clients.options.prefix)
    found = [clients.record_of(raw, cut) for raw in raws]
    limit = {place.partition: ends[place] for place in places}
    return [record for record in found if record.offset < limit[record.partition]]


def _ends(looking: Any, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the ends of the log, records of open transactions included."""
    try:
        ends: dict[TopicPartition, int] = looking.end_offsets(list(places))
        return ends
    finally:
        looking.close(autocommit=False, timeout_ms=1_000)


def _read_to_end(
    consumer: Any, places: Sequence[TopicPartition], ends: Mapping[TopicPartition, int], topic: str
) -> list[Any]:
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    found: dict[TopicPartition, list[Any]] = {place: [] for place in places}
    idle = 0
    while any(consumer.position(place) < ends[place] for place in places):
        polled = consumer.poll(timeout_ms=_POLL_MS)
        idle = 0 if polled else idle + 1
        if idle > _IDLE_POLLS_AT_MOST:
            raise MessagingError(f"{topic}: could not be read to its end")
        for place, raws in polled.items():
            found[place] += raws
    return [raw for place in places for raw in found[place]]
