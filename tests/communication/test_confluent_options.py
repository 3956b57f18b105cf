"""librdkafka's options: the settings' logins and limits, in words that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.communication.confluent import ConfluentClients
from dt.communication.confluent_options import member_options
from dt.communication.kafka_options import KafkaOptions
from dt.communication.messaging import Start
from dt.utils.config import Settings, load_settings

LOGIN = {"kafka_sasl_username": "ada", "kafka_sasl_password": "lovelace"}


def _options(**given: object) -> KafkaOptions:
    settings: Settings = load_settings(env_file=None, kafka_url="127.0.0.1:1,127.0.0.1:2", **given)
    return KafkaOptions.of(settings, "test")


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_every_security_protocol_makes_clients(protocol: str) -> None:
    """The library refuses an option that it does not know, or a value that it does not take, when a client is made."""
    clients = ConfluentClients(_options(kafka_security_protocol=protocol, **LOGIN))

    clients.reader().close()
    clients.member("readers", "readers-1", Start.LATEST).close()
    clients.producer().close(1.0)
    clients.transactional("readers-1").close(0.1)


def test_logins_and_identity_reach_the_client(tmp_path: Path) -> None:
    """What the settings say of servers, login and membership stands under librdkafka's names."""
    authority = tmp_path / "ca.pem"
    authority.touch()

    made = member_options(
        _options(kafka_security_protocol="SASL_SSL", kafka_ssl_cafile=str(authority), topic_prefix="a.", **LOGIN),
        "readers",
        "a.readers-1",
        Start.EARLIEST,
    )

    expected = {
        "bootstrap.servers": "127.0.0.1:1,127.0.0.1:2",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ada",
        "sasl.password": "lovelace",
        "ssl.ca.location": str(authority),
        "group.id": "a.readers",
        "group.instance.id": "a.readers-1",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
    }
    assert expected.items() <= made.items()
