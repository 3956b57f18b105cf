"""What one check of the doctor says, and what it looks at."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError
from dt.utils.hardware import is_simulated


class Finding(StrEnum):
    """How a check ended; only `failed` makes `dt doctor` fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report; what is not fine carries its remedy."""

    name: str
    finding: Finding
    detail: str
    remedy: str = ""


class Runner(Protocol):
    """Runs a program of the machine."""

    def __call__(self, command: Sequence[str], timeout_s: float = 5.0) -> str | None:
        """Return what it printed, on stdout and stderr; None when it is missing, takes longer, or fails in silence."""
        ...


def run_program(command: Sequence[str], timeout_s: float = 5.0) -> str | None:
    """Run a program of this machine, as `Runner` says."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, errors="replace", timeout=timeout_s, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode != 0 and not done.stdout.strip() else done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine: its files below `root`, and its programs."""

    root: Path = Path("/")
    run: Runner = run_program

    def path(self, name: str) -> Path:
        """Return where one of its files is: `/etc/os-release`."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """Return what one of its files says, or None when it cannot be read."""
        try:
            return self.path(name).read_text("utf-8", "replace").strip("\0\n ")
        except OSError:
            return None

    @property
    def model(self) -> str | None:
        """Return which Raspberry Pi it is, or None for any other machine."""
        model = self.text("/proc/device-tree/model")
        return model if model and "Raspberry Pi" in model else None

    @property
    def boot_config(self) -> str:
        """Return the firmware's settings; since Bookworm they are under /boot/firmware."""
        return self.text("/boot/firmware/config.txt") or self.text("/boot/config.txt") or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What the checks look at: the settings, where each came from, and the machine."""

    settings: Settings
    origins: dict[str, str]
    machine: Machine = field(default_factory=Machine)


def why_no_pi_pins(patient: Patient) -> str | None:
    """Return why the rig is not on this Pi's own pins, or None when it is."""
    try:
        if is_simulated(patient.settings, patient.machine.path("/proc/device-tree/model")):
            return "the rig is simulated"
    except ConfigError:
        return "HARDWARE is not chosen"
    return None if patient.machine.model else "this machine is no Raspberry Pi"


def fine(name: str, detail: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name=name, finding=Finding.OK, detail=detail)


def failed(name: str, detail: str, remedy: str) -> Check:
    """Return a check that found what keeps the product from running."""
    return Check(name=name, finding=Finding.FAILED, detail=detail, remedy=remedy)


def warned(name: str, detail: str, remedy: str) -> Check:
    """Return a check that found what may bite later."""
    return Check(name=name, finding=Finding.WARNING, detail=detail, remedy=remedy)


def skipped(name: str, why: str) -> Check:
    """Return a check that does not apply here."""
    return Check(name=name, finding=Finding.SKIPPED, detail=why)


def device_params(config: str) -> dict[str, str]:
    r"""Return the `dtparam`s of a config.txt, the last of each; `i2c` and `i2c_arm` are one.

    >>> device_params("dtparam=i2c_arm=on,spi=on\n#dtparam=i2s=on\n[pi5]\ndtparam=strict_gpiod")
    {'i2c_arm': 'on', 'spi': 'on', 'strict_gpiod': 'on'}
    """
    found: dict[str, str] = {}
    for line in config.splitlines():
        name, _, value = line.split("#", 1)[0].strip().partition("=")
        if name == "dtparam":
            for part in value.split(","):
                param, _, setting = part.strip().partition("=")
                found["i2c_arm" if param == "i2c" else param] = setting.strip() or "on"
    return found
