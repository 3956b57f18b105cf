"""The topic manager on a genuine broker: it reaches the table, changes nothing twice, and deletes nothing unasked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.communication.kafka_topics import KafkaManager, TopicError, setup_kafka
from dt.communication.topics import TOPIC_TABLE, Topics, TopicSpec
from dt.utils.config import Settings
from scripts.kafka_manager import main
from tests.integration.broker import Broker

pytestmark = pytest.mark.integration

_numbers = itertools.count()


@pytest.fixture
def prefixed(broker: Broker) -> Settings:
    """Settings whose topics nobody has set up."""
    return broker.settings(topic_prefix=f"m{next(_numbers)}.")


@pytest.fixture
def manager(prefixed: Settings) -> Iterator[KafkaManager]:
    """A manager of an empty prefix."""
    with KafkaManager(prefixed) as made:
        yield made


def test_setup_creates_the_whole_table(manager: KafkaManager) -> None:
    """Every topic, with partitions and configuration of its row."""
    changes = manager.setup_kafka()

    assert {change.topic for change in changes} == set(TOPIC_TABLE)
    for state in manager.describe(TOPIC_TABLE):
        spec = TOPIC_TABLE[state.topic]
        assert state.partitions == spec.partitions
        assert spec.config().items() <= state.config.items()


def test_setup_again_changes_nothing(prefixed: Settings) -> None:
    """Idempotent."""
    setup_kafka(prefixed)

    assert setup_kafka(prefixed) == []


def test_setup_mends_what_differs(prefixed: Settings, manager: KafkaManager) -> None:
    """Partitions are added and settings altered; a foreign topic stays."""
    before: dict[str, TopicSpec] = {
        Topics.ALERTS: TopicSpec(partitions=1, retention_ms=1000),
        "own": TopicSpec(partitions=1),
    }
    with KafkaManager(prefixed, table=before) as earlier:
        earlier.setup_kafka()

    after: dict[str, TopicSpec] = {Topics.ALERTS: TopicSpec(partitions=3, retention_ms=60_000)}
    with KafkaManager(prefixed, table=after) as later:
        changes = later.setup_kafka()

    assert [change.action for change in changes] == ["partitions", "alter"]
    [state] = manager.describe([Topics.ALERTS])
    assert (state.partitions, state.config["retention.ms"]) == (3, "60000")
    assert manager.names() == sorted([Topics.ALERTS, "own"])


def test_dry_run_says_and_does_nothing(prefixed: Settings, manager: KafkaManager) -> None:
    """The plan is the same as the deed, without it."""
    plan = setup_kafka(prefixed, is_dry_run=True)

    assert len(plan) == len(TOPIC_TABLE)
    assert manager.names() == []


def test_create_and_delete_may_be_repeated(manager: KafkaManager) -> None:
    """The second time there is nothing to do."""
    assert [change.action for change in manager.create([Topics.ALERTS])] == ["create"]
    assert manager.create([Topics.ALERTS]) == []
    assert [change.action for change in manager.delete([Topics.ALERTS])] == ["delete"]
    assert manager.delete([Topics.ALERTS]) == []


def test_partitions_are_never_taken_away(manager: KafkaManager) -> None:
    """Kafka cannot; the message says so before it is asked."""
    manager.create([Topics.TEMPERATURE.raw])

    with pytest.raises(TopicError, match="cannot take any away"):
        manager.alter(Topics.TEMPERATURE.raw, partitions=1)


def test_unknown_topic_needs_partitions(manager: KafkaManager) -> None:
    """A typing error creates nothing."""
    with pytest.raises(TopicError, match=r"dt\.typo is not in the table"):
        manager.create(["dt.typo"])


def test_unknown_setting_is_refused(manager: KafkaManager) -> None:
    """The broker's word on a setting reaches the person."""
    manager.create([Topics.ALERTS])

    with pytest.raises(TopicError, match=r"no\.such"):
        manager.alter(Topics.ALERTS, config={"no.such": "1"})


def test_commands_print_json(
    prefixed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line reaches every operation, and scripts can read it."""
    monkeypatch.chdir(tmp_path)
    where = ["--json", "--kafka", prefixed.kafka_url, "--prefix", prefixed.topic_prefix]

    def run(*arguments: str) -> object:
        assert main([*arguments, *where]) == 0
        return json.loads(capsys.readouterr().out)

    assert run("create", "dt.alerts") == [
        {"action": "create", "topic": "dt.alerts", "partitions": 1, "config": TOPIC_TABLE[Topics.ALERTS].config()}
    ]
    assert run("list") == ["dt.alerts"]
    assert run("alter", "dt.alerts", "--partitions", "2") == [
        {"action": "partitions", "topic": "dt.alerts", "partitions": 2}
    ]
    described = run("describe", "dt.alerts")
    assert isinstance(described, list)
    assert described[0]["partitions"] == 2
    config = run("config", "dt.alerts")
    assert isinstance(config, dict)
    assert config["cleanup.policy"] == "delete"
    assert run("delete", "dt.alerts") == [{"action": "delete", "topic": "dt.alerts"}]
    assert main(["describe", "dt.alerts", *where]) == 1
    assert "no such topic" in capsys.readouterr().err
