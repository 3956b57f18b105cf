"""scripts/system_camera.py: when a Pi's virtual environment may see picamera2 of the system."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "system_camera.py"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return a virtual environment as `make` makes it."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False)
    return folder


def packages(folder: Path, **versions: str) -> Path:
    """Return a folder like Debian's dist-packages."""
    for name, version in versions.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        info = folder / f"{name}-{version}.egg-info"
        info.write_text(f"Metadata-Version: 1.2\nName: {name}\nVersion: {version}\n")
    folder.mkdir(exist_ok=True)
    return folder


def decide(environment: Path, dist_packages: Path, home: Path | None = None) -> tuple[int, str]:
    """Run the script; the environment's own Python counts as the system's."""
    base = home or Path(sys.base_prefix) / "bin"
    place = ["--venv", str(environment), "--dist-packages", str(dist_packages), "--system-home", str(base)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *place], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def sees_the_system(environment: Path) -> bool:
    """Return whether the environment's own Python looks beyond the environment for packages."""
    text = "import site; print([p for p in site.getsitepackages() if p.startswith(site.PREFIXES[-1])], site.PREFIXES)"
    done = subprocess.run(
        [environment / "bin" / "python", "-c", text], capture_output=True, text=True, timeout=60, check=True
    )
    return sys.base_prefix in done.stdout.partition("]")[2].replace(str(environment), "")


def test_trixies_picamera2_is_seen(environment: Path, tmp_path: Path) -> None:
    """It is built for numpy 2, and any numpy 2 in front of it serves."""
    code, said = decide(environment, packages(tmp_path / "dist-packages", picamera2="0.3.31", numpy="2.2.4"))

    assert code == 0
    assert "picamera2 of the system" in said
    assert sees_the_system(environment)


def test_bookworms_picamera2_is_not(environment: Path, tmp_path: Path) -> None:
    """It is built for numpy 1, and two numpys do not fit into one process."""
    code, said = decide(environment, packages(tmp_path / "dist-packages", picamera2="0.3.27", numpy="1.24.2"))

    assert code == 0
    assert "rpicam-still; this system's picamera2 needs its numpy 1.24.2" in said
    assert not sees_the_system(environment)


def test_without_picamera2_its_package_is_named(environment: Path, tmp_path: Path) -> None:
    """A Lite image has none."""
    code, said = decide(environment, packages(tmp_path / "dist-packages", numpy="2.2.4"))

    assert code == 0
    assert "sudo apt install python3-picamera2" in said


def test_another_python_than_the_systems_is_kept_apart(environment: Path, tmp_path: Path) -> None:
    """Compiled packages of apt fit the system's Python alone."""
    found = packages(tmp_path / "dist-packages", picamera2="0.3.31", numpy="2.2.4")

    _, said = decide(environment, found, home=tmp_path / "bin")

    assert "alone" in said
    assert not sees_the_system(environment)


def test_an_environment_is_closed_again(environment: Path, tmp_path: Path) -> None:
    """After an upgrade of the system; nothing else in its settings changes."""
    before = (environment / "pyvenv.cfg").read_text()
    decide(environment, packages(tmp_path / "new", picamera2="0.3.31", numpy="2.2.4"))

    decide(environment, packages(tmp_path / "old", picamera2="0.3.27", numpy="1.24.2"))

    assert sorted((environment / "pyvenv.cfg").read_text().splitlines()) == sorted(before.splitlines())


def test_a_folder_that_is_no_environment_is_exit_code_1(tmp_path: Path) -> None:
    """One line says so."""
    code, said = decide(tmp_path, tmp_path)

    assert code == 1
    assert "no virtual environment" in said
