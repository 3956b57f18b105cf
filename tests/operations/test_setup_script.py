"""scripts/setup.sh: says what it would do, refuses wrong use, and is clean to shellcheck."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup.sh"


def setup(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(["bash", str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def _on_debian() -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("this machine is no Debian or Ubuntu")


@pytest.mark.usefixtures("_on_debian")
@pytest.mark.parametrize("profile", ["dev", "rpi", "db", "spark", "naked", "ai"])
def test_a_dry_run_ends_with_the_profiles_own_make_target(profile: str) -> None:
    """Nothing is changed, everything is said."""
    done = setup("--dry-run", "--profile", profile)

    assert done.returncode == 0, done.stderr
    assert f"install-{profile}" in done.stdout.splitlines()[-2]
    assert "would run: make" in done.stdout


@pytest.mark.usefixtures("_on_debian")
def test_the_profile_of_a_pi_brings_its_packages_on_any_machine() -> None:
    """Tools for bus, pins and camera, and what compiles RPi.GPIO; the other profiles do without the Pi's."""
    pi, dev = setup("--dry-run", "--profile", "rpi").stdout, setup("--dry-run", "--profile", "dev").stdout

    for package in ("gpiod", "rpicam-apps", "python3-picamera2"):
        assert package in pi
        assert package not in dev


@pytest.mark.parametrize("arguments", [["--profile"], ["--profile", "garden"], ["--fast"]])
def test_wrong_use_exits_2(arguments: list[str]) -> None:
    """The message points at --help."""
    done = setup(*arguments)

    assert done.returncode == 2
    assert "see --help" in done.stderr


def test_help_names_the_profiles() -> None:
    """What can be chosen stands in the help text."""
    assert "dev rpi db spark naked ai" in setup("--help").stdout


def test_shellcheck_finds_nothing() -> None:
    """Quoting mistakes are found before they delete something."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")

    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout
