"""The realism report: its statistics, its boxes, and no data without a word."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import report_realism

    return report_realism


def test_absent_data_are_skipped_with_a_word(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written where there is nothing to compare with."""
    assert script.main([str(tmp_path / "none"), "--folder", str(tmp_path / "out")]) == 0

    assert "skipped: there is no" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_statistics_of_a_known_series(script: ModuleType) -> None:
    """A saw tooth of ten a day has a range of ten; noise is only what leaves the running median."""
    index = pd.date_range("2026-01-01", periods=3 * 288, freq="5min")
    smooth = pd.Series([10.0 * (i % 288) / 287 for i in range(len(index))], index=index)
    rough = smooth + pd.Series([0.5 if i % 7 == 0 else 0.0 for i in range(len(index))], index=index)

    found, noisy = script.statistics(smooth), script.statistics(rough)

    assert found["daily range"] == pytest.approx(10.0)
    assert found["spread"] == pytest.approx(10.0 / 12**0.5, rel=0.01)
    assert noisy["noise"] > found["noise"] + 0.1
    assert found["lag-1 autocorrelation"] > 0.95


def test_report_says_plainly_what_falls_outside(script: ModuleType) -> None:
    """A series of twice the spread stands in the list of what is not met."""
    index = pd.date_range("2026-01-01", periods=3 * 288, freq="5min")
    real = pd.Series([float(i % 288) for i in range(len(index))], index=index)

    text = script.report([script.Pair("same", "degC", real, real), script.Pair("twice", "%", real, 2.0 * real)])

    assert "- twice, spread: 2.00 times the measured one" in text
    assert "- same" not in text
    assert "6 of 10 statistics" in text


def test_boxes_of_the_report_are_the_same_for_the_same_seed(script: ModuleType) -> None:
    """A greenhouse of two days, lit by day and dark in the evening; a pot that dries down."""
    boxes = sys.modules["realism_boxes"]
    start = datetime(2022, 2, 1)  # noqa: DTZ001 - local time, as the script is given

    first, second = (boxes.greenhouse_days(start, days=1, seed=3) for _ in range(2))
    soil = boxes.pot_dry_down(datetime(2020, 8, 6, 12), count=240, seed=3)  # noqa: DTZ001

    assert first == second
    assert len(first) == 288
    assert max(row[2] for row in first) > 200.0
    assert min(row[2] for row in first) == 0.0
    assert soil[-1] < soil[0] - 20.0
