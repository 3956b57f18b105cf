"""`dt export` against a running database service, and `dt token`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from dt.cli.main import main
from dt.communication.memory import MemoryMessaging
from dt.data.database.app import DatabaseService, create_service
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings
from tests.data.database.full_store import fill
from tests.data.readings import NOW


@pytest.fixture
def service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messaging: MemoryMessaging, eventually: Callable[..., None]
) -> Iterator[DatabaseService]:
    """Return a service with three temperatures that the settings of the command lead to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DT_TOKEN", "test-token")
    settings = load_settings(env_file=None, data_dir=tmp_path / "data", flask_db_url="http://127.0.0.1:0")
    made = create_service(settings, messaging, SystemClock())
    made.start()
    fill(made, messaging, eventually)
    monkeypatch.setenv("FLASK_DB_URL", f"http://127.0.0.1:{made.port}")
    yield made
    made.stop()


def test_readings_are_written_to_a_file(
    service: DatabaseService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name goes to stdout, its size to stderr; filters are those of the endpoint."""
    code = main(["export", "out.csv", "--data-type", "temperature", "--sensor", "air-t", "--until", str(NOW + 61)])

    shown = capsys.readouterr()
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert (code, shown.out) == (0, "out.csv\n")
    assert "bytes" in shown.err
    assert [row["time"] for row in rows] == ["2027-01-15T08:00:00.000Z", "2027-01-15T08:01:00.000Z"]


def test_stdout_is_a_file_too(service: DatabaseService, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """`-` is CSV unless --format says otherwise."""
    code = main(["export", "-"])

    assert code == 0
    assert capfdbinary.readouterr().out.count(b"\r\n") == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["out.xlsx"], "out: must end in .csv or .parquet"),
        (["out.csv", "--data-type", "smell"], "data_type: must be of temperature"),
        (["out.csv", "--since", "9", "--until", "5"], "until: must not be before since"),
        (["out.csv", "--plant", ""], "plant_id: must not be empty"),
        (["out.csv", "--verdict", "good", "--verdict", ""], "verdicts: must not be empty"),
    ],
)
def test_wrong_use_of_export_exits_2_and_leaves_no_file(
    service: DatabaseService, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Neither half a file nor an empty one."""
    code = main(["export", *arguments])

    assert code == 2
    assert words in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if "out." in path.name]


def test_an_export_without_a_service_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that was there stays as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASK_DB_URL", "http://127.0.0.1:9")
    (tmp_path / "out.csv").write_text("kept")

    assert main(["export", "out.csv"]) == 1
    assert "Is that service running?" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text() == "kept"


def test_a_token_is_made_used_listed_and_removed(service: DatabaseService, capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed once; its scopes hold in the running service."""
    url = f"http://127.0.0.1:{service.port}/notes"

    assert main(["token", "add", "script", "--scopes", "read,write"]) == 0
    token = capsys.readouterr().out.strip()
    written = requests.post(url, json={"text": "x"}, headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert main(["token", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert main(["token", "remove", "script"]) == 0
    refused = requests.post(url, json={"text": "x"}, headers={"Authorization": f"Bearer {token}"}, timeout=5)

    assert (written.status_code, refused.status_code) == (201, 401)
    assert [(kept["name"], kept["scopes"]) for kept in listed] == [("script", ["read", "write"])]
    assert token not in json.dumps(listed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "a b"], "name: must be 1 to 60"),
        (["add", "a", "--scopes", "fly"], "scopes: must be of read, write, act"),
        (["remove", "nobody"], "name: there is no token 'nobody'"),
    ],
)
def test_wrong_use_of_token_exits_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    """By field and limit."""
    monkeypatch.chdir(tmp_path)

    assert main(["token", *arguments]) == 2
    assert words in capsys.readouterr().err
