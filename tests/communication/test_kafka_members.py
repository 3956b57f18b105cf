"""What a member of a group does when the broker's answers come at the worst moment; the library's part is scripted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, RebalanceInProgressError

from dt.communication.kafka_options import KafkaOptions
from dt.communication.kafka_sender import Sendable
from dt.communication.kafka_subscription import KafkaSubscription
from dt.communication.kafka_work import HandlerWork, TransformWork
from dt.communication.messaging import Outgoing, Record, Start
from dt.utils.clock import SystemClock
from dt.utils.exceptions import MessagingError

Eventually = Callable[[Callable[[], object], str], None]
TOPIC = "dt.x"


class Log:
    """Partitions of one topic, a group's offsets in it, and a consumer's and producer's view of them."""

    name = "scripted"

    def __init__(self, port: int, *partitions: Sequence[bytes]) -> None:
        self.options = KafkaOptions(
            servers=(f"127.0.0.1:{port}",), service="test", instance="1", prefix="", security={}
        )
        self.partitions = dict(enumerate(partitions))
        self.committed: dict[TopicPartition, int] = {}
        self.assigned: list[int] = [0]
        self.produced: list[bytes | None] = []
        self.script: list[str] = []  # what the producers' next steps do instead

    def member(self, group: str, identity: str, start: Start) -> Consumer:
        del group, identity, start
        return Consumer(self)

    def transactional(self, identity: str) -> Producer:
        del identity
        return Producer(self)

    def send_all(self, producer: Producer, items: Sequence[Sendable]) -> None:
        producer.values += [item.value for item in items]

    def record_of(self, raw: Record, cut: int) -> Record:
        del cut
        return raw


class Consumer:
    """Reads what is assigned from what is committed; deals out anew at the first poll after a pause."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._at: dict[int, int] = {}
        self._is_paused = False
        self._listener: Any = None

    def subscribe(self, topics: Sequence[str], listener: Any) -> None:
        del topics
        self._listener = listener

    def topics(self) -> set[str]:
        return {TOPIC}

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(TOPIC, number) for number in self._at}

    def ensure_identity(self) -> None:
        """Carry it alone."""

    def poll(self, timeout_ms: int) -> Mapping[TopicPartition, list[Record]]:
        del timeout_ms
        if self._is_paused and self._log.assigned == [0]:
            self._log.assigned = [1]
        if list(self._at) != self._log.assigned:
            self._at = {n: self.committed(TopicPartition(TOPIC, n)) or 0 for n in self._log.assigned}
            self._is_paused = False
            self._listener.on_partitions_revoked([])
            self._listener.on_partitions_assigned(self._log.assigned)
        return {} if self._is_paused else self._fetched()

    def _fetched(self) -> dict[TopicPartition, list[Record]]:
        found = {}
        for number, at in self._at.items():
            values = self._log.partitions[number][at:]
            if values:
                records = [Record(TOPIC, number, at + n, None, value, {}, 0.0) for n, value in enumerate(values)]
                found[TopicPartition(TOPIC, number)] = records
                self._at[number] = at + len(values)
        return found

    def pause(self, *_places: TopicPartition) -> None:
        self._is_paused = True

    def resume(self, *_places: TopicPartition) -> None:
        self._is_paused = False

    def committed(self, place: TopicPartition) -> int | None:
        return self._log.committed.get(place)

    def commit(self, offsets: Mapping[TopicPartition, Any], timeout_ms: int) -> None:
        del timeout_ms
        self._log.committed |= {place: offset.offset for place, offset in offsets.items()}

    def group_metadata(self) -> None:
        """Have none."""

    def close(self, *, autocommit: bool, timeout_ms: int) -> None:
        """Let go."""


class Producer:
    """A transaction at a time."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.values: list[bytes | None] = []
        self._offsets: dict[TopicPartition, int] = {}

    def _step(self) -> str:
        return self._log.script.pop(0) if self._log.script else ""

    def init_transactions(self) -> None:
        if self._step() == "unreachable":
            raise KafkaConnectionError("the broker is away")

    def begin_transaction(self) -> None:
        self.values, self._offsets = [], {}

    def send_offsets_to_transaction(self, offsets: Mapping[TopicPartition, Any], group: object) -> None:
        del group
        self._offsets = {place: offset.offset for place, offset in offsets.items()}

    def commit_transaction(self) -> None:
        self._log.produced += self.values
        self._log.committed |= self._offsets
        if self._step() == "answer lost":
            raise KafkaConnectionError("no answer")

    def close(self, timeout: float) -> None:
        """Let go."""


class PassOn:
    """Every record goes on as it is."""

    def restore(self, state: Sequence[Record]) -> None:
        """Have nothing to remember."""

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the same values."""
        return [Outgoing(TOPIC, record.value) for record in records]


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port that answers while the test runs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_records_of_new_partitions_that_come_while_a_handler_rests_are_not_lost(
    port: int, eventually: Eventually
) -> None:
    """A rebalance and the first records after it may come in one poll, while a failed batch waits to be tried again."""
    log = Log(port, [b"old"], [b"new"])
    seen: list[bytes | None] = []

    def handler(records: Sequence[Record]) -> None:
        if records[0].value == b"old":
            raise MessagingError("not now")
        seen.extend(record.value for record in records)

    work = HandlerWork(handler, Start.EARLIEST, "", lambda _letter: None, lambda _timeout_s: True, SystemClock())
    member = KafkaSubscription(log, [TOPIC], "g", "g-1", 10, Start.EARLIEST, work, SystemClock())
    try:
        eventually(lambda: seen, "the record of the new partition")
        eventually(lambda: log.committed == {TopicPartition(TOPIC, 1): 1}, "its offset, and no other")
    finally:
        log.options = SimpleNamespace(is_reachable=lambda: False)
        member._options = log.options
        member.stop()
    assert seen == [b"new"]


def test_transaction_that_was_committed_unheard_is_not_made_again(port: int) -> None:
    """Its answer is lost, and then the broker is away: the records that come again have their outputs already."""
    log = Log(port, [b"a", b"b"])
    consumer = Consumer(log)
    work = TransformWork(PassOn(), None, "g-1", log, _encoded, SystemClock())
    work.assigned(consumer)
    records = [Record(TOPIC, 0, n, None, value, {}, 0.0) for n, value in enumerate((b"a", b"b"))]
    log.script = ["answer lost", "unreachable"]

    with pytest.raises(MessagingError):
        work.attempt(records)
    work.attempt([*records, Record(TOPIC, 0, 2, None, b"c", {}, 0.0)])

    assert log.produced == [b"a", b"b", b"c"]
    assert log.committed == {TopicPartition(TOPIC, 0): 3}


def test_records_taken_while_the_group_changes_are_given_to_nobody() -> None:
    """The library may tell of a loss between two records of one poll: what was theirs belongs to another member."""
    confluent = pytest.importorskip("dt.communication.confluent_consumer")
    consumer = confluent.ConfluentConsumer(
        {"bootstrap.servers": "127.0.0.1:9", "group.id": "g", "auto.offset.reset": "earliest", "log_level": 0}
    )
    own = consumer._consumer
    record = SimpleNamespace(error=lambda: None, topic=lambda: TOPIC, partition=lambda: 0, offset=lambda: 0)

    def consume(_most: int, _timeout_s: float) -> list[Any]:
        consumer._revoked(None, [])
        return [record]

    consumer._consumer = SimpleNamespace(poll=lambda _timeout_s: record, consume=consume)
    with pytest.raises(RebalanceInProgressError):
        consumer.poll(10)
    own.close()


def test_offsets_whose_coordinator_never_answers_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's call may not come back at all: a new producer ends what this one left open."""
    confluent = pytest.importorskip("dt.communication.confluent_producer")
    monkeypatch.setattr(confluent, "_COMMIT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(confluent, "_GRACE_S", 0.1)
    producer = confluent.TransactionalProducer({"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
    answer = threading.Event()
    producer._producer = SimpleNamespace(send_offsets_to_transaction=lambda *_given: answer.wait(10.0))

    with pytest.raises(KafkaTimeoutError, match="coordinator"):
        producer.send_offsets_to_transaction({}, None)
    answer.set()


def _encoded(batch: Sequence[Outgoing]) -> list[Sendable]:
    return [Sendable(out.topic, out.value, None, [], 0) for out in batch]
