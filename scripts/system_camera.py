#!/usr/bin/env python3
"""Lets the virtual environment of a Raspberry Pi see picamera2 of Raspberry Pi OS, where that can work.

picamera2 and libcamera come by apt alone. They are built for the system's Python and for the major version of its
numpy: 1 in Bookworm, 2 in Trixie. The product needs numpy 2, and two numpys do not fit into one process.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from pathlib import Path

NUMPY_MAJOR = 2
_SWITCH = "include-system-site-packages"


def main(arguments: list[str] | None = None) -> int:
    """Open or close the environment to the system's packages and say why; return 1 when there is no environment."""
    options = _parser().parse_args(arguments)
    config = options.venv / "pyvenv.cfg"
    if not config.is_file():
        sys.stderr.write(f"system_camera: {options.venv} is no virtual environment\n")
        return 1
    obstacle = why_not(options.dist_packages, options.system_home, settings_of(config))
    print("camera: picamera2 of the system" if obstacle is None else f"camera: rpicam-still; {obstacle}")
    _set(config, is_open=obstacle is None)
    return 0


def why_not(dist_packages: Path, system_home: Path, venv: dict[str, str]) -> str | None:
    """Return what keeps picamera2 out of an environment, or None when nothing does."""
    versions = {
        (found.metadata["Name"] or "").lower(): found.version
        for found in importlib.metadata.distributions(path=[str(dist_packages)])
    }
    if not (dist_packages / "picamera2").is_dir():
        return "picamera2 is not installed (sudo apt install python3-picamera2)"
    if Path(venv.get("home", "")) != system_home:
        return (
            f"picamera2 works with {system_home}/python3 alone, and this environment's Python is in {venv.get('home')}"
        )
    numpy = versions.get("numpy", "none")
    if numpy.partition(".")[0] != str(NUMPY_MAJOR):
        return f"this system's picamera2 needs its numpy {numpy}, the product needs numpy {NUMPY_MAJOR}"
    return None


def settings_of(config: Path) -> dict[str, str]:
    """Return the settings of a pyvenv.cfg."""
    pairs = (line.partition("=") for line in config.read_text("utf-8").splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _set(config: Path, *, is_open: bool) -> None:
    lines = [line for line in config.read_text("utf-8").splitlines() if line.partition("=")[0].strip() != _SWITCH]
    config.write_text("\n".join([*lines, f"{_SWITCH} = {'true' if is_open else 'false'}"]) + "\n", "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Let the virtual environment see picamera2 of Raspberry Pi OS.")
    parser.add_argument("--venv", type=Path, default=Path(".venv"), help="default: %(default)s")
    parser.add_argument(
        "--dist-packages", type=Path, default=Path("/usr/lib/python3/dist-packages"), help="default: %(default)s"
    )
    parser.add_argument("--system-home", type=Path, default=Path("/usr/bin"), help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
