"""F17's sudden ends: a collector that the simulated box kills, or takes the power from, and the one after it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.dataclasses import GapNotice
from tests.conftest import ROOT, wait_until
from tests.faults.fault_rows import FaultRows
from tests.faults.field import Field, probe, zones

RIG = zones("basil") + probe("soil", 0x36, every_s=0.25)


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    """Return a box whose collector's network is away, so that every reading stays in the outbox."""
    with Field(tmp_path, RIG, clock=SystemClock()) as a_field:
        a_field.order("F15", "host", mode="away")
        yield a_field


def ended(field: Field, mode: str, after_s: float) -> int:
    """Run a collector in a process of its own, end it as F17 does, and return its exit code."""
    folder = field.settings.rig_file.parent
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("collector_child.py")), str(folder)], cwd=ROOT
    )
    try:
        outbox = field.settings.data_dir / "outbox" / "collector.db"
        wait_until(outbox.exists, "the collector runs", 20.0)
        field.order("F17", "host", mode=mode, since=field.clock.wall() + after_s, within_s=0.5)
        return child.wait(after_s + 20.0)
    finally:
        child.kill()
        child.wait()


def came_through(field: Field) -> tuple[list[int], list[GapNotice], float]:
    """Let a second collector publish what the first one left: numbers, notices, time of the last reading."""
    for fault in field.simulator.wire.desk.all():
        field.end(fault.id)
    own = field.collect().boot_id
    wait_until(lambda: any(r.boot_id == own for r in field.seen("soil").readings), "what was left came first")
    old = [reading for reading in field.seen("soil").readings if reading.boot_id != own]
    notices = [GapNotice.from_json(record.value or b"") for record in field.messaging.read_all(Topics.GAPS)]
    return [reading.sequence for reading in old], notices, old[-1].timestamp


def untold(numbers: list[int], notices: list[GapNotice]) -> set[int]:
    """Return the readings up to the last one that are not there, and of which no notice tells; none is there twice."""
    assert len(set(numbers)) == len(numbers)
    told = {
        number
        for notice in notices
        if notice.first_sequence is not None and notice.last_sequence is not None
        for number in range(notice.first_sequence, notice.last_sequence + 1)
    }
    return set(range(max(numbers) + 1)) - set(numbers) - told


@pytest.mark.slow
def test_f17_a_killed_collector_loses_nothing(field: Field, fault_rows: FaultRows) -> None:
    """A kill -9 at an instant that nobody chose: every reading up to it is there, once, and the end is told."""
    code = ended(field, "kill", 2.0)
    numbers, notices, last = came_through(field)

    [off] = [notice for notice in notices if notice.cause == "killed"]
    did = "the next run published every reading that was taken"
    fault_rows.add("F17", "mode kill", did, f"gap of {off.count} readings: {off.why}")
    assert code == -signal.SIGKILL
    assert len(numbers) >= 5
    assert untold(numbers, notices) == set()
    assert off.why == "the collector was killed"
    assert field.clock.wall() - last < 30.0


@pytest.mark.slow
def test_f17_a_power_cut_loses_ten_seconds_at_most(field: Field, fault_rows: FaultRows) -> None:
    """Unsynced writes are thrown away before the end; what is left is whole, and at most 10 s are missing."""
    code = ended(field, "power_cut", 14.0)
    cut_at = field.clock.wall()
    numbers, notices, last = came_through(field)

    [off] = [notice for notice in notices if notice.cause == "killed"]
    did = "the next run published what was synced: all but the last seconds, ten at most"
    fault_rows.add("F17", "mode power_cut", did, f"gap of {off.count} readings: {off.why}")
    assert code == -signal.SIGKILL
    assert untold(numbers, notices) == set()
    assert 0.0 < cut_at - last < 10.5


def test_f17_ends_are_refused_where_box_and_collector_share_a_process(field: Field) -> None:
    """409, with the reason; the box is not ended by its own fault."""
    field.simulator.wire.desk._is_one_process = True

    answer = field.post({"fault": "F17", "target": "host", "mode": "kill"})

    assert answer.status_code == 409
    assert "needs a collector in a process of its own" in answer.json()["detail"]
