"""Schemathesis over the whole facade: no 5xx, and every answer as the document says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_no_request_made_of_the_document_breaks_the_service() -> None:
    """`make fuzz-api` does the same for longer."""
    done = subprocess.run(
        [sys.executable, "scripts/fuzz_api.py", "--seconds", "25"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-8000:]
    assert "No issues found" in done.stdout
