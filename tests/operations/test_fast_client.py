"""Which services `dt up` gives the fast Kafka client."""

from __future__ import annotations

from dt.communication.opening import has_confluent
from dt.operations.plan import SERVICES, fast_environment
from dt.utils.config import load_settings


def test_database_and_processing_use_confluent_where_it_is_installed() -> None:
    """They carry every reading; the others stay with the client that is always there."""
    settings = load_settings(env_file=None)

    fast = {spec.name for spec in SERVICES if fast_environment(spec, settings)}

    assert fast == ({"database", "processing"} if has_confluent() else set())


def test_a_chosen_client_stays_chosen() -> None:
    """KAFKA_CLIENT wins over what is installed."""
    settings = load_settings(env_file=None, kafka_client="kafka-python")

    assert not any(fast_environment(spec, settings) for spec in SERVICES)
