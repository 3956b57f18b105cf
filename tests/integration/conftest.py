"""A genuine broker for the tests of this folder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from dt.utils.config import Settings
from tests.integration.broker import Broker, shared_broker
from tests.integration.influx import Influx, shared_influx

_numbers = itertools.count()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's one broker."""
    yield from shared_broker(request, tmp_path_factory)


@pytest.fixture(scope="session")
def influx(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """The session's one InfluxDB."""
    yield from shared_influx(request, tmp_path_factory)


@pytest.fixture
def kafka_settings(broker: Broker) -> Settings:
    """Settings with a prefix of the test's own, its topics set up."""
    settings = broker.settings(topic_prefix=f"t{next(_numbers)}.")
    broker.set_up(settings)
    return settings
