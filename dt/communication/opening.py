"""Which messaging service a process uses."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from dt.communication.messaging import MessagingService
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError
from dt.utils.logger import get_logger

if TYPE_CHECKING:
    from dt.communication.kafka import KafkaMessaging

log = get_logger(__name__)


def open_messaging(settings: Settings, service: str, clock: Clock) -> MessagingService:
    """Return the log that MESSAGING names; a process of its own cannot share the one in memory."""
    if settings.messaging == "memory":
        raise ConfigError(f"MESSAGING: memory joins services of one process only; {service} alone needs kafka")
    log.info("the log is Apache Kafka at %s, by %s", settings.kafka_url, settings.kafka_client)
    return kafka_class(settings.kafka_client)(settings, service, clock)


def kafka_class(client: str) -> type[KafkaMessaging]:
    """Return the messaging service of a client library, which is loaded where a broker is used; raises ConfigError."""
    if client == "confluent":
        if not has_confluent():
            raise ConfigError("KAFKA_CLIENT: confluent needs the package confluent-kafka: make install-db")
        from dt.communication.confluent import ConfluentMessaging

        return ConfluentMessaging
    from dt.communication.kafka import KafkaMessaging

    return KafkaMessaging


def has_confluent() -> bool:
    """Return whether confluent-kafka is installed, without loading it."""
    return importlib.util.find_spec("confluent_kafka") is not None
