"""What every messaging service promises: order, groups, redelivery, dead letters, transactions, rebalance."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from dt.communication.messaging import MessagingService, Outgoing, Record, Start, UnusableRecordsError
from dt.communication.topics import Topics
from dt.utils.exceptions import DTError, MessageError, MessageTooLargeError, MessagingError, StorageError
from tests.conftest import wait_until

RAW = Topics.TEMPERATURE.raw
PROCESSED = Topics.TEMPERATURE.processed
STATE = Topics.STATE_PROCESSING
GROUP = "readers"

Client = Callable[[], MessagingService]

_until = partial(wait_until, within_s=20.0)


class Collected:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.batches: list[list[Record]] = []

    def __call__(self, records: Sequence[Record]) -> None:
        self.batches.append(list(records))
        self.records += records

    @property
    def values(self) -> list[bytes | None]:
        """Return values in order of first arrival, repetitions left out: delivery is at least once."""
        return list(dict.fromkeys(record.value for record in self.records))


class Counter:
    """A transformer that passes records on and keeps how many it saw per key."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.restored = 0

    def restore(self, state: Sequence[Record]) -> None:
        """Begin from the last count of each key."""
        self.restored += 1
        self.counts = {record.key: int(record.value) for record in state if record.key and record.value}

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return each record with its number, and the new counts."""
        outputs = []
        for record in records:
            key = record.key or ""
            if record.value == b"bad":
                raise MessageError("value", "is bad")
            self.counts[key] = self.counts.get(key, 0) + 1
            outputs.append(Outgoing(PROCESSED, b"%s %d" % (record.value, self.counts[key]), key))
        state = [Outgoing(STATE, b"%d" % count, key) for key, count in self.counts.items()]
        return [*outputs, *state]


def test_records_of_a_key_arrive_in_order(service: MessagingService) -> None:
    """One key, one partition, one order."""
    seen = Collected()
    service.subscribe([RAW], GROUP, seen, max_batch=7)

    for number in range(100):
        service.publish(RAW, b"%d" % number, key=f"zone-{number % 3}")

    _until(lambda: len(seen.values) == 100)
    for zone in range(3):
        own = [int(value or b"") for value in seen.values if int(value or b"") % 3 == zone]
        assert own == sorted(own)


def test_key_value_headers_and_place_arrive(service: MessagingService) -> None:
    """A record is what was published, with topic, partition, offset and the log's time."""
    seen = Collected()
    service.subscribe([RAW], GROUP, seen)

    before = time.time()
    service.publish(RAW, b"21.5", key="box", headers={"origin": b"live"})

    _until(lambda: seen.records)
    record = seen.records[0]
    assert (record.topic, record.key, record.value, record.headers) == (RAW, "box", b"21.5", {"origin": b"live"})
    assert (record.partition in range(3), record.offset) == (True, 0)
    assert before - 1 < record.timestamp < time.time() + 1


def test_tombstone_arrives_as_none(service: MessagingService) -> None:
    """A null value deletes a key; handlers see it."""
    seen = Collected()
    service.subscribe([Topics.REGISTRY], GROUP, seen)

    service.publish(Topics.REGISTRY, None, key="sensor-1")

    _until(lambda: seen.records)
    assert (seen.records[0].key, seen.records[0].value) == ("sensor-1", None)


def test_every_group_gets_every_record(service: MessagingService) -> None:
    """Groups read independently."""
    one, two = Collected(), Collected()
    service.subscribe([RAW], "one", one)
    service.subscribe([RAW], "two", two)

    _publish(service, 20)

    _until(lambda: len(one.values) == len(two.values) == 20)


def test_group_goes_on_where_it_stopped(service: MessagingService) -> None:
    """What was committed does not come again after a stop in good order."""
    first, second = Collected(), Collected()
    subscription = service.subscribe([RAW], GROUP, first)
    _publish(service, 10)
    _until(lambda: len(first.values) == 10 and subscription.lag() == 0)
    subscription.stop()

    _publish(service, 5, since=10)
    service.subscribe([RAW], GROUP, second)

    _until(lambda: len(second.values) == 5)
    assert set(second.values) == {b"%d" % number for number in range(10, 15)}


def test_uncommitted_batch_comes_again_after_a_restart(service: MessagingService) -> None:
    """Offsets are committed after the handler returned, never before."""
    tried = Collected()

    def fail(records: Sequence[Record]) -> None:
        tried(records)
        raise StorageError("the disk is full")

    subscription = service.subscribe([RAW], GROUP, fail)
    _publish(service, 3)
    _until(lambda: tried.batches)
    subscription.stop()

    seen = Collected()
    service.subscribe([RAW], GROUP, seen)

    _until(lambda: len(seen.values) == 3)


def test_passing_failure_brings_the_same_batch_again(service: MessagingService) -> None:
    """A retriable error changes neither the batch nor its order."""
    tried = Collected()

    def fail_twice(records: Sequence[Record]) -> None:
        tried(records)
        if len(tried.batches) < 3:
            raise StorageError("database is locked")

    service.subscribe([RAW], GROUP, fail_twice)
    service.publish(RAW, b"1", key="box")

    _until(lambda: len(tried.batches) >= 3)
    assert tried.batches[0] == tried.batches[1] == tried.batches[2]
    assert service.read_all(Topics.DEAD_LETTERS) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [(MessageError("value", "is NaN"), "undecodable"), (ZeroDivisionError("by zero"), "failed")],
)
def test_poison_record_becomes_a_dead_letter_and_the_stream_goes_on(
    service: MessagingService, error: Exception, reason: str
) -> None:
    """One bad record costs nobody else anything."""
    seen = Collected()

    def handle(records: Sequence[Record]) -> None:
        if any(record.value == b"5" for record in records):
            raise error
        seen(records)

    subscription = service.subscribe([RAW], GROUP, handle)
    _publish(service, 12)

    _until(lambda: len(seen.values) == 11 and subscription.lag() == 0)
    letters = _letters(service)
    assert {letter["reason"] for letter in letters} == {reason}
    assert {letter["topic"] for letter in letters} == {RAW}
    assert b"5" not in seen.values


def test_handler_gives_back_what_it_cannot_use_in_one_call(service: MessagingService) -> None:
    """The batch counts as dealt with, each unusable record is a dead letter, and nothing comes again."""
    kept: list[bytes | None] = []

    def handle(records: Sequence[Record]) -> None:
        bad = [record for record in records if record.value == b"bad"]
        kept.extend(record.value for record in records if record.value != b"bad")
        if bad:
            raise UnusableRecordsError([(record, MessageError("$", "is no message")) for record in bad])

    service.publish_batch([Outgoing(RAW, value, "box") for value in (b"1", b"bad", b"2", b"bad", b"3")])
    subscription = service.subscribe([RAW], GROUP, handle)

    _until(lambda: len(_letters(service)) >= 2 and subscription.lag() == 0)
    letters = _letters(service)
    assert {(letter["offset"], letter["reason"]) for letter in letters} == {
        (record.offset, "undecodable") for record in service.read_all(RAW) if record.value == b"bad"
    }
    assert list(dict.fromkeys(kept)) == [b"1", b"2", b"3"]


def test_oversize_record_is_refused_before_it_is_sent(service: MessagingService) -> None:
    """The producer says so at once, with size and limit; the next record goes through."""
    seen = Collected()
    service.subscribe([RAW], GROUP, seen)

    with pytest.raises(MessageTooLargeError) as caught:
        service.publish(RAW, bytes(10_000_000), key="box")
    service.publish(RAW, b"good", key="box")
    service.flush()

    assert caught.value.limit_bytes == 1024 * 1024
    _until(lambda: seen.values == [b"good"])


def test_large_record_within_the_limit_arrives(service: MessagingService) -> None:
    """A picture of 700 kB is an ordinary record."""
    seen = Collected()
    service.subscribe([RAW], GROUP, seen)

    service.publish(RAW, b"\xff" * 700_000, key="box")

    _until(lambda: seen.records)
    assert len(seen.records[0].value or b"") == 700_000


def test_unknown_topic_is_refused(service: MessagingService) -> None:
    """A typing error makes no topic."""
    with pytest.raises(DTError, match=r"dt\.typo"):
        service.publish("dt.typo", b"x")


def test_batch_with_a_bad_record_is_refused_whole(service: MessagingService) -> None:
    """Nothing of a batch is queued when one of it cannot be."""
    with pytest.raises(MessageTooLargeError):
        service.publish_batch([Outgoing(RAW, b"good", "box"), Outgoing(RAW, bytes(2_000_000), "box")])
    service.flush()

    assert service.read_all(RAW) == []


def test_new_group_reads_from_the_beginning(service: MessagingService) -> None:
    """A replay is a new group."""
    _publish(service, 10)
    service.flush()
    seen = Collected()

    service.subscribe([RAW], "replay", seen)

    _until(lambda: len(seen.values) == 10)


def test_group_may_begin_at_the_end(service: MessagingService) -> None:
    """The dashboard wants what comes from now on."""
    _publish(service, 10)
    service.flush()
    seen = Collected()
    subscription = service.subscribe([RAW], "live", seen, start=Start.LATEST)
    _until(lambda: subscription.is_assigned)

    service.publish(RAW, b"new", key="box")

    _until(lambda: seen.values == [b"new"])


def test_read_all_returns_the_topic_up_to_its_end(service: MessagingService) -> None:
    """Registry readers get everything at once, without a group."""
    for number in range(5):
        service.publish(Topics.REGISTRY, b"%d" % number, key=f"sensor-{number}")
    service.flush()

    found = service.read_all(Topics.REGISTRY)

    assert {record.key for record in found} == {f"sensor-{number}" for number in range(5)}


def test_transformed_records_appear_once_and_in_order(service: MessagingService) -> None:
    """Each input has one output, whatever was aborted on the way."""
    subscription = service.transform([RAW], "processing", Counter(), state_topic=STATE, max_batch=8)

    service.publish_batch([Outgoing(RAW, b"%d" % number, "box") for number in range(50)])

    _until(lambda: subscription.is_assigned and subscription.lag() == 0 and service.read_all(PROCESSED))
    inputs = service.read_all(RAW)
    outputs = [record.value for record in service.read_all(PROCESSED)]
    assert outputs == [b"%s %d" % (record.value, number) for number, record in enumerate(inputs, 1)]


def test_outputs_of_an_aborted_transaction_are_invisible(service: MessagingService) -> None:
    """A batch whose output is refused leaves nothing; its good records go through without the bad one."""

    class Swelling(Counter):
        """Makes one output that no topic takes."""

        def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
            """Return the outputs, one of them oversize."""
            outputs = super().transform(records)
            return [
                Outgoing(out.topic, bytes(2_000_000), out.key) if (out.value or b"").startswith(b"5 ") else out
                for out in outputs
            ]

    subscription = service.transform([RAW], "processing", Swelling(), state_topic=STATE)
    service.publish_batch([Outgoing(RAW, b"%d" % number, "box") for number in range(10)])

    _until(lambda: subscription.is_assigned and subscription.lag() == 0 and _letters(service))
    good = [record.value for record in service.read_all(RAW) if record.value != b"5"]
    outputs = [record.value for record in service.read_all(PROCESSED)]
    assert outputs == [b"%s %d" % (value, number) for number, value in enumerate(good, 1)]
    assert {letter["reason"] for letter in _letters(service)} == {"refused"}


def test_bad_input_of_a_transformer_becomes_a_dead_letter(service: MessagingService) -> None:
    """Its neighbours are transformed, and the state counts them alone."""
    counter = Counter()
    subscription = service.transform([RAW], "processing", counter, state_topic=STATE)
    service.publish_batch([Outgoing(RAW, value, "box") for value in (b"a", b"bad", b"b")])

    _until(lambda: subscription.is_assigned and subscription.lag() == 0 and _letters(service))
    good = [record for record in service.read_all(RAW) if record.value != b"bad"]
    assert len(service.read_all(PROCESSED)) == len(good) == counter.counts["box"]


def test_successor_begins_with_the_committed_state(service: MessagingService) -> None:
    """A restarted transformer counts on."""
    first = service.transform([RAW], "processing", Counter(), state_topic=STATE)
    _publish(service, 10)
    _until(lambda: first.is_assigned and first.lag() == 0 and len(service.read_all(PROCESSED)) >= 10)
    first.stop()
    expected = _counts(service)

    successor = Counter()
    second = service.transform([RAW], "processing", successor, state_topic=STATE)

    _until(lambda: second.is_assigned and successor.restored)
    assert successor.counts == expected


def test_members_share_partitions_and_take_over(client: Client) -> None:
    """A second member relieves the first; when it leaves, the first has everything again."""
    one, two = Collected(), Collected()
    first = client().subscribe([RAW], GROUP, one)
    _until(lambda: first.is_assigned)
    second = client().subscribe([RAW], GROUP, two)
    _until(lambda: second.is_assigned and first.is_assigned)

    sender = client()
    _publish(sender, 60)
    _until(lambda: len({*one.values, *two.values}) == 60)
    assert one.values
    assert two.values
    second.stop()
    _until(lambda: first.is_assigned)

    _publish(sender, 60, since=60)
    _until(lambda: {b"%d" % number for number in range(60, 120)} <= set(one.values))


def test_batch_whose_partitions_go_to_another_member_is_transformed_once(client: Client) -> None:
    """What the first has in hand while the second comes has one output, whoever makes it."""
    is_in_hand, may_go_on = threading.Event(), threading.Event()

    class Slow(Counter):
        """Waits in the middle of its first batch."""

        def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
            """Return the outputs, when it may."""
            is_in_hand.set()
            may_go_on.wait(20.0)
            return super().transform(records)

    sender = client()
    for number in range(30):
        sender.publish(RAW, b"%d" % number, key=f"zone-{number}")
    sender.flush()
    first = client().transform([RAW], "processing", Slow(), state_topic=STATE)
    assert is_in_hand.wait(20.0)
    second = client().transform([RAW], "processing", Counter(), state_topic=STATE)
    may_go_on.set()

    _until(lambda: first.is_assigned and second.is_assigned and first.lag() + second.lag() == 0)
    outputs = [record.value for record in sender.read_all(PROCESSED)]
    assert len(outputs) == len(set(outputs)) == len(sender.read_all(RAW))


def test_topics_are_dealt_out_together(client: Client) -> None:
    """What has one key lands with one member, whatever its topic."""
    one, two = Collected(), Collected()
    first = client().subscribe([RAW, Topics.HUMIDITY.raw], GROUP, one)
    second = client().subscribe([RAW, Topics.HUMIDITY.raw], GROUP, two)
    _until(lambda: first.is_assigned and second.is_assigned)

    sender = client()
    for number in range(30):
        sender.publish(RAW, b"t%d" % number, key=f"zone-{number}")
        sender.publish(Topics.HUMIDITY.raw, b"h%d" % number, key=f"zone-{number}")

    _until(lambda: len({*one.values, *two.values}) == 60)
    partitions = [{record.partition for record in seen.records} for seen in (one, two)]
    assert partitions[0] | partitions[1] == {0, 1, 2}


def test_handler_may_publish(service: MessagingService) -> None:
    """What a handler publishes is durable before its offsets are committed."""
    subscription = service.subscribe(
        [RAW], GROUP, lambda records: service.publish_batch([Outgoing(PROCESSED, r.value, r.key) for r in records])
    )
    _publish(service, 20)

    _until(lambda: subscription.is_assigned and subscription.lag() == 0)
    _until(lambda: len({record.value for record in service.read_all(PROCESSED)}) == 20)


def test_the_last_lag_is_told_while_a_handler_is_at_work(service: MessagingService) -> None:
    """A health page does not wait for the reader, and sees in the end that nothing is left."""
    entered, leave = threading.Event(), threading.Event()

    def hold(records: Sequence[Record]) -> None:
        entered.set()
        leave.wait(20)

    subscription = service.subscribe([RAW], GROUP, hold, max_batch=1)
    _publish(service, 5)
    assert entered.wait(20)

    began = time.monotonic()
    for _look in range(50):
        waiting = subscription.last_lag
    took_s = time.monotonic() - began
    leave.set()

    assert took_s < 0.4  # one wait for the reader
    assert waiting > 0
    _until(lambda: subscription.last_lag == 0)


def test_stop_lets_the_batch_in_hand_finish(service: MessagingService) -> None:
    """`stop` waits for the handler, and what it did is committed."""
    entered, leave = threading.Event(), threading.Event()

    def hold(records: Sequence[Record]) -> None:
        entered.set()
        leave.wait(10)

    subscription = service.subscribe([RAW], GROUP, hold)
    service.publish(RAW, b"1", key="box")
    assert entered.wait(10)

    threading.Timer(0.1, leave.set).start()
    subscription.stop()

    assert not subscription.is_running


def test_health_says_connected(service: MessagingService) -> None:
    """A service that reaches its log says so."""
    assert service.health()["connected"] is True


def test_closed_service_refuses_records(service: MessagingService) -> None:
    """After `close` nothing is taken, and no subscription runs."""
    subscription = service.subscribe([RAW], GROUP, Collected())

    service.close()

    assert not subscription.is_running
    assert service.health()["connected"] is False
    with pytest.raises(MessagingError):
        service.publish(RAW, b"late", key="box")


def _publish(service: MessagingService, count: int, since: int = 0) -> None:
    for number in range(since, since + count):
        service.publish(RAW, b"%d" % number, key=f"zone-{number % 7}")


def _letters(service: MessagingService) -> list[dict[str, object]]:
    return [json.loads(record.value or b"{}") for record in service.read_all(Topics.DEAD_LETTERS)]


def _counts(service: MessagingService) -> dict[str | None, int]:
    return {record.key: int(record.value or b"0") for record in service.read_all(STATE)}
