"""The generated reference is what the code says now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dt.communication.topics import TOPIC_TABLE
from dt.utils.config import Config
from dt.utils.dataclasses import SensorData
from scripts import make_reference
from scripts.reference_words import REST_WORDS, SETTING_WORDS, TOPIC_WORDS

SCRIPT = Path(make_reference.__file__)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Return the pages as the code makes them now."""
    return make_reference.make_pages()


@pytest.mark.parametrize("name", ["topics.md", "settings.md", "messages.md", "rest.md"])
def test_a_page_of_the_reference_is_not_stale(name: str, pages: dict[str, str]) -> None:
    """Whoever changes the code runs `python scripts/make_reference.py`."""
    assert (make_reference.FOLDER / name).read_text("utf-8") == pages[name]


def test_check_tells_of_a_stale_page_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CI relies on the exit code."""
    assert make_reference.main(["--check"], tmp_path) == 1

    assert "topics.md" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_no_longer_stale(tmp_path: Path) -> None:
    """Writing and checking see the same text."""
    folder = tmp_path / "reference"

    assert make_reference.main([], folder) == 0
    assert make_reference.main(["--check"], folder) == 0


def test_the_script_runs_from_any_folder(tmp_path: Path) -> None:
    """It finds the checkout by its own place, and takes no setting of the environment amiss."""
    done = subprocess.run(
        [sys.executable, "-B", str(SCRIPT), "--check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_setting_has_its_words() -> None:
    """No more and no fewer than the enum names."""
    assert set(SETTING_WORDS) == set(Config)


def test_every_family_of_topics_has_its_words() -> None:
    """No more and no fewer than the table of topics has."""
    assert set(TOPIC_WORDS) == {make_reference.family_of(topic) for topic in TOPIC_TABLE}


def test_words_of_endpoints_belong_to_endpoints_that_exist() -> None:
    """What a service no longer answers is not described."""
    existing = {(name, end) for name, app in make_reference.url_maps() for end, _view in make_reference.endpoints(app)}

    assert set(REST_WORDS) <= existing


def test_every_field_of_a_message_is_in_its_table(pages: dict[str, str]) -> None:
    """A reader of the page misses none."""
    section = pages["messages.md"].split("## SensorData\n")[1].split("\n## ")[0]

    assert all(f"| `{name}` |" in section for name in SensorData.__dataclass_fields__)


def test_no_secret_has_a_default_on_the_page(pages: dict[str, str]) -> None:
    """Secrets are made or given, never shipped."""
    rows = [line for line in pages["settings.md"].splitlines() if line.endswith("(secret) |")]

    assert len(rows) == 7
    assert all("| empty |" in row for row in rows)
