"""The safety case says what code and tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import make_safety_case

SHORT = "def test_s02_s12_a_pause_holds() -> None: ...\n"


def test_the_page_is_not_stale() -> None:
    """Every invariant has code and tests, and the page names them."""
    assert make_safety_case.main(["--check"]) == 0


def test_tests_are_found_by_their_names(tmp_path: Path) -> None:
    """One test may stand for several invariants."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_pauses.py").write_text(SHORT)

    found = make_safety_case.tests_of(tmp_path)

    assert dict(found) == {n: [("test_pauses.py", "test_s02_s12_a_pause_holds")] for n in (2, 12)}


def test_a_stale_page_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures may differ, the rest may not."""
    page = tmp_path / "safety-case.md"
    page.write_text("# Safety case\n")

    assert make_safety_case.main(["--check"], page) == 1
    assert "make safety-case" in capsys.readouterr().err
