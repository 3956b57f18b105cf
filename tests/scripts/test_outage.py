"""The outage, smaller: what `make outage` shows of a day holds for an hour, and the kernel counts every fsync."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import lacking

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_hour_without_a_broker_loses_nothing(tmp_path: Path) -> None:
    """Killed four times, cut from power three times: no reading lost, none twice, /gaps exact to the reading."""
    command = [sys.executable, str(BENCH / "outage.py"), "--hours", "1", "--kills", "4", "--cuts", "3"]
    for _attempt in range(2):  # on a loaded machine a kill can cut off the bench's own note of what was put
        done = subprocess.run(
            command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=110, check=False
        )
        if done.returncode == 0:
            break

    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "build" / "figures" / "outage.json").read_text())
    assert (figures["kills"], figures["lost"], figures["twice"], figures["gap_report_errors"]) == (4, 0, 0, 0)
    assert figures["put"] > 6000
    assert figures["out_of_order"] == figures["invented"] == 0
    assert (figures["power_cuts"], figures["cut_twice"], figures["cut_gap_report_errors"]) == (3, 0, 0)
    assert figures["cut_lost_oldest_s"] <= 10.0


@pytest.mark.slow
def test_an_outage_syncs_the_disk_at_most_once_in_ten_seconds(tmp_path: Path) -> None:
    """Counted by strace over an hour of ten sensors at 5 s: every fsync and fdatasync that the process really does."""
    strace = shutil.which("strace")
    if strace is None:
        lacking("strace is not installed")
    trace = tmp_path / "trace"
    child = [sys.executable, str(BENCH / "outage_child.py"), str(tmp_path), "--start", "1000000", "--until", "1003600"]
    watch = [strace, "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,msync,sync", "-o", str(trace), *child]
    done = subprocess.run(watch, env=ENVIRONMENT, capture_output=True, text=True, timeout=110, check=False)
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("this machine lets nobody trace")

    assert done.returncode == 0, done.stderr
    syncs = sum("sync" in line and "resumed" not in line for line in trace.read_text().splitlines())
    assert 200 <= syncs <= 360 + 6  # opening, folding in and closing the file sync too
