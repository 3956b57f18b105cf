"""`scripts/kafka_manager.py` without a broker: arguments, exit codes, messages."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from scripts.kafka_manager import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no `.env` of the working folder be read."""
    monkeypatch.chdir(tmp_path)


def test_missing_broker_ends_with_1_and_says_where_it_looked(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the address and the setting."""
    address = f"127.0.0.1:{_closed_port()}"

    code = main(["setup", "--kafka", address])

    assert code == 1
    assert f"no broker answers at {address} (KAFKA_URL)" in capsys.readouterr().err


def test_wrong_address_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A setting that cannot be is wrong use, and named."""
    assert main(["list", "--kafka", "nonsense"]) == 2
    assert "KAFKA_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["create"],
        ["alter", "dt.alerts", "--partitions", "0"],
        ["alter", "dt.alerts", "--config", "retention.ms"],
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments are checked before a broker is asked."""
    with pytest.raises(SystemExit) as ending:
        main(arguments)

    assert ending.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["create", "delete", "list", "describe", "alter", "config", "setup", "setup_kafka"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` explains each command that the specification names."""
    with pytest.raises(SystemExit) as ending:
        main([command, "--help"])

    assert ending.value.code == 0
    assert "--dry-run" in capsys.readouterr().out


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
