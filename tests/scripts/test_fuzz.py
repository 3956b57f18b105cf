"""`make fuzz` in small: twenty thousand messages, valid, mutated and hostile, at every service."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.broker import Broker, shared_broker

FUZZ = Path(__file__).parents[2] / "scripts" / "bench" / "fuzz.py"


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's one broker."""
    yield from shared_broker(request, tmp_path_factory)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_hostile_messages_stop_no_service(tmp_path: Path) -> None:
    """No service fails, what nobody can read is a dead letter, and every endpoint answers, also after a restart."""
    done = subprocess.run(
        [sys.executable, FUZZ, "--messages", "20000", "--seed", "7"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    figures = json.loads((tmp_path / "build" / "figures" / "fuzz.json").read_text("utf-8"))
    assert figures["messages"] == 20_000
    assert (figures["failed"], figures["unburied"], figures["bad_answers"], figures["troubles"]) == (0, 0, 0, 0)
    assert 5_000 < figures["unreadable"] < 15_000
    assert figures["answers"] > 200
    assert figures["rss_growth_mb"] <= 100.0


@pytest.mark.integration
@pytest.mark.timeout(400)
def test_hostile_messages_come_through_a_genuine_broker(broker: Broker, tmp_path: Path) -> None:
    """The same of some thousand, by transactions and groups instead of a log in memory."""
    del broker  # it was made: so the fuzz can make one of its own
    done = subprocess.run(
        [sys.executable, FUZZ, "--broker", "--messages", "3000", "--seed", "11"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    figures = json.loads((tmp_path / "build" / "figures" / "fuzz.json").read_text("utf-8"))
    assert (figures["failed"], figures["unburied"], figures["bad_answers"], figures["troubles"]) == (0, 0, 0, 0)
    assert 1_000 < figures["unreadable"] < 2_500
