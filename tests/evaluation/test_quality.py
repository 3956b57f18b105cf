"""How the report measures, on tables and boxes small enough for a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dt.evaluation.measurements import TimeColumn
from dt.evaluation.quality_box import box_readings, plan
from dt.evaluation.quality_files import judged_file
from dt.evaluation.quality_report import START, box_scores
from dt.utils.rig import Rig, load_rig

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rig() -> Rig:
    """Return the repository's own rig."""
    return load_rig(ROOT / "rig.toml")


def test_a_file_is_judged_by_the_real_processor(tmp_path: Path) -> None:
    """A negative water content, a cell of stars and a year 2049 among good rows."""
    rows = [f"2020-05-01 {i // 6:02}:{i % 6}0,0.{300 + i % 3}" for i in range(100)]
    rows[50] = "2020-05-01 08:20,-0.153"
    rows[60] = "2020-05-01 10:00,* * *"
    rows[70] = "2049-05-01 11:40,0.301"
    path = tmp_path / "log.csv"
    path.write_text("time,vwc\n" + "\n".join(rows))

    judged = judged_file(path, TimeColumn(name="time"), "vwc=soil_moisture")

    doubted = [one.check for one in judged.found.values() if one.is_doubted]
    assert sorted(doubted) == ["clock_time", "value_range"]
    assert (judged.tally.refused, len(judged.found)) == (1, 99)
    assert [check for *_, check in judged.spans] == ["value_range", "clock_time"]


def test_box_is_the_same_for_the_same_seed_and_differs_by_its_faults_alone(rig: Rig) -> None:
    """What is distorted is known to the reading, because everything else is equal."""
    faults = [fault for fault in plan(rig, START - 5 * 86_400.0, 8.0) if fault.name == "f11_jump_humidity"]

    clean = list(box_readings(rig, 3, START, 0.1))
    again = list(box_readings(rig, 3, START, 0.1))
    faulty = list(box_readings(rig, 3, START, 0.1, faults))

    assert clean == again
    assert faults
    assert {r.sensor_id for r, f in zip(clean, faulty, strict=True) if r.value != f.value} == {faults[0].sensor_id}


def test_without_the_measurements_the_report_says_so(tmp_path: Path) -> None:
    """A missing folder is no error; wrong use is one."""
    script = [sys.executable, str(ROOT / "scripts" / "bench" / "quality.py"), "--data", str(tmp_path / "nowhere")]

    wrong = subprocess.run([*script, "--days", "2"], capture_output=True, text=True, check=False)

    assert wrong.returncode == 2
    assert "--days must be at least 8" in wrong.stderr


@pytest.mark.slow
def test_gates_find_the_faults_of_the_box(rig: Rig) -> None:
    """Nine days with a fault on every sensor: nearly all are found, and what is doubted is mostly wrong."""
    scores, alarms = box_scores(rig, 2, 9.0)

    found = sum(score.faults.caught for score in scores)
    assert found >= 0.9 * sum(score.faults.wrong for score in scores)
    assert sum(score.faults.right for score in scores) >= 0.8 * sum(score.faults.doubted for score in scores)
    assert alarms <= 1.0
