"""How librdkafka's clients are set up: the same addresses, logins, sizes and times, in its own words."""

from __future__ import annotations

import logging
from typing import Any

from dt.communication.kafka_options import SESSION_TIMEOUT_MS, TRANSACTION_TIMEOUT_MS, KafkaOptions
from dt.communication.messaging import Start

_MIB = 1024 * 1024
_QUEUE_KIB = 12 * 1024  # of records that are fetched and not yet taken, in all; the default of 64 MiB is for one topic
_QUEUE_RECORDS = 20_000

_SECURITY = {
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
}


def _silent() -> logging.Logger:
    """Return a logger that keeps the client's own chatter out of the logs: outages are told by what waits for it."""
    logger = logging.getLogger("librdkafka")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL + 1)
    return logger


def client_options(options: KafkaOptions, role: str) -> dict[str, Any]:
    """Return what every client takes: addresses, security, reconnecting."""
    security = {_SECURITY[name]: value for name, value in options.security.items() if value is not None}
    return {
        "bootstrap.servers": ",".join(options.servers),
        "client.id": f"{options.service}-{options.instance}-{role}",
        "retry.backoff.ms": 20,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1_000,
        "logger": _silent(),
        **security,
    }


def producer_options(options: KafkaOptions) -> dict[str, Any]:
    """Return an idempotent producer's options; records are not compressed, so that every other client can read them."""
    return {
        **client_options(options, "producer"),
        "enable.idempotence": True,
        "enable.gapless.guarantee": True,  # a refused record stops the producer: order holds when it is left out
        "partitioner": "murmur2_random",
        "batch.size": 256 * 1024,
        "linger.ms": 2,
        "message.max.bytes": 4 * _MIB,
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 64 * 1024,
        "topic.metadata.refresh.interval.ms": 30_000,
        "message.timeout.ms": 0,  # records wait for the broker as long as it takes
    }


def transaction_options(options: KafkaOptions, identity: str) -> dict[str, Any]:
    """Return a transactional producer's options; it hears of failed records alone."""
    return {
        **producer_options(options),
        "client.id": f"{options.service}-{options.instance}-transactions",
        "transactional.id": identity,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "enable.gapless.guarantee": False,  # the whole transaction is aborted anyway
        "delivery.report.only.error": True,
        "linger.ms": 20,  # the commit sends what waits
    }


def reader_options(options: KafkaOptions, *, is_committed_only: bool = True) -> dict[str, Any]:
    """Return a reader's options: bounded queues, and word of each partition's end."""
    return {
        **client_options(options, "consumer"),
        "group.id": f"{options.prefix}{options.service}-reader",  # required, and never joined
        "isolation.level": "read_committed" if is_committed_only else "read_uncommitted",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "enable.partition.eof": True,  # how far a partition was read, where it ends with a transaction's marker
        "fetch.max.bytes": 4 * _MIB,
        "max.partition.fetch.bytes": _MIB // 2,  # a larger record still comes, alone; topics advance together
        "fetch.error.backoff.ms": 20,
        "fetch.wait.max.ms": 20,  # it is told that a partition has ended when the broker has waited this long
        "queued.max.messages.kbytes": _QUEUE_KIB,
        "queued.min.messages": _QUEUE_RECORDS,
        "fetch.queue.backoff.ms": 5,  # a full queue is looked at again so soon; the default is a second
        "topic.metadata.refresh.interval.ms": 10_000,
    }


def member_options(options: KafkaOptions, group: str, identity: str, start: Start) -> dict[str, Any]:
    """Return a group member's options; its static identity lets a restarted process take over at once."""
    return {
        **reader_options(options),
        "group.id": f"{options.prefix}{group}",
        "group.instance.id": identity,
        "auto.offset.reset": start.value,
        "partition.assignment.strategy": "range",
        "session.timeout.ms": SESSION_TIMEOUT_MS,
        "heartbeat.interval.ms": 1_000,
        "fetch.wait.max.ms": 500,
    }
