"""Reading a topic to its end while its broker comes back; the library's part is scripted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownLeaderEpochError

from dt.communication import kafka_reading
from dt.communication.kafka_options import KafkaOptions
from dt.communication.kafka_reading import read_partitions
from dt.communication.messaging import Record

TOPIC = "dt.x"
PLACE = TopicPartition(TOPIC, 0)


class Broker:
    """Has one partition of three records; answers the first questions for its end with errors."""

    name = "scripted"
    options = KafkaOptions(servers=("127.0.0.1:9",), service="test", instance="1", prefix="", security={})

    def __init__(self, *errors: KafkaError) -> None:
        self.errors = list(errors)
        self.open = 0

    def reader(self, *, is_committed_only: bool = True) -> Reader:
        del is_committed_only
        self.open += 1
        return Reader(self)

    def record_of(self, raw: Record, cut: int) -> Record:
        del cut
        return raw


class Reader:
    """Gives all records at once."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._at = 0

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def end_offsets(self, _places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if self._broker.errors:
            raise self._broker.errors.pop(0)
        return {PLACE: 3}

    def assign(self, _places: Sequence[TopicPartition]) -> None:
        self._at = 0

    def seek_to_beginning(self, *_places: TopicPartition) -> None:
        self._at = 0

    def position(self, _place: TopicPartition) -> int:
        return self._at

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        del timeout_ms
        self._at = 3
        return {PLACE: [Record(TOPIC, 0, n, None, b"%d" % n, {}, 0.0) for n in range(3)]}

    def close(self, *, autocommit: bool, timeout_ms: int) -> None:
        del autocommit, timeout_ms
        self._broker.open -= 1


def test_broker_whose_partitions_are_still_taken_over_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its controller may know of a later epoch than the partition's leader for a moment after a restart."""
    monkeypatch.setattr(kafka_reading, "_AGAIN_S", 0.0)
    broker = Broker(UnknownLeaderEpochError(), UnknownLeaderEpochError())

    found = read_partitions(broker, TOPIC, iter([0]))  # type: ignore[arg-type]

    assert [record.value for record in found] == [b"0", b"1", b"2"]
    assert broker.open == 0


def test_refusal_and_a_broker_that_never_settles_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first at once, the other after a while."""
    refusing = Broker(TopicAuthorizationFailedError())
    with pytest.raises(TopicAuthorizationFailedError):
        read_partitions(refusing, TOPIC, None)  # type: ignore[arg-type]

    monkeypatch.setattr(kafka_reading, "_SETTLES_WITHIN_S", 0.0)
    monkeypatch.setattr(kafka_reading, "_AGAIN_S", 0.0)
    unsettled = Broker(*(UnknownLeaderEpochError() for _again in range(100_000)))
    with pytest.raises(UnknownLeaderEpochError):
        read_partitions(unsettled, TOPIC, None)  # type: ignore[arg-type]
    assert (refusing.open, unsettled.open) == (0, 0)
