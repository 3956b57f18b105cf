#!/usr/bin/env python3
"""Write the table of notes/faults.md from what the fault tests see: one minute, no server needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("actuator_faults", "field_faults", "host_faults", "sudden_ends", "table_of_faults")


def main() -> int:
    """Run the tests that fill the table, which write it when all of them pass."""
    tests = [f"tests/faults/test_{name}.py" for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", *tests]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"DT_FAULT_TABLE": "write"}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
