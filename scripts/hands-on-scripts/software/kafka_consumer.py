#!/usr/bin/env python3
"""Shows what arrives on Kafka topics, by kafka-python alone; it joins no group and disturbs nobody.

.venv/bin/python scripts/hands-on-scripts/software/kafka_consumer.py --topic dt.sensors.soil_moisture.processed
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from amounts import seconds, whole
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

DEFAULT_TOPIC = "dt.sensors.temperature.processed"
WIDTH = 200


def main(arguments: list[str] | None = None) -> int:
    """Print records until --count or --seconds is reached; return 1 when the broker is away or a topic is missing."""
    options = _parser().parse_args(arguments)
    options.topic = options.topic or [DEFAULT_TOPIC]
    shown = 0
    try:
        for record in records(options):
            print(json_line(record) if options.json else line(record), flush=True)
            shown += 1
    except (KafkaError, LookupError) as error:
        sys.stderr.write(f"kafka_consumer: {error}\n")
        return 1
    except KeyboardInterrupt:
        pass
    sys.stderr.write(f"{shown} records shown\n")
    return 0


def records(options: argparse.Namespace) -> Iterator[Any]:
    """Yield records as they come, oldest first where --from-beginning is given."""
    ends_at = time.monotonic() + options.seconds
    consumer = KafkaConsumer(
        bootstrap_servers=options.bootstrap,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        bootstrap_timeout_ms=3_000,
    )
    try:
        _assign(consumer, options)
        count = 0
        while count < options.count and time.monotonic() < ends_at:
            for batch in consumer.poll(timeout_ms=200, max_records=options.count - count).values():
                count += len(batch)
                yield from batch
    finally:
        consumer.close()


def line(record: Any) -> str:
    """Return a record as one line for people."""
    when = datetime.fromtimestamp(record.timestamp / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    key = "-" if record.key is None else record.key.decode(errors="replace")
    return f"{when}  {record.topic}-{record.partition}@{record.offset}  {key}  {_summary(record.value)}"


def json_line(record: Any) -> str:
    """Return a record's value as it is, or its size when it is no text."""
    value = record.value or b""
    try:
        return str(value.decode())
    except UnicodeDecodeError:
        return json.dumps({"bytes": len(value)})


def _summary(value: bytes | None) -> str:
    """Return a reading as sensor, value, unit and verdict; anything else by its beginning."""
    if value is None:
        return "(deleted)"
    try:
        message = json.loads(value)
        quality = message.get("quality") or {}
        parts = [message["sensor_id"], f"{message['value']:g}", message["unit"], quality.get("verdict", "")]
    except (ValueError, TypeError, KeyError, AttributeError):
        text = value[:WIDTH].decode(errors="replace")
        return text if len(value) <= WIDTH else f"{text}... ({len(value)} bytes)"
    return " ".join(part for part in parts if part)


def _assign(consumer: Any, options: argparse.Namespace) -> None:
    known = consumer.topics()
    missing = [topic for topic in options.topic if topic not in known]
    if missing:
        msg = f"no such topic: {', '.join(missing)}; there are: {', '.join(sorted(known)) or 'none'}"
        raise LookupError(msg)
    places = [
        TopicPartition(topic, number) for topic in options.topic for number in consumer.partitions_for_topic(topic)
    ]
    consumer.assign(places)
    if options.from_beginning:
        consumer.seek_to_beginning(*places)
    else:
        consumer.seek_to_end(*places)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Show what arrives on Kafka topics.")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092", help="broker, HOST:PORT (default: %(default)s)")
    parser.add_argument("--topic", action="append", help=f"topic to read; may be repeated (default: {DEFAULT_TOPIC})")
    parser.add_argument("--from-beginning", action="store_true", help="begin with the oldest record that is kept")
    parser.add_argument("--count", type=whole, default=1000, help="end after so many records (default: %(default)s)")
    parser.add_argument("--seconds", type=seconds, default=60.0, help="end after so long (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print each value as it is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
