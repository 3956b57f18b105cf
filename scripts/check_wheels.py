#!/usr/bin/env python3
"""Checks that all that `make install-rpi` installs comes as wheels for 64-bit Raspberry Pi OS.

uv resolves main, rpi, db and usb-camera with constraints.txt as a Pi would (its markers, its C library) and installs
nothing. RPi.GPIO has no wheel at all and is compiled on the Pi.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.13")  # of Raspberry Pi OS 12 (Bookworm) and 13 (Trixie)
PLATFORM = "aarch64-manylinux_2_36"  # Bookworm's glibc; Trixie's is newer
GROUPS = ("rpi", "db", "usb-camera")
COMPILED = frozenset({"rpi-gpio"})
_MOST_ROUNDS = 50
_WHEELLESS = re.compile(r"Because (?:all of\s+)?([A-Za-z0-9._-]+)[^\n]*?\b(?:has|have) no (?:usable )?wheels")
_PINNED = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one Python would get: how many wheels, what has none, what is not pinned, what else went wrong."""

    wheels: tuple[str, ...] = ()
    wheelless: tuple[str, ...] = ()
    unpinned: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_fine(self) -> bool:
        """Return whether all is pinned, and nothing but what is known to be compiled lacks a wheel."""
        return not self.error and not self.unpinned and set(self.wheelless) <= COMPILED


def main(arguments: list[str] | None = None) -> int:
    """Print one line per Python; return 1 when a wheel is missing."""
    options = _parser().parse_args(arguments)
    outcomes = {python: check(options.project, python) for python in options.python or PYTHONS}
    for python, outcome in outcomes.items():
        print(f"Python {python}, {PLATFORM}: {_said(outcome)}")
    return 0 if all(outcome.is_fine for outcome in outcomes.values()) else 1


def check(project: Path, python: str) -> Outcome:
    """Resolve, leave out what has no wheel, and resolve again until all such packages are known."""
    wheelless: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        done = _resolve(project, python, wheelless)
        if done.returncode == 0:
            wheels = _PINNED.findall(done.stdout)
            unpinned = sorted(set(wheels) - _pinned_in(project))
            return Outcome(wheels=tuple(wheels), wheelless=tuple(sorted(wheelless)), unpinned=tuple(unpinned))
        found = {name.lower() for name in _WHEELLESS.findall(" ".join(done.stderr.split()))} - wheelless
        if not found:
            return Outcome(wheelless=tuple(sorted(wheelless)), error=done.stderr.strip())
        wheelless |= found
    return Outcome(wheelless=tuple(sorted(wheelless)), error="too many packages without a wheel")


def _resolve(project: Path, python: str, without: set[str]) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        left_out = Path(folder) / "left-out.txt"
        left_out.write_text("".join(f"{name}\n" for name in sorted(without)))
        command = [
            _uv(), "pip", "compile", "pyproject.toml", "--constraints", "constraints.txt", "--excludes", str(left_out),
            "--python-platform", PLATFORM, "--python-version", python, "--only-binary", ":all:",
            "--no-header", "--no-annotate", "--no-python-downloads", "--quiet", "--color", "never",
        ]  # fmt: skip
        command += [part for group in GROUPS for part in ("--group", group)]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=110, check=False)


def _pinned_in(project: Path) -> set[str]:
    text = (project / "constraints.txt").read_text("utf-8").lower()
    return {re.sub(r"[-_.]+", "-", line.partition("==")[0]) for line in text.splitlines() if "==" in line}


def _uv() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "uv")


def _said(outcome: Outcome) -> str:
    missing = sorted(set(outcome.wheelless) - COMPILED)
    if missing:
        return f"no wheel of {', '.join(missing)}"
    if outcome.error:
        return f"cannot be resolved\n{outcome.error}"
    if outcome.unpinned:
        return f"not pinned in constraints.txt: {', '.join(outcome.unpinned)}"
    compiled = f", compiled on the Pi: {', '.join(outcome.wheelless)}" if outcome.wheelless else ""
    return f"{len(outcome.wheels)} wheels{compiled}"


def _project(text: str) -> Path:
    path = Path(text)
    missing = [name for name in ("pyproject.toml", "constraints.txt") if not (path / name).is_file()]
    if missing:
        raise argparse.ArgumentTypeError(f"{text} has no {' and no '.join(missing)}")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Check that all that make install-rpi installs comes as wheels.")
    parser.add_argument("--project", type=_project, default=ROOT, help="folder of pyproject.toml and constraints.txt")
    parser.add_argument(
        "--python", action="append", help=f"3.11 and the like; repeatable (default: {', '.join(PYTHONS)})"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
