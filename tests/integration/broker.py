"""A genuine Apache Kafka broker for tests, by `scripts/setup_kafka.sh`, on free ports of this machine."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.communication.kafka_topics import KafkaManager
from dt.communication.topics import TOPIC_TABLE, TopicSpec
from dt.utils.config import Settings, load_settings

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup_kafka.sh"
_KEY = pytest.StashKey["Broker"]()


class Broker:
    """One broker in a folder of its own; it can be stopped, killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_ports()

    @property
    def url(self) -> str:
        """Return what KAFKA_URL takes."""
        return f"127.0.0.1:{self.port}"

    def settings(self, **overrides: object) -> Settings:
        """Return settings that lead to this broker."""
        return load_settings(env_file=None, kafka_url=self.url, **overrides)

    def set_up(self, settings: Settings, table: dict[str, TopicSpec] | None = None) -> None:
        """Create topics under the settings' prefix."""
        with KafkaManager(settings, table=TOPIC_TABLE if table is None else table) as manager:
            manager.setup_kafka()

    def start(self) -> None:
        """Return when the broker answers."""
        self.run("--port", str(self.port), "start")

    def stop(self) -> None:
        """Return when the process has ended."""
        self.run("stop")

    def kill(self) -> None:
        """End it as a power cut does."""
        os.kill(int((self.home / "kafka.pid").read_text()), signal.SIGKILL)

    def run(self, *arguments: str) -> str:
        """Run the script on this broker's folder."""
        command = [str(SCRIPT), "--user", str(self.home), *arguments]
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if outcome.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {outcome.stdout}{outcome.stderr}")
        return outcome.stdout


def shared_broker(request: pytest.FixtureRequest, factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Yield the session's one broker; skip without Java, unless DT_REQUIRE_SERVERS=1 says that it has to be there."""
    found = request.config.stash.get(_KEY, None)
    if found is not None:
        yield found
        return
    broker = Broker(factory.mktemp("kafka"))
    try:
        broker.start()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        if os.environ.get("DT_REQUIRE_SERVERS") == "1":
            pytest.fail(f"no broker can be had: {error}")
        pytest.skip(f"no broker can be had: {error}")
    request.config.stash[_KEY] = broker
    yield broker
    broker.stop()
    shutil.rmtree(broker.home, ignore_errors=True)


def free_ports() -> int:
    """Return a port that is free together with the next two.

    Below the range that outgoing connections get: a client that retries a port where nobody listens may otherwise be
    given that very port, and then talks to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        if all(_is_free(port + step) for step in (0, 1, 2)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
