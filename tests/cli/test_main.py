"""The `dt` command from outside: help, exit codes, what goes to which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dt.cli.main import COMMANDS, main
from dt.utils.config import Config

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def dt(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    clean = {name: value for name, value in os.environ.items() if name not in set(Config)}
    return subprocess.run(
        [sys.executable, "-m", "dt.cli.main", *arguments],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`dt --help` is the table of contents."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for command in COMMANDS:
        assert f"\n    {command}" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`dt COMMAND --help` says what it does."""
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    assert ended.value.code == 0
    assert f"usage: dt {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["replay"], ["demo", "--days", "many"]])
def test_wrong_use_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is refused before anything happens."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: dt" in capsys.readouterr().err


def test_a_wrong_setting_exits_2_with_one_line_that_names_it(tmp_path: Path) -> None:
    """The variable, and what it must look like."""
    done = dt("settings", cwd=tmp_path, KAFKA_URL="nowhere")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("dt settings: KAFKA_URL: ")
    assert done.stderr.count("\n") == 1


def test_settings_show_where_each_value_comes_from(tmp_path: Path) -> None:
    """Environment before .env before default."""
    (tmp_path / ".env").write_text("TOPIC_PREFIX=a.\nINSTANCE=9\n")

    done = dt("settings", "--json", cwd=tmp_path, TOPIC_PREFIX="b.", DT_TOKEN="very-secret")

    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["TOPIC_PREFIX"] == {"name": "TOPIC_PREFIX", "value": "b.", "origin": "environment"}
    assert rows["INSTANCE"]["origin"] == ".env"
    assert rows["LOG_LEVEL"] == {"name": "LOG_LEVEL", "value": "INFO", "origin": "default"}
    assert rows["DT_TOKEN"]["value"] == "********"
    assert "very-secret" not in done.stdout


def test_a_password_inside_a_url_is_masked(tmp_path: Path) -> None:
    """Broker URLs carry passwords too."""
    done = dt("settings", cwd=tmp_path, MQTT_URL="mqtt://ada:lovelace@broker:1883")

    assert "mqtt://ada:********@broker:1883" in done.stdout
    assert "lovelace" not in done.stdout


def test_a_made_token_is_shown_masked_with_its_file(tmp_path: Path) -> None:
    """Where the token lies is what a person looks for."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dt_token").write_text("very-secret\n")

    done = dt("settings", "--json", cwd=tmp_path)

    [row] = [row for row in json.loads(done.stdout) if row["name"] == "DT_TOKEN"]
    assert row == {"name": "DT_TOKEN", "value": "********", "origin": "data/dt_token"}


def test_influx_without_its_token_is_refused_with_a_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started."""
    monkeypatch.delenv("INFLUX_TOKEN", raising=False)

    assert main(["up", "--influx", "http://127.0.0.1:8086"]) == 2
    assert "INFLUX_TOKEN: is needed for InfluxDB; scripts/setup_influxdb.sh" in capsys.readouterr().err
