"""scripts/check_wheels.py: what a Raspberry Pi would have to compile is named; by uv itself, on packages made here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "check_wheels.py"
PROJECT = """[project]
name = "pots"
version = "1"
requires-python = ">=3.11"
dependencies = ["leaf"]

[dependency-groups]
rpi = ["root; platform_machine == 'aarch64'", "stem; python_version >= '3.13'"]
db = []
usb-camera = []
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (Path(sysconfig.get_path("scripts")) / "uv").is_file(), reason="uv is not installed: make install-dev"
    ),
]


def metadata(name: str) -> str:
    """Return the metadata of version 1 of a package."""
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"


def wheel(folder: Path, name: str, tag: str) -> None:
    """Put a wheel into a folder."""
    info = f"{name}-1.dist-info"
    files = {
        f"{name}.py": b"",
        f"{info}/METADATA": metadata(name).encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    rows = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}")
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]).encode()
    with zipfile.ZipFile(folder / f"{name}-1-{tag}.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)


def source(folder: Path, name: str) -> None:
    """Put a source distribution into a folder."""
    with tarfile.open(folder / f"{name}-1.tar.gz", "w:gz") as archive:
        for path, text in ((f"{name}-1/PKG-INFO", metadata(name)), (f"{name}-1/setup.py", "import no_such_module\n")):
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


def check(tmp_path: Path, constraints: str = "leaf==1\nroot==1\nstem==1\n") -> subprocess.CompletedProcess[str]:
    """Run the script on the project of this test, with nothing but the packages of this test."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "constraints.txt").write_text(constraints)
    local = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(tmp_path), "UV_NO_CACHE": "1", "UV_OFFLINE": "1"}
    command = [sys.executable, str(SCRIPT), "--project", str(tmp_path)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env={**os.environ, **local}
    )


def test_wheels_of_a_pis_own_machine_are_enough(tmp_path: Path) -> None:
    """Markers are those of a Pi, not of the machine that checks; each Python has its own."""
    wheel(tmp_path, "leaf", "py3-none-any")
    wheel(tmp_path, "root", "py3-none-manylinux_2_28_aarch64")
    wheel(tmp_path, "stem", "cp313-cp313-manylinux2014_aarch64")

    done = check(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == ["2 wheels", "3 wheels"]


def test_every_package_without_a_wheel_is_named_and_none_is_built(tmp_path: Path) -> None:
    """One has its source alone, one a wheel for another machine, one for another Python."""
    source(tmp_path, "leaf")
    wheel(tmp_path, "root", "py3-none-manylinux_2_28_x86_64")
    wheel(tmp_path, "stem", "cp312-cp312-manylinux2014_aarch64")

    done = check(tmp_path)

    assert done.returncode == 1
    old, new = done.stdout.splitlines()
    assert old.endswith("no wheel of leaf, root")
    assert new.endswith("no wheel of leaf, root, stem")


def test_what_is_not_pinned_is_named(tmp_path: Path) -> None:
    """constraints.txt has to say each version."""
    for name in ("leaf", "root", "stem"):
        wheel(tmp_path, name, "py3-none-any")

    done = check(tmp_path, "leaf==1\nroot==1\n")

    assert done.returncode == 1
    assert "not pinned in constraints.txt: stem" in done.stdout


def test_versions_that_contradict_each_other_are_no_missing_wheel(tmp_path: Path) -> None:
    """What the resolver said is shown."""
    for name in ("leaf", "root", "stem"):
        wheel(tmp_path, name, "py3-none-any")

    done = check(tmp_path, "leaf==2\nroot==1\nstem==1\n")

    assert done.returncode == 1
    assert "cannot be resolved" in done.stdout
    assert "leaf" in done.stdout


def test_the_board_of_a_pi_needs_nothing_beyond_what_a_pi_gets() -> None:
    """Blinka's pins of a Pi 4 and a Pi 5, and the DHT22's pulse input, import only packages of main, rpi and db."""
    spec = spec_from_file_location("check_wheels", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    outcome = module.check(ROOT, "3.11")
    assert outcome.is_fine, outcome

    for board in ("RASPBERRY_PI_4B", "RASPBERRY_PI_5"):
        forced = {"BLINKA_FORCEBOARD": board, "BLINKA_FORCECHIP": "BCM2XXX"}
        text = (
            "import json, sys; before = set(sys.modules); import board, adafruit_dht, "
            "adafruit_blinka.microcontroller.bcm283x.pulseio.PulseIn; board.D4, board.I2C\n"
            "from importlib.metadata import packages_distributions\n"
            "owners = packages_distributions()\n"
            "print(json.dumps([n for m in set(sys.modules) - before for n in owners.get(m.partition('.')[0], [])]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, **forced},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        used = {name.lower().replace("_", "-") for name in json.loads(done.stdout)}
        assert "gpiod" in used
        assert used <= {*outcome.wheels, "plant-twin"}


def test_a_folder_that_is_no_project_is_wrong_use(tmp_path: Path) -> None:
    """Exit code 2 and one sentence, no traceback."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--project", str(tmp_path / "none")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("none has no pyproject.toml and no constraints.txt")
