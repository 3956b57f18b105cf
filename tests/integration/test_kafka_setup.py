"""`scripts/setup_kafka.sh` with the real jars: it starts, stops, repeats itself harmlessly, guards its outer door."""

from __future__ import annotations

import hashlib
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dt.communication.kafka_topics import KafkaManager
from dt.utils.exceptions import MessagingError
from tests.integration.broker import Broker, free_ports

pytestmark = [
    pytest.mark.integration,
    # kafka-python leaves the socket of a failed connect to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def own(tmp_path: Path, broker: Broker) -> Iterator[Broker]:
    """A second broker, not yet installed; the shared one shows that brokers can be had here."""
    made = Broker(tmp_path / "own")
    yield made
    made.run("stop")


def test_start_twice_is_one_broker(own: Broker) -> None:
    """The second start finds the first."""
    own.start()
    pid = (own.home / "kafka.pid").read_text()

    said = own.run("start")

    assert "runs already" in said
    assert (own.home / "kafka.pid").read_text() == pid
    assert f"127.0.0.1:{own.port}" in own.run("status")


def test_stop_waits_until_the_process_is_gone(own: Broker) -> None:
    """After it returns, the port is free and the process has ended; a second stop is harmless."""
    own.start()
    pid = int((own.home / "kafka.pid").read_text())

    own.run("stop")

    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert "not running" in own.run("stop")


def test_topics_outlive_a_restart(own: Broker) -> None:
    """Storage is formatted once."""
    own.start()
    own.set_up(own.settings())
    own.stop()

    own.start()

    with KafkaManager(own.settings()) as manager:
        assert manager.setup_kafka() == []


def test_taken_port_is_said(own: Broker, broker: Broker) -> None:
    """The message says what to do."""
    with pytest.raises(RuntimeError, match=f"port {broker.port} is taken.*--port"):
        own.run("--port", str(broker.port), "start")


def test_archive_of_the_real_jars_runs(own: Broker, broker: Broker, tmp_path: Path) -> None:
    """What the official archive holds is enough to start a broker."""
    archive = tmp_path / "kafka.tgz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(broker.home / "libs", arcname="kafka_2.13-4.3.1/libs")
    total = hashlib.sha512(archive.read_bytes()).hexdigest()

    own.run("--archive", str(archive), "--sha512", total, "--port", str(own.port), "start")

    with KafkaManager(own.settings()) as manager:
        assert manager.names() == []


def test_listeners_are_loopback_alone(own: Broker) -> None:
    """Nothing of a user's broker can be reached from another machine."""
    own.start()

    for port in (own.port, own.port + 1):
        with pytest.raises(OSError, match="refused"), socket.create_connection((_outer_address(), port), timeout=2):
            pass


def test_external_listener_asks_for_tls_and_login(own: Broker) -> None:
    """`--external` opens one door, with a certificate and a SCRAM login that the script made."""
    door = free_ports()
    own.run("--port", str(own.port), "--external", "localhost", "--external-port", str(door), "start")
    login = {
        "kafka_url": f"localhost:{door}",
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ssl_cafile": str(own.home / "config/external.pem"),
        "kafka_sasl_username": "plant-twin",
        "kafka_sasl_password": (own.home / "config/external.password").read_text().strip(),
    }

    with KafkaManager(own.settings().model_copy(update=login)) as manager:
        assert manager.names() == []
    with (
        KafkaManager(own.settings().model_copy(update={**login, "kafka_sasl_password": "wrong"})) as stranger,
        pytest.raises(MessagingError),
    ):
        stranger.names()


def _outer_address() -> str:
    """Return an address of this machine that is not 127.0.0.1; loopback's second one where there is no network."""
    for *_, address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
        if not str(address[0]).startswith("127."):
            return str(address[0])
    return "127.0.0.2"
