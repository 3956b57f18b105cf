"""librdkafka's consumer with as much of kafka-python's surface as is used here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import confluent_kafka
from kafka import TopicPartition
from kafka.errors import KafkaError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata

from dt.communication.confluent_errors import in_kafka_words, kafka_words
from dt.communication.confluent_producer import in_own_words, places

_AT_ONCE = 14_000  # records of one poll, and of the largest batch
_ASKS_FOR_S = 5.0
_END = confluent_kafka.KafkaError._PARTITION_EOF
_STORED = confluent_kafka.OFFSET_STORED
_BEGINNING = confluent_kafka.OFFSET_BEGINNING
_LATEST = confluent_kafka.OFFSET_END

Runs = dict[TopicPartition, list[Any]]


class Listener(Protocol):
    """Hears of the group's changes."""

    def on_partitions_assigned(self, assigned: Sequence[object]) -> None:
        """Take what the member has now."""
        ...

    def on_partitions_revoked(self, revoked: object) -> None:
        """Have nothing more."""
        ...


class ConfluentConsumer:
    """A consumer, in a group or without; knows how far it has read, transactions' markers included."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._consumer = confluent_kafka.Consumer({**options, "error_cb": self._note})
        self._outage: KafkaError | None = None
        self._begins_late = options["auto.offset.reset"] == "latest"
        self._positions: dict[TopicPartition, int] = {}
        self._listener: Listener | None = None
        self._changes = 0
        self._is_member = False

    def ensure_identity(self) -> None:
        """Do nothing: `poll` raises when another process has this member's identity."""

    def subscribe(self, topics: Sequence[str], listener: Listener) -> None:
        """Join the group."""
        self._is_member = True
        self._listener = listener
        with kafka_words():
            self._consumer.subscribe(
                list(topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )

    def topics(self) -> set[str]:
        """Return the topics that the broker has."""
        with kafka_words():
            return set(self._consumer.list_topics(timeout=_ASKS_FOR_S).topics)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Return a topic's partitions; None where there is no such topic."""
        with kafka_words():
            found = self._consumer.list_topics(topic, timeout=_ASKS_FOR_S).topics[topic]
        return None if found.error is not None else set(found.partitions)

    def assign(self, assigned: Iterable[TopicPartition]) -> None:
        """Read these partitions from their beginning, outside of any group."""
        self._positions.clear()
        with kafka_words():
            self._consumer.assign([_own(place, _BEGINNING) for place in assigned])

    def seek_to_beginning(self, *_places: TopicPartition) -> None:
        """Do nothing: that is where `assign` begins."""

    def assignment(self) -> set[TopicPartition]:
        """Return the partitions that are being read."""
        with kafka_words():
            return set(places(self._consumer.assignment()))

    def poll(self, timeout_ms: int) -> Runs:
        """Return what has come, by partition; waits for the first record only."""
        with kafka_words():
            first = self._consumer.poll(timeout_ms / 1000)
            if first is None:
                self._ensure_connected()
                return {}
            changes = self._changes
            messages: list[Any] = [first, *self._consumer.consume(_AT_ONCE - 1, 0)]
        self._ensure_connected()
        if self._changes != changes:  # nobody can tell which of them are still this member's
            raise RebalanceInProgressError("the group changed while records were taken")
        runs: dict[tuple[str, int], list[Any]] = {}
        for message in messages:
            error = message.error()
            if error is None:
                place = (message.topic(), message.partition())
                run = runs.get(place)
                if run is None:
                    runs[place] = [message]
                else:
                    run.append(message)
            elif error.code() == _END:
                self._reach(TopicPartition(message.topic(), message.partition()), message.offset())
            else:
                raise in_kafka_words(error)
        found = {TopicPartition(*place): run for place, run in runs.items()}
        for where, run in found.items():
            self._reach(where, run[-1].offset() + 1)
        return found

    def position(self, place: TopicPartition, timeout_ms: int = 0) -> int:
        """Return the offset of the next record."""
        del timeout_ms
        if place not in self._positions:
            committed = self.committed(place) if self._is_member else None
            if committed is not None:
                self._positions[place] = committed
            elif self._is_member and self._begins_late:
                self._begin_at_the_end()
            else:
                with kafka_words():
                    self._positions[place] = self._consumer.get_watermark_offsets(_own(place), _ASKS_FOR_S)[0]
        return self._positions[place]

    def committed(self, place: TopicPartition) -> int | None:
        """Return what the group has committed of a partition, if anything."""
        with kafka_words():
            [found] = self._consumer.committed([_own(place)], _ASKS_FOR_S)
        if found.error is not None:
            raise in_kafka_words(found.error)
        return None if found.offset < 0 else int(found.offset)

    def end_offsets(self, asked: Sequence[TopicPartition], timeout_ms: int | None = None) -> dict[TopicPartition, int]:
        """Return where partitions end, as far as this consumer may read; all are asked for at once."""
        within_s = _ASKS_FOR_S if timeout_ms is None else timeout_ms / 1000
        with kafka_words():
            found = self._consumer.offsets_for_times([_own(place, _LATEST) for place in asked], within_s)
        for place in found:
            if place.error is not None:
                raise in_kafka_words(place.error)
        return {TopicPartition(place.topic, place.partition): int(place.offset) for place in found}

    def highwater(self, place: TopicPartition) -> int | None:
        """Return where a partition ended when it was last fetched; None where it was not yet."""
        with kafka_words():
            known = int(self._consumer.get_watermark_offsets(_own(place), cached=True)[1])
        return None if known < 0 else known

    def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], timeout_ms: int = 0) -> None:
        """Commit and return once the broker has them."""
        del timeout_ms
        with kafka_words():
            committed = self._consumer.commit(offsets=in_own_words(offsets), asynchronous=False)
        for place in committed or ():
            if place.error is not None:
                raise in_kafka_words(place.error)

    def pause(self, *paused: TopicPartition) -> None:
        """Fetch nothing of these."""
        with kafka_words():
            self._consumer.pause([_own(place) for place in paused])

    def resume(self, *paused: TopicPartition) -> None:
        """Go on fetching these, from where the last poll ended."""
        with kafka_words():
            self._consumer.resume([_own(place) for place in paused])

    def group_metadata(self) -> Any:
        """Return what a transaction needs to know of the group."""
        return self._consumer.consumer_group_metadata()

    def close(self, *, autocommit: bool = False, timeout_ms: int = 0) -> None:
        """Let go; a static member stays in its group until its session ends."""
        del autocommit, timeout_ms
        self._consumer.close()

    def _note(self, error: confluent_kafka.KafkaError) -> None:
        if error.code() == confluent_kafka.KafkaError._ALL_BROKERS_DOWN:
            self._outage = in_kafka_words(error)

    def _ensure_connected(self) -> None:
        """Raise after an outage: librdkafka may go on asking with the leader's epoch from before, for ever in vain."""
        if self._outage is not None:
            raise self._outage

    def _reach(self, place: TopicPartition, offset: int) -> None:
        self._positions[place] = max(offset, self._positions.get(place, 0))

    def _begin_at_the_end(self) -> None:
        """Fix where a group begins that has committed nothing: left alone, each partition would choose its moment."""
        offsets = {place: self.committed(place) for place in self.assignment()}
        ends = self.end_offsets([place for place, offset in offsets.items() if offset is None])
        self._positions.update(ends)
        own = [_own(place, ends.get(place, _STORED)) for place in offsets]
        with kafka_words():
            self._consumer.assign(own)

    def _assigned(self, _consumer: object, assigned: Sequence[confluent_kafka.TopicPartition]) -> None:
        self._changes += 1
        self._positions.clear()
        with kafka_words():
            self._consumer.assign(list(assigned))
            self._consumer.resume(list(assigned))  # a pause outlives the loss of a partition
        if self._listener is not None:
            self._listener.on_partitions_assigned(assigned)

    def _revoked(self, _consumer: object, revoked: Sequence[confluent_kafka.TopicPartition]) -> None:
        self._changes += 1
        if self._listener is not None:
            self._listener.on_partitions_revoked(revoked)


def _own(place: TopicPartition, offset: int = confluent_kafka.OFFSET_INVALID) -> confluent_kafka.TopicPartition:
    return confluent_kafka.TopicPartition(place.topic, place.partition, offset)
