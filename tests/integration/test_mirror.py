"""The mirror of `dt solo` on a genuine Kafka: what the log in memory had is there in the end, in order."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.collector.outbox import Limits
from dt.communication.kafka import KafkaMessaging
from dt.communication.kafka_topics import KafkaManager
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing, Record
from dt.communication.topics import Topics
from dt.operations.mirror import MIRRORED, Mirror
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorData
from tests.conftest import wait_until
from tests.integration.broker import Broker
from tests.operations.solo_rig import solo_rig

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.integration,
    # kafka-python leaves the socket of a failed connect to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

RAW = Topics.TEMPERATURE.raw
PREFIXES = iter(f"mirror{number}." for number in range(100))


@pytest.fixture(autouse=True)
def _garbage_stays_here() -> Iterator[None]:
    """Let the sockets that the client dropped be found within the test that dropped them."""
    yield
    gc.collect()


@pytest.fixture
def far(broker: Broker, tmp_path: Path) -> Settings:
    """Settings of a mirror to a broker that has none of its topics yet."""
    return broker.settings(
        topic_prefix=next(PREFIXES), mirror_kafka_url=broker.url, data_dir=tmp_path / "data", messaging="memory"
    )


def at_the_far_end(settings: Settings, topic: str) -> list[Record]:
    """Return what a topic of the broker holds; nothing while it is not there."""
    with KafkaManager(settings) as manager:
        if topic not in manager.names():
            return []
    reader = KafkaMessaging(settings, "reader")
    try:
        return reader.read_all(topic)
    finally:
        reader.close()


def mirror(settings: Settings, messaging: MemoryMessaging, **more: Limits) -> Mirror:
    """Return a mirror that runs."""
    service = Mirror(settings, messaging, SystemClock(), **more)
    service.start()
    return service


def outgoing(number: int, zone: str = "box") -> Outgoing:
    """Return a numbered record of a zone."""
    return Outgoing(RAW, b"%d" % number, zone, {"schema": b"1", "origin": b"live"})


def test_records_keep_key_value_headers_and_order_and_missing_topics_are_made(
    far: Settings, messaging: MemoryMessaging
) -> None:
    """A tombstone stays one; partitions are those of the table."""
    service = mirror(far, messaging)
    messaging.publish_batch([outgoing(number, f"zone{number % 4}") for number in range(400)])
    messaging.publish_batch([Outgoing(Topics.REGISTRY, b"{}", "sensor:x"), Outgoing(Topics.REGISTRY, None, "sensor:x")])
    wait_until(lambda: len(at_the_far_end(far, RAW)) == 400, "all are there", 60.0)
    wait_until(lambda: service.ready() is None, "the mirror is well")
    registry = at_the_far_end(far, Topics.REGISTRY)
    service.stop()

    for zone in range(4):
        found = [record for record in at_the_far_end(far, RAW) if record.key == f"zone{zone}"]
        assert [int(record.value or b"") for record in found] == list(range(zone, 400, 4))
        assert {tuple(sorted(record.headers.items())) for record in found} == {(("origin", b"live"), ("schema", b"1"))}
    assert [(record.key, record.value) for record in registry] == [("sensor:x", b"{}"), ("sensor:x", None)]


def test_commands_and_states_stay_at_home(far: Settings, messaging: MemoryMessaging) -> None:
    """A command that is repeated elsewhere must move nothing, and a state belongs to the offsets of its own log."""
    service = mirror(far, messaging)
    for topic in (Topics.ACTIONS, Topics.STATE_AI, Topics.STATE_PROCESSING):
        messaging.publish(topic, b"{}", key="pump")
    messaging.publish_batch([outgoing(1)])
    wait_until(lambda: at_the_far_end(far, RAW), "the reading is there", 60.0)
    service.stop()

    with KafkaManager(far) as manager:
        assert set(manager.names()) == set(MIRRORED)


def test_a_long_outage_and_a_restart_lose_nothing(broker: Broker, far: Settings, messaging: MemoryMessaging) -> None:
    """Readings go on meanwhile, what waits is told, and then all of it is there in order."""
    broker.stop()
    service = mirror(far, messaging)
    messaging.publish_batch([outgoing(number) for number in range(3000)])
    wait_until(lambda: service.health().get("waiting", 0) >= 3000, "they wait on disk", 30.0)
    wait_until(lambda: "wait for the Kafka at" in (service.ready() or ""), "it is told", 30.0)
    service.stop()
    service = mirror(far, messaging)
    messaging.publish_batch([outgoing(number) for number in range(3000, 4000)])
    broker.start()

    wait_until(lambda: len(at_the_far_end(far, RAW)) >= 4000, "all are there", 90.0)
    wait_until(lambda: service.health()["waiting"] == 0, "nothing waits")
    service.stop()

    assert [int(record.value or b"") for record in at_the_far_end(far, RAW)] == list(range(4000))


def test_what_a_bounded_outbox_drops_is_counted(broker: Broker, far: Settings, messaging: MemoryMessaging) -> None:
    """The oldest go first; the log in memory never waits for the far broker."""
    broker.stop()
    try:
        service = mirror(far, messaging, limits=Limits(records=100))
        messaging.publish_batch([outgoing(number) for number in range(1000)])
        wait_until(lambda: service.health().get("dropped", 0) >= 800, "most are dropped", 30.0)
        assert service.lag() == 0
    finally:
        broker.start()
    wait_until(lambda: service.health()["waiting"] == 0, "the rest is sent", 60.0)
    service.stop()

    numbers = [int(record.value or b"") for record in at_the_far_end(far, RAW)]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 999
    beats = len(messaging.read_all(Topics.HEALTH))  # of the mirror's own health, which are mirrored too
    assert 1000 <= service.health()["dropped"] + len(numbers) <= 1000 + beats


def test_solo_killed_while_the_broker_is_away_brings_every_reading_there(
    broker: Broker, far: Settings, tmp_path: Path
) -> None:
    """Readings of two runs, none of which saw the broker, are at the far end once it is back, each once in effect."""
    broker.stop()
    changes = {"MIRROR_KAFKA_URL": broker.url, "TOPIC_PREFIX": far.topic_prefix}
    with solo_rig(tmp_path, **changes) as rig:
        for _ in range(2):
            rig.start()
            before = len(rig.stored())
            wait_until(lambda n=before: len(rig.stored()) > n + 20, "readings flow without a broker", 40.0)  # type: ignore[misc]
            rig.kill()
        broker.start()
        rig.start()
        wait_until(lambda: _soil(far), "the first are there", 90.0)
        assert rig.stop() < 5.0
        rig.start()
        stored = {row[:3] for row in rig.stored() if row[0].startswith("seesaw-soil") and "temperature" not in row[0]}
        assert len(stored) > 20
        wait_until(lambda: stored <= {_place(reading) for reading in _soil(far)}, "all are there", 60.0)
        rig.stop()

    found = _soil(far)
    effects = {_place(reading): reading for reading in found}
    assert all(effects[_place(reading)] == reading for reading in found)


def _place(reading: SensorData) -> tuple[str, str, int]:
    return reading.sensor_id, reading.boot_id, reading.sequence


def _soil(settings: Settings) -> list[SensorData]:
    return [SensorData.from_json(record.value or b"") for record in at_the_far_end(settings, Topics.SOIL_MOISTURE.raw)]
