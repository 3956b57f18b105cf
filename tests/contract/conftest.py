"""Every messaging service under one name: `service`, with `another` client of the same log."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from dt.communication.memory import Chaos, MemoryMessaging
from dt.communication.messaging import MessagingService
from dt.communication.opening import kafka_class
from dt.communication.topics import TOPIC_TABLE, Topics
from tests.integration.broker import Broker, shared_broker
from tests.integration.influx import Influx, shared_influx

TABLE = {
    name: TOPIC_TABLE[name]
    for name in (
        Topics.TEMPERATURE.raw,
        Topics.TEMPERATURE.processed,
        Topics.HUMIDITY.raw,
        Topics.STATE_PROCESSING,
        Topics.REGISTRY,
        Topics.DEAD_LETTERS,
    )
}
_numbers = itertools.count()

Client = Callable[[], MessagingService]


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's one broker."""
    yield from shared_broker(request, tmp_path_factory)


@pytest.fixture(scope="session")
def influx(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """The session's one InfluxDB."""
    yield from shared_influx(request, tmp_path_factory)


@pytest.fixture(
    params=[
        "memory",
        *(pytest.param(f"chaos{seed}") for seed in (1, 2)),
        pytest.param("kafka-python", marks=pytest.mark.integration),
        pytest.param("confluent", marks=pytest.mark.integration),
    ]
)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Return a maker of clients of one fresh log, as processes of a service would have them."""
    kind: str = request.param
    made: list[MessagingService] = []
    if kind in {"kafka-python", "confluent"}:
        broker: Broker = request.getfixturevalue("broker")
        prefix = f"c{next(_numbers)}."
        broker.set_up(broker.settings(topic_prefix=prefix), TABLE)

        def make() -> MessagingService:
            settings = broker.settings(topic_prefix=prefix, instance=str(len(made) + 1), kafka_client=kind)
            made.append(kafka_class(kind)(settings, "contract", table=TABLE))
            return made[-1]

    else:
        chaos = Chaos(int(kind.removeprefix("chaos"))) if kind.startswith("chaos") else None
        made.append(MemoryMessaging(table=TABLE, chaos=chaos))

        def make() -> MessagingService:
            return made[0]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(client: Client) -> MessagingService:
    """Return one client of a fresh log."""
    return client()
