#!/usr/bin/env python3
"""Sends readings of a made-up temperature sensor to Kafka, by kafka-python alone.

They are marked as simulated: charts show them, and nothing acts on them. Needs a broker (`make setup-kafka`) with the
product's topics (`make kafka-topics`), or any topic of your own by --topic.

    .venv/bin/python scripts/hands-on-scripts/software/kafka_producer.py --count 20 --every 0.5
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

from amounts import seconds, whole
from kafka import KafkaProducer
from kafka.errors import KafkaError

DAY_S = 86_400.0


def main(arguments: list[str] | None = None) -> int:
    """Send, and return 0 when the broker has acknowledged every record."""
    options = _parser().parse_args(arguments)
    try:
        sent = send(options)
    except KafkaError as error:
        sys.stderr.write(f"kafka_producer: {error}\n")
        return 1
    print(f"{sent} records acknowledged on {options.topic}")
    return 0


def send(options: argparse.Namespace) -> int:
    """Send up to --count readings in at most --seconds; return how many were acknowledged."""
    producer = KafkaProducer(
        bootstrap_servers=options.bootstrap,
        acks="all",
        bootstrap_timeout_ms=3_000,
        max_block_ms=10_000,
    )
    sent = 0
    try:
        for reading in readings(options):
            headers = [("origin", reading["origin"].encode()), ("correlation_id", reading["correlation_id"].encode())]
            value = json.dumps(reading).encode()
            place = producer.send(options.topic, value, options.zone.encode(), headers).get(timeout=10)
            print(f"{place.topic}-{place.partition}@{place.offset}  {reading['value']:.2f} {reading['unit']}")
            sent += 1
    finally:
        producer.close(timeout=5)
    return sent


def readings(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield readings that follow the day, one every --every seconds."""
    ends_at = time.monotonic() + options.seconds
    boot_id = uuid.uuid4().hex[:8]
    for sequence in range(options.count):
        yield reading(time.time(), sequence, options, boot_id)
        if sequence + 1 == options.count or time.monotonic() + options.every >= ends_at:
            return
        time.sleep(options.every)


def reading(now: float, sequence: int, options: argparse.Namespace, boot_id: str) -> dict[str, Any]:
    """Return one reading in the product's own form: 21 degC in the mean, warmest at three in the afternoon (UTC)."""
    return {
        "sensor_id": options.sensor,
        "data_type": "temperature",
        "value": round(21.0 + 4.0 * math.cos(2 * math.pi * (now - 15 * 3600) / DAY_S), 3),
        "unit": "degC",
        "timestamp": round(now, 3),
        "correlation_id": str(uuid.uuid4()),
        "zone_id": options.zone,
        "boot_id": boot_id,
        "sequence": sequence,
        "schema": 1,
        "origin": "simulated",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Send readings of a made-up temperature sensor to Kafka.")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092", help="broker, HOST:PORT (default: %(default)s)")
    parser.add_argument("--topic", default="dt.sensors.temperature.raw", help="where to send (default: %(default)s)")
    parser.add_argument("--zone", default="hands-on", help="zone, which is the record's key (default: %(default)s)")
    parser.add_argument("--sensor", default="hands-on-temperature", help="sensor id (default: %(default)s)")
    parser.add_argument("--every", type=seconds, default=1.0, help="seconds between readings (default: %(default)s)")
    parser.add_argument("--count", type=whole, default=10, help="end after so many records (default: %(default)s)")
    parser.add_argument("--seconds", type=seconds, default=60.0, help="end after so long (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
