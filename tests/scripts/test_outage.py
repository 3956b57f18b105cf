"""The outage, smaller: what `make outage` shows of a day holds for an hour, and the kernel counts every fsync."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import lacking

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench"
SYNCS = "fsync,fdatasync,sync_file_range,msync,sync"
JOURNAL = "journal"  # of outage_child.py
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_hour_without_a_broker_loses_nothing(tmp_path: Path) -> None:
    """Killed four times, cut from power three times: no reading lost, none twice, /gaps exact to the reading."""
    command = [sys.executable, str(BENCH / "outage.py"), "--hours", "1", "--kills", "4", "--cuts", "3"]
    done = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=200, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "build" / "figures" / "outage.json").read_text())
    assert (figures["kills"], figures["lost"], figures["twice"], figures["gap_report_errors"]) == (4, 0, 0, 0)
    assert figures["put"] > 6000
    assert figures["in_hand"] <= 4 * 10  # a batch holds a reading of each sensor at most
    assert figures["out_of_order"] == figures["invented"] == 0
    assert (figures["power_cuts"], figures["cut_twice"], figures["cut_gap_report_errors"]) == (3, 0, 0)
    assert figures["cut_lost_oldest_s"] <= 10.0


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_outage_syncs_the_disk_at_most_once_in_ten_seconds(tmp_path: Path) -> None:
    """The kernel's own count over an hour of ten sensors at 5 s, from the first reading put to the last.

    Opening and closing the file sync too. Folding a log of 16 MB in takes the place of a sync, and has two more: of the
    database file, and of the next log's head.
    """
    calls = _traced(tmp_path, hours=1)

    puts = [place for place, call in enumerate(calls) if f'/{JOURNAL}>, ">"' in call]
    during = [call for call in calls[puts[0] : puts[-1]] if re.search(r"sync\w*\(", call)]
    folds = sum("collector.db>" in call for call in during)
    logs = sum("collector.db-wal>" in call for call in during)
    assert len(during) == folds + logs, sorted(set(during))
    assert folds <= 2
    assert 100 <= logs - folds <= 3600 / 10


def _traced(folder: Path, hours: int) -> list[str]:
    """Return every sync of an outage's child, and every note in its journal, in the kernel's order."""
    strace = shutil.which("strace")
    if strace is None:
        lacking("strace is not installed")
    trace = folder / "trace"
    watch = [strace, "-f", "--seccomp-bpf", "-y", "-qq", "-s", "1", "-e", f"trace={SYNCS},write", "-o", str(trace)]
    times = ["--start", "1000000", "--until", str(1_000_000 + 3600 * hours)]
    child = [sys.executable, str(BENCH / "outage_child.py"), str(folder), *times]
    done = subprocess.run([*watch, *child], env=ENVIRONMENT, capture_output=True, text=True, timeout=200, check=False)
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("this machine lets nobody trace")
    assert done.returncode == 0, done.stderr
    return [line for line in trace.read_text().splitlines() if "resumed" not in line]
