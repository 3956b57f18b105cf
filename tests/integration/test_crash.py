"""`make crash` in small: killed ten times under load, and nothing is lost, twice or summed up wrongly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.broker import Broker

CRASH = Path(__file__).parents[2] / "scripts" / "bench" / "crash.py"
SMALL = ("--kills", "10", "--seconds-between", "0.5", "--seed", "4")
_MUST_BE_NONE = (
    *("lost", "twice", "rollup_mismatches", "derived_lost", "log_lost", "log_twice", "invented", "changed"),
    *("not_as_undisturbed", "dead_letters"),
)


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_ten_kills_under_load_lose_nothing(broker: Broker, tmp_path: Path) -> None:
    """Both services die, the broker too, a second processing comes: the store is as an undisturbed run makes it."""
    del broker  # it was made: so the bench can make one of its own

    done = subprocess.run(
        [sys.executable, CRASH, *SMALL], cwd=tmp_path, capture_output=True, text=True, timeout=580, check=False
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    figures = json.loads((tmp_path / "build" / "figures" / "crash.json").read_text("utf-8"))
    assert {name: figures[name] for name in _MUST_BE_NONE} == dict.fromkeys(_MUST_BE_NONE, 0)
    assert figures["kills"] == 10
    assert min(figures["kills_database"], figures["kills_processing"], figures["broker_restarts"]) >= 1
    assert figures["published"] > 2000
    assert figures["derived"] > 500
