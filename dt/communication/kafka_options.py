"""How the Kafka clients are set up: addresses, TLS and login by the settings, sizes and times by measurement."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from dt.communication.kafka_partitioner import KeyPartitioner
from dt.communication.messaging import Start
from dt.utils.config import Settings

_MIB = 1024 * 1024
_REACH_TIMEOUT_S = 1.0
# A poll that leaves fetched records behind lets the client ask for the idle partitions alone, and wait half a second
# for those while the busy ones go unasked.
_EVERYTHING = 1_000_000

BOOTSTRAP_TIMEOUT_MS = 3_000
SESSION_TIMEOUT_MS = 15_000  # a member that hangs loses its partitions after this
TRANSACTION_TIMEOUT_MS = 10_000  # what a dead instance has open blocks committed readers for this long at most
NEVER_MS = 2**31 - 1  # records wait for the broker as long as it takes; back-pressure bounds how many


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """Everything that the clients of one service need to know."""

    servers: tuple[str, ...]
    service: str
    instance: str
    prefix: str
    security: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings, service: str) -> KafkaOptions:
        """Take addresses, prefix, TLS and SASL from the settings."""
        return cls(
            servers=tuple(settings.kafka_url.split(",")),
            service=service,
            instance=settings.instance,
            prefix=settings.topic_prefix,
            security=_security(settings),
        )

    def client(self, role: str) -> dict[str, Any]:
        """Return what every client takes: addresses, security, reconnecting."""
        return {
            "bootstrap_servers": list(self.servers),
            "client_id": f"{self.service}-{self.instance}-{role}",
            "retry_backoff_ms": 20,  # it also holds back the first look at a topic
            "reconnect_backoff_ms": 50,
            "reconnect_backoff_max_ms": 1_000,
            "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
            **self.security,
        }

    def producer(self) -> dict[str, Any]:
        """Return an idempotent producer's options; few large batches cost half of many small ones."""
        return {
            **self.client("producer"),
            "metrics_enabled": False,
            "allow_auto_create_topics": False,
            "enable_idempotence": True,
            "partitioner": KeyPartitioner(),
            "batch_size": 256 * 1024,
            "linger_ms": 2,
            "max_request_size": 4 * _MIB,
            "max_block_ms": 2_000,
            "metadata_max_age_ms": 30_000,
            "delivery_timeout_ms": NEVER_MS,
        }

    def transactional(self, identity: str) -> dict[str, Any]:
        """Return a transactional producer's options; by its id a successor ends what this process left open."""
        return {
            **self.producer(),
            "client_id": f"{self.service}-{self.instance}-transactions",
            "transactional_id": identity,
            "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
            "linger_ms": 50,  # the commit sends what waits
            "max_block_ms": 10_000,
        }

    def consumer(self) -> dict[str, Any]:
        """Return a reader's options: committed records only, large fetches, offsets committed by hand."""
        return {
            **self.client("consumer"),
            "metrics_enabled": False,
            "allow_auto_create_topics": False,
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "fetch_max_bytes": 4 * _MIB,
            "max_partition_fetch_bytes": _MIB // 2,  # a larger record still comes, alone; topics advance together
            "metadata_max_age_ms": 10_000,  # a topic or partition made later is seen within this
        }

    def group(self, group: str, identity: str, start: Start) -> dict[str, Any]:
        """Return a group member's options; its static identity lets a restarted process take over at once."""
        return {
            **self.consumer(),
            "group_id": f"{self.prefix}{group}",
            "group_instance_id": identity,
            "auto_offset_reset": start.value,
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            "heartbeat_interval_ms": 1_000,  # a member hears of a rebalance within this
            "max_poll_records": _EVERYTHING,
        }

    def identity(self, group: str, number: int) -> str:
        """Return the static identity of this instance's member of a group; it may have several, numbered from 0."""
        return f"{self.prefix}{group}-{self.instance}" + (f"-{number}" if number else "")

    def is_reachable(self) -> bool:
        """Return whether any broker's port can be connected to."""
        return any(_answers(server) for server in self.servers)


def _security(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_cafile"] = settings.kafka_ssl_cafile or None
        options["ssl_certfile"] = settings.kafka_ssl_certfile or None
        options["ssl_keyfile"] = settings.kafka_ssl_keyfile or None
    return options


def _answers(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_REACH_TIMEOUT_S):
            return True
    except OSError:
        return False
