"""Gates of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.data.processing.checks import CHECKS, HINDSIGHT_CHECKS, HISTORY_CHECKS, ORDER_CHECKS, outside_checks
from tests.data.processing.series import run, series

_GATE = """
from dt.utils.dataclasses import Quality, Verdict

def no_fever(sample):
    return Quality(verdict=Verdict.BAD, check="no_fever", why="too warm for me") if sample.value > 37.0 else None
"""


@pytest.fixture
def gate_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package with one gate, for as long as the test runs."""
    (tmp_path / "feverish.py").write_text(_GATE)
    info = tmp_path / "feverish-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: feverish\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dt.checks]\nno_fever = feverish:no_fever\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    outside_checks.cache_clear()
    yield
    outside_checks.cache_clear()


@pytest.mark.usefixtures("gate_of_another_package")
def test_gate_of_another_package_is_asked_too() -> None:
    """It is found by its entry point, and its worse verdict wins."""
    found = [r for r in run(series([20.0, 38.0])) if r.sensor_id == "air-t"]

    assert [r.quality.check for r in found if r.quality] == [None, "no_fever"]
    assert found[1].quality is not None
    assert found[1].quality.verdict == "bad"


def test_every_gate_is_named_as_its_file() -> None:
    """The name in a verdict leads to the file that gave it."""
    for check in (*CHECKS, *HISTORY_CHECKS, *ORDER_CHECKS, *HINDSIGHT_CHECKS):
        assert check.__module__ == f"dt.data.processing.checks.{check.__name__}"
