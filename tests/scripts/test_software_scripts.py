"""The hands-on software scripts: as a person would call them, on a genuine broker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from dt.communication.kafka_topics import KafkaManager
from dt.communication.topics import TOPIC_TABLE, Topics
from dt.utils.config import Settings
from tests.conftest import lacking
from tests.integration.broker import Broker
from tests.integration.conftest import broker, kafka_settings

__all__ = ["broker", "kafka_settings"]

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "hands-on-scripts" / "software"
SCRIPTS = ("kafka_producer.py", "kafka_consumer.py", "spark_stream.py")


def call(script: str, *arguments: str, within_s: float = 60.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    command = [sys.executable, str(FOLDER / script), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=within_s, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_explains_itself(script: str) -> None:
    """--help works without a broker, names the broker's option and both bounds."""
    outcome = call(script, "--help")

    assert outcome.returncode == 0
    for option in ("--bootstrap", "--count", "--seconds"):
        assert option in outcome.stdout


def test_scripts_without_a_broker_say_so_in_one_line() -> None:
    """Nobody has to read a traceback to learn that no broker runs."""
    commands = [[sys.executable, str(FOLDER / script), "--bootstrap", "127.0.0.1:1"] for script in SCRIPTS[:2]]

    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]

    for process in running:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert len(said.splitlines()) == 1
        assert "127.0.0.1:1" in said


def test_spark_script_without_java_names_the_remedy(tmp_path: Path) -> None:
    """The first of its parts that is missing is named, with what to install."""
    outcome = call("spark_stream.py", PATH=str(tmp_path), JAVA_HOME="")

    assert outcome.returncode == 1
    assert "Java 17" in outcome.stderr
    assert "apt-get install" in outcome.stderr


@pytest.mark.integration
def test_consumer_shows_what_the_producer_sent(kafka_settings: Settings) -> None:
    """Three readings go through a genuine broker and come out as they went in."""
    topic = kafka_settings.topic_prefix + Topics.TEMPERATURE.raw
    place = ("--bootstrap", kafka_settings.kafka_url, "--topic", topic)

    sent = call("kafka_producer.py", *place, "--count", "3", "--every", "0.01")
    shown = call("kafka_consumer.py", *place, "--from-beginning", "--count", "3", "--json")

    assert sent.returncode == 0, sent.stderr
    readings = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [reading["sequence"] for reading in readings] == [0, 1, 2]
    assert {reading["origin"] for reading in readings} == {"simulated"}
    assert "3 records acknowledged" in sent.stdout


@pytest.mark.integration
def test_consumer_ends_by_itself_and_tells_topics_that_are_missing(kafka_settings: Settings) -> None:
    """A bound in seconds holds on a silent topic; a mistyped topic is answered with those that exist."""
    silent = kafka_settings.topic_prefix + Topics.HUMIDITY.raw
    place = ("--bootstrap", kafka_settings.kafka_url)

    waited = call("kafka_consumer.py", *place, "--topic", silent, "--seconds", "1")
    mistyped = call("kafka_consumer.py", *place, "--topic", "dt.sensors.humdity.raw")

    assert (waited.returncode, waited.stdout) == (0, "")
    assert mistyped.returncode == 1
    assert silent in mistyped.stderr


@pytest.mark.spark
@pytest.mark.timeout(300)
def test_spark_averages_what_was_processed(broker: Broker) -> None:
    """Good readings of one minute become one line; suspect ones are left out."""
    if find_spec("pyspark") is None or shutil.which("java") is None:
        lacking("needs the spark group and Java")
    settings = broker.settings(topic_prefix="spark.")
    with KafkaManager(settings, table=TOPIC_TABLE) as manager:
        manager.setup_kafka()
    topic = settings.topic_prefix + Topics.TEMPERATURE.processed
    _send(settings.kafka_url, topic, [(20.0, "good"), (22.0, "good"), (90.0, "bad")])

    outcome = call(
        "spark_stream.py",
        *("--bootstrap", settings.kafka_url, "--pattern", r"spark\.dt\.sensors\.[a-z_]+\.processed"),
        *("--from-beginning", "--count", "1", "--seconds", "120"),
        within_s=280,
    )

    assert outcome.returncode == 0, outcome.stderr
    [line] = outcome.stdout.splitlines()
    assert "2027-01-15 08:00  box  temperature  mean 21.000  min 20.000  max 22.000 degC  n 2" in line


def _send(bootstrap: str, topic: str, readings: list[tuple[float, str]]) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number, (value, verdict) in enumerate(readings):
        reading = {
            "sensor_id": "air",
            "data_type": "temperature",
            "value": value,
            "unit": "degC",
            "timestamp": 1_800_000_000.0 + number,
            "zone_id": "box",
            "correlation_id": str(number),
            "quality": {"verdict": verdict},
        }
        producer.send(topic, json.dumps(reading).encode(), b"box")
    producer.flush()
    producer.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("kafka_producer.py", "--count", "-1"), "argument --count: must be from 1 to 1000000000, not -1"),
        (("kafka_producer.py", "--every", "-1"), "argument --every: must be from 0 to 31536000 s, not -1"),
        (("kafka_producer.py", "--seconds", "nan"), "argument --seconds: must be from 0 to 31536000 s, not nan"),
        (("kafka_consumer.py", "--count", "0"), "argument --count: must be from 1 to 1000000000, not 0"),
        (("spark_stream.py", "--count", "-4"), "argument --count: must be from 1 to 1000000000, not -4"),
    ],
)
def test_number_that_cannot_be_meant_is_refused(arguments: tuple[str, ...], says: str) -> None:
    """Exit code 2, and the option with its limit, before a broker is asked."""
    outcome = call(*arguments)

    assert outcome.returncode == 2
    assert says in outcome.stderr
