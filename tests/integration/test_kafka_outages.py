"""Kafka messaging through broker restarts, late brokers, refused records and killed processes."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from dt.communication.kafka import KafkaMessaging
from dt.communication.kafka_sender import LIMIT_BYTES
from dt.communication.messaging import Outgoing, Record, Start
from dt.communication.opening import kafka_class
from dt.communication.topics import Topics
from dt.utils.config import Settings
from dt.utils.exceptions import MessagingError
from tests.conftest import wait_until
from tests.integration.broker import Broker, free_ports

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.integration,
    # kafka-python leaves the socket of a failed connect to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

RAW = Topics.TEMPERATURE.raw
PROCESSED = Topics.TEMPERATURE.processed
MEMBER = Path(__file__).with_name("kafka_member.py")

_KILLS = 3

_until = partial(wait_until, within_s=90.0)


@pytest.fixture(params=["kafka-python", "confluent"])
def library(request: pytest.FixtureRequest) -> str:
    """Each client library."""
    kind: str = request.param
    return kind


@pytest.fixture
def kafka_settings(kafka_settings: Settings, library: str) -> Settings:
    """Settings with a prefix of the test's own, its topics set up."""
    return kafka_settings.model_copy(update={"kafka_client": library})


@pytest.fixture
def messaging(kafka_settings: Settings) -> Iterator[KafkaMessaging]:
    """A client of the broker."""
    service = _open(kafka_settings)
    yield service
    service.close()


@pytest.fixture(autouse=True)
def _garbage_stays_here() -> Iterator[None]:
    """Let the sockets that the client dropped be found within the test that dropped them."""
    yield
    gc.collect()


class Numbers:
    """A handler that keeps the numbers it gets, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str | None, list[int]] = {}

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            self.by_key.setdefault(record.key, []).append(int(record.value or b"-1"))

    @property
    def count(self) -> int:
        """Return how many different numbers came."""
        return len({number for numbers in self.by_key.values() for number in numbers})


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_broker_restarted_in_the_middle_loses_nothing(broker: Broker, messaging: KafkaMessaging, ending: str) -> None:
    """Records published before, during and after an outage arrive, each key in order."""
    seen = Numbers()
    messaging.subscribe([RAW], "readers", seen)
    _publish(messaging, range(100))
    _until(lambda: seen.count == 100, "the first records arrive")

    broker.stop() if ending == "stop" else broker.kill()
    _publish(messaging, range(100, 200))
    broker.start()
    _publish(messaging, range(200, 300))
    messaging.flush(30)

    _until(lambda: seen.count == 300, "all records arrive")
    for numbers in seen.by_key.values():
        first_arrivals = list(dict.fromkeys(numbers))
        assert first_arrivals == sorted(first_arrivals)


def test_transformer_survives_a_broker_killed_again_and_again(broker: Broker, messaging: KafkaMessaging) -> None:
    """Outputs appear exactly once, also of transactions that were being committed when the broker went."""
    messaging.transform([RAW], "processing", _Echo(), state_topic=Topics.STATE_PROCESSING, max_batch=10)
    _until(lambda: messaging.health()["connected"], "there is a broker")
    for number in range(_KILLS):
        first = 60 * number
        _publish(messaging, range(first, first + 60))
        _until(lambda first=first: len(messaging.read_all(PROCESSED)) > first, "transforming goes on")
        broker.kill()
        broker.start()
        messaging.flush(30)
        _until(lambda first=first: len(messaging.read_all(PROCESSED)) >= first + 60, "everything is transformed")

    values = [int(record.value or b"-1") for record in messaging.read_all(PROCESSED)]
    assert sorted(values) == list(range(60 * _KILLS))
    assert "these partitions are likely deleted already" not in (broker.home / "logs" / "server.log").read_text()


def test_client_may_start_before_the_broker(tmp_path: Path, broker: Broker, library: str) -> None:
    """Services start in any order: records wait, subscriptions wait."""
    late = Broker(tmp_path / "late")
    messaging = _open(late.settings(kafka_client=library))
    seen = Numbers()
    try:
        messaging.subscribe([RAW], "readers", seen)
        _publish(messaging, range(10))
        assert messaging.health()["connected"] is False
        with pytest.raises(MessagingError, match="10 records are not yet durable"):
            messaging.flush(0.2)

        late.start()
        late.set_up(late.settings())

        _until(lambda: seen.count == 10, "what waited arrives")
        assert messaging.health()["connected"] is True
    finally:
        messaging.close()
        late.stop()


def test_record_refused_by_the_broker_stops_no_other(messaging: KafkaMessaging) -> None:
    """The idempotent producer is made anew; the refused record alone is missing, and named."""
    for number in range(20):
        key = None if number in {7, 13} else f"sensor-{number}"  # a compacted topic refuses records without a key
        messaging.publish(Topics.REGISTRY, b"%d" % number, key=key)

    with pytest.raises(MessagingError, match="2 records were refused"):
        messaging.flush(30)

    messaging.publish(Topics.REGISTRY, b"20", key="sensor-20")
    messaging.flush(30)
    kept = {int(record.value or b"-1") for record in messaging.read_all(Topics.REGISTRY)}
    assert kept == set(range(21)) - {7, 13}


def test_output_refused_by_the_broker_aborts_its_transaction_alone(messaging: KafkaMessaging) -> None:
    """Its input becomes a dead letter; nothing of the aborted batch is visible."""

    class Refused(_Echo):
        """Writes one record that the broker refuses."""

        def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
            """Return a keyless record for a compacted topic when it meets 5."""
            extra = [Outgoing(Topics.REGISTRY, b"x") for record in records if record.value == b"5"]
            return [*super().transform(records), *extra]

    messaging.transform([RAW], "processing", Refused())
    _publish(messaging, range(10))

    _until(lambda: len(messaging.read_all(PROCESSED)) >= 9, "the good ones are transformed")
    _until(lambda: messaging.read_all(Topics.DEAD_LETTERS), "the bad one is buried")
    assert sorted(int(r.value or b"") for r in messaging.read_all(PROCESSED)) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert messaging.read_all(Topics.REGISTRY) == []


def test_full_queue_blocks_and_then_refuses(broker: Broker, library: str) -> None:
    """Back-pressure: without a broker memory stays bounded, and the caller hears of it."""
    nowhere = broker.settings(kafka_client=library).model_copy(update={"kafka_url": f"127.0.0.1:{free_ports()}"})
    messaging = _open(nowhere, limit_bytes=10_000, blocks_at_most_s=0.3)
    try:
        with pytest.raises(MessagingError, match="are waiting"):
            _publish(messaging, range(1_000))
    finally:
        messaging.close()


def test_full_queue_goes_on_when_the_broker_takes_records(kafka_settings: Settings) -> None:
    """Back-pressure slows a fast publisher and loses nothing."""
    messaging = _open(kafka_settings, limit_bytes=50_000)
    try:
        for _ in range(200):
            messaging.publish(RAW, bytes(5_000), key="box")
        messaging.flush(30)
        assert len(messaging.read_all(RAW)) == 200
    finally:
        messaging.close()


def test_prefix_keeps_installations_apart(broker: Broker, library: str, kafka_settings: Settings) -> None:
    """TOPIC_PREFIX precedes topics and groups; handlers see plain names."""
    one = _open(kafka_settings)
    other_settings = broker.settings(topic_prefix="other.", kafka_client=library)
    broker.set_up(other_settings)
    other = _open(other_settings)
    topics: set[str] = set()
    try:
        one.subscribe([RAW], "readers", lambda records: topics.update(record.topic for record in records))
        one.publish(RAW, b"1", key="box")
        one.flush()
        _until(lambda: topics == {RAW}, "the record arrives under its plain name")
        assert other.read_all(RAW) == []
    finally:
        one.close()
        other.close()


@pytest.mark.parametrize("way", ["subscribe", "transform"])
def test_killed_process_takes_over_within_five_seconds(
    kafka_settings: Settings, messaging: KafkaMessaging, way: str
) -> None:
    """Static membership: a successor of the same instance gets its partitions at once; nothing is lost."""
    first = _member(kafka_settings, way)
    try:
        _publish(messaging, range(50))
        _until(lambda: _distinct(messaging) >= set(range(50)), "the first process works")
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    _publish(messaging, range(50, 100))
    messaging.flush(30)

    second = _member(kafka_settings, way)
    began = time.monotonic()
    try:
        _until(lambda: _distinct(messaging) == set(range(100)), "the second process works")
        assert time.monotonic() - began < 5
    finally:
        second.kill()
        second.wait()
    if way == "transform":
        assert len(messaging.read_all(PROCESSED)) == 100


def test_second_process_of_the_same_instance_ends_the_first(kafka_settings: Settings) -> None:
    """Two with one name would share partitions by accident: the older one stops and says why."""
    one, two = _open(kafka_settings), _open(kafka_settings)
    try:
        first = one.subscribe([RAW], "readers", Numbers())
        _until(lambda: first.is_assigned, "the first has partitions")
        second = two.subscribe([RAW], "readers", Numbers())
        _until(lambda: second.is_assigned and not first.is_running, "the second has them and the first has ended")
        assert one.health()["groups"] == {"readers": "stopped"}
    finally:
        two.close()
        one.close()


def test_two_members_of_a_group_may_live_in_one_process(messaging: KafkaMessaging) -> None:
    """Each has an identity of its own, so neither drives the other out."""
    one, two = Numbers(), Numbers()
    first = messaging.subscribe([RAW], "readers", one)
    second = messaging.subscribe([RAW], "readers", two)

    _publish(messaging, range(50))

    _until(lambda: one.count + two.count >= 50, "both read")
    assert first.is_running
    assert second.is_running


def test_close_takes_less_than_five_seconds_while_the_broker_is_away(broker: Broker, library: str) -> None:
    """A service stops in time, whatever the state of the log; what could not be sent is said in the log."""
    nowhere = broker.settings(kafka_client=library).model_copy(update={"kafka_url": f"127.0.0.1:{free_ports()}"})
    messaging = _open(nowhere)
    messaging.subscribe([RAW], "readers", Numbers())
    messaging.transform([RAW], "processing", _Echo())
    _publish(messaging, range(10))

    began = time.monotonic()
    messaging.close()

    assert time.monotonic() - began < 5


def test_busy_handler_lets_the_stop_through(messaging: KafkaMessaging) -> None:
    """A handler that waits for a database does not hold up the end."""
    failing = threading.Event()

    def fail(records: Sequence[Record]) -> None:
        failing.set()
        raise MessagingError("away")

    subscription = messaging.subscribe([RAW], "readers", fail)
    _publish(messaging, range(3))
    assert failing.wait(20)

    began = time.monotonic()
    subscription.stop()

    assert time.monotonic() - began < 3
    assert not subscription.is_running


def test_group_at_the_end_keeps_its_place_while_away(kafka_settings: Settings, messaging: KafkaMessaging) -> None:
    """A group that began at the end misses nothing that comes between a stop and a start."""
    seen = Numbers()
    first = messaging.subscribe([RAW], "live", seen, start=Start.LATEST)
    _until(lambda: first.is_assigned, "the group has begun")
    first.stop()
    _publish(messaging, range(5))
    messaging.flush(30)

    messaging.subscribe([RAW], "live", seen, start=Start.LATEST)

    _until(lambda: seen.count == 5, "what came in between arrives")


class _Echo:
    """A transformer without state: every record goes on as it is."""

    def restore(self, state: Sequence[Record]) -> None:
        """Have nothing to remember."""

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the same values for the processed topic."""
        return [Outgoing(PROCESSED, record.value, record.key) for record in records]


def _open(settings: Settings, *, limit_bytes: int = LIMIT_BYTES, blocks_at_most_s: float = 30.0) -> KafkaMessaging:
    client = kafka_class(settings.kafka_client)
    return client(settings, "test", limit_bytes=limit_bytes, blocks_at_most_s=blocks_at_most_s)


def _member(settings: Settings, way: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "KAFKA_URL": settings.kafka_url,
        "KAFKA_CLIENT": settings.kafka_client,
        "TOPIC_PREFIX": settings.topic_prefix,
        "PYTHONPATH": str(MEMBER.parents[2]),
    }
    process = subprocess.Popen([sys.executable, str(MEMBER), way], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"loaded\n"  # Python and its imports take what a busy machine gives them
    process.stdout.close()
    return process


def _distinct(messaging: KafkaMessaging) -> set[int]:
    return {int(record.value or b"-1") for record in messaging.read_all(PROCESSED)}


def _publish(messaging: KafkaMessaging, numbers: range) -> None:
    for number in numbers:
        messaging.publish(RAW, b"%d" % number, key=f"zone-{number % 5}")
