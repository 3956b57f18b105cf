#!/usr/bin/env python3
"""Topics on the Kafka broker, from the command line: create, delete, list, describe, alter, config, setup."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence

try:
    from dt.communication.kafka_topics import KafkaManager, TopicChange, TopicState, setup_kafka
    from dt.communication.topics import TOPIC_TABLE
    from dt.utils.config import load_settings
    from dt.utils.exceptions import ConfigError, DTError
except ModuleNotFoundError as error:
    sys.exit(f"{error}: run `make kafka-topics`, or this script with .venv/bin/python")

__all__ = ["KafkaManager", "main", "setup_kafka"]

_ALL = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when done, 1 when it failed, 2 on wrong use."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings(kafka_url=options.kafka, topic_prefix=options.prefix)
    except ConfigError as error:
        return _complain(error, 2)
    try:
        with KafkaManager(settings, is_dry_run=options.dry_run) as manager:
            outcome = _COMMANDS[options.command](manager, options)
    except DTError as error:
        return _complain(error, 1)
    print(json.dumps(_plain(outcome), indent=2) if options.json else _readable(outcome, "would " * options.dry_run))
    return 0


Outcome = list[TopicChange] | list[TopicState] | list[str] | dict[str, str]


def _setup(manager: KafkaManager, _: argparse.Namespace) -> Outcome:
    return manager.setup_kafka()


def _create(manager: KafkaManager, options: argparse.Namespace) -> Outcome:
    return manager.create(_names(options), partitions=options.partitions, config=dict(options.config))


def _delete(manager: KafkaManager, options: argparse.Namespace) -> Outcome:
    return manager.delete(_names(options))


def _list(manager: KafkaManager, _: argparse.Namespace) -> Outcome:
    return manager.names()


def _describe(manager: KafkaManager, options: argparse.Namespace) -> Outcome:
    return manager.describe(_names(options) if options.topics else manager.names())


def _alter(manager: KafkaManager, options: argparse.Namespace) -> Outcome:
    return manager.alter(options.topic, partitions=options.partitions, config=dict(options.config))


def _config(manager: KafkaManager, options: argparse.Namespace) -> Outcome:
    return manager.config(options.topic)


_COMMANDS: dict[str, Callable[[KafkaManager, argparse.Namespace], Outcome]] = {
    "setup": _setup,
    "setup_kafka": _setup,
    "create": _create,
    "delete": _delete,
    "list": _list,
    "describe": _describe,
    "alter": _alter,
    "config": _config,
}


def _names(options: argparse.Namespace) -> list[str]:
    return list(TOPIC_TABLE) if options.topics == [_ALL] else list(options.topics)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print JSON")
    shared.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    shared.add_argument("--kafka", metavar="HOST:PORT", help="the broker (default: KAFKA_URL)")
    shared.add_argument("--prefix", help="what precedes topic names (default: TOPIC_PREFIX)")
    parser = argparse.ArgumentParser(prog="kafka_manager.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[shared])

    command("setup", "bring all topics of the table to the broker; never deletes")
    command("setup_kafka", "the same as setup")
    command("list", "names of the topics that are there")
    topics_of = {
        "create": "create topics that are missing ('all': the whole table)",
        "delete": "delete topics with all their records ('all': the whole table)",
    }
    for name, text in topics_of.items():
        command(name, text).add_argument("topics", nargs="+", metavar="TOPIC")
    command("describe", "partitions and configuration").add_argument("topics", nargs="*", metavar="TOPIC")
    command("alter", "add partitions, change settings").add_argument("topic", metavar="TOPIC")
    command("config", "the whole configuration of a topic").add_argument("topic", metavar="TOPIC")
    for name in ("create", "alter"):
        chosen = commands.choices[name]
        chosen.add_argument("--partitions", type=_positive, metavar="N", help="how many partitions")
        chosen.add_argument(
            "--config", type=_pair, action="append", default=[], metavar="NAME=VALUE", help="repeatable"
        )
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a number from 1 on, not {text!r}")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"needs NAME=VALUE, not {text!r}")
    return name, value


def _plain(outcome: Outcome) -> object:
    if isinstance(outcome, dict):
        return outcome
    return [item if isinstance(item, str) else item.to_dict() for item in outcome]


def _readable(outcome: Outcome, would: str) -> str:
    if isinstance(outcome, dict):
        return "\n".join(f"{name}={value}" for name, value in outcome.items())
    if not outcome:
        return "nothing to do"
    return "\n".join(item if isinstance(item, str) else _line(item, would) for item in outcome)


def _line(item: TopicChange | TopicState, would: str) -> str:
    if isinstance(item, TopicState):
        kept = " ".join(f"{name}={item.config.get(name)}" for name in ("cleanup.policy", "retention.ms"))
        return f"{item.topic}: {item.partitions} partitions, {item.replication} copies, {kept}"
    count = "" if item.partitions is None else f" {item.partitions} partitions"
    config = "".join(f" {name}={value}" for name, value in item.config.items())
    return f"{would}{item.action} {item.topic}:{count}{config}".rstrip(":")


def _complain(error: Exception, code: int) -> int:
    sys.stderr.write(f"kafka_manager.py: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
