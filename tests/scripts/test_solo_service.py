"""scripts/solo_service.sh: prints a unit that systemd takes, refuses wrong use, and is clean to shellcheck."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "solo_service.sh"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run([str(SCRIPT), *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_the_unit_runs_this_checkout_on_the_pis_own_pins(tmp_path: Path) -> None:
    """A wrong setting is not tried again; a failure is."""
    done = run("print")

    assert done.returncode == 0, done.stderr
    assert f"ExecStart={ROOT}/.venv/bin/dt solo" in done.stdout
    assert "Environment=HARDWARE=pi" in done.stdout
    assert "Restart=on-failure\nRestartSec=2\nRestartPreventExitStatus=2" in done.stdout
    checker = shutil.which("systemd-analyze")
    if checker is not None and (ROOT / ".venv" / "bin" / "dt").exists():
        unit = tmp_path / "plant-twin.service"
        unit.write_text(done.stdout)
        checked = subprocess.run([checker, "verify", str(unit)], capture_output=True, text=True, check=False)
        assert "plant-twin" not in checked.stderr, checked.stderr


def test_the_guards_unit_is_watched_by_systemd(tmp_path: Path) -> None:
    """It says when it is ready, and is started again when it no longer says that it lives."""
    done = run("print-guard")

    assert done.returncode == 0, done.stderr
    for line in ("Type=notify", "WatchdogSec=2", "Restart=always", "Before=plant-twin.service"):
        assert f"\n{line}\n" in done.stdout
    assert "--config ${DATA_DIR}/guard/guard.json --socket-dir ${DATA_DIR}/guard\n" in done.stdout
    checker = shutil.which("systemd-analyze")
    if checker is not None and (ROOT / ".venv" / "bin" / "python").exists():
        unit = tmp_path / "plant-twin-guard.service"
        unit.write_text(done.stdout)
        checked = subprocess.run([checker, "verify", str(unit)], capture_output=True, text=True, check=False)
        assert "plant-twin-guard" not in checked.stderr, checked.stderr


@pytest.mark.parametrize("arguments", [[], ["start"], ["--force"]])
def test_wrong_use_exits_2(arguments: list[str]) -> None:
    """Usage is shown."""
    done = run(*arguments)

    assert done.returncode == 2
    assert "Usage: solo_service.sh" in done.stderr


def test_the_script_is_clean() -> None:
    """Shell has too many traps to go unchecked."""
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("shellcheck is not installed")

    checked = subprocess.run([checker, str(SCRIPT)], capture_output=True, text=True, check=False)

    assert checked.stdout == ""
