"""`make bench` in small: it runs, and writes the figures that are promised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.broker import Broker

LOOP = Path(__file__).parents[2] / "scripts" / "bench" / "loop.py"
SMALL = ("--messages", "30000", "--seconds", "2", "--browsers", "4", "--days", "0.1")


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_the_bench_of_the_loop_writes_its_figures(broker: Broker, tmp_path: Path) -> None:
    """All keys of the contract, each a number above zero; how large they are is for an idle machine to say."""
    del broker  # it was made: so the bench can make one of its own

    done = subprocess.run(
        [sys.executable, LOOP, *SMALL], cwd=tmp_path, capture_output=True, text=True, timeout=220, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads((tmp_path / "build" / "figures" / "loop.json").read_text("utf-8"))
    promised = {"messages_per_s", "browser_p50_ms", "browser_p99_ms", "demo_first_value_s"}
    assert promised <= set(figures)
    assert all(figures[name] > 0.0 for name in promised)
    assert figures["messages"] == 30_000
