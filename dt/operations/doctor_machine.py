"""Checks of what is installed and chosen: Python, packages, folders, Java, HARDWARE, the rig file."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from dt.collector.rig_check import check_kinds
from dt.operations.broker import OwnBroker
from dt.operations.checkup import Check, Patient, failed, fine, skipped, warned
from dt.operations.plan import rig_file_of
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.hardware import is_simulated
from dt.utils.rig import load_rig

OLDEST_PYTHON = (3, 11)
OLDEST_JAVA = 17
_DRIVERS = ("adafruit_dht", "adafruit_bh1750", "adafruit_seesaw", "board")
_PI_MODULES = ("lgpio", "gpiod")
_INSTALL = "make install-dev (or another profile of the Makefile)"


def check_python() -> Check:
    """Look for a Python that is new enough."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return failed(
            "python", f"{version} is too old", "install Python 3.11 or newer, remove .venv, then make install-dev"
        )
    return fine("python", f"{version} at {sys.prefix}")


def check_packages() -> Check:
    """Look for every package that the product depends on."""
    try:
        wanted = importlib.metadata.requires("plant-twin") or []
    except importlib.metadata.PackageNotFoundError:
        return failed("packages", "plant-twin is not installed in this environment", _INSTALL)
    missing = [name for name in map(_name_of, wanted) if not _is_installed(name)]
    if missing:
        return failed("packages", f"missing: {', '.join(missing)}", _INSTALL)
    drivers = [module for module in _DRIVERS if importlib.util.find_spec(module) is None]
    if drivers:
        remedy = "make install-rpi or install-dev where sensors are read; a data node needs none"
        return warned("packages", f"sensor drivers are missing: {', '.join(drivers)}", remedy)
    return fine("packages", f"{len(wanted)} packages and the sensor drivers are installed")


def check_folders(patient: Patient) -> Check:
    """Write into DATA_DIR and LOG_DIR."""
    for name, folder in (("DATA_DIR", patient.settings.data_dir), ("LOG_DIR", patient.settings.log_dir)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            why = f"{name}: {folder} cannot be written: {error.strerror}"
            return failed("folders", why, f"sudo chown -R $USER {folder.absolute()}, or set {name} to another folder")
    return fine("folders", f"{patient.settings.data_dir.absolute()} and {patient.settings.log_dir.absolute()}")


def check_java(patient: Patient, program: str = "java") -> Check:
    """Look for the Java that a broker of our own needs."""
    if patient.settings.messaging == "memory" or OwnBroker.of(patient.settings) is None:
        return skipped("java", "the broker runs elsewhere")
    remedy = "sudo apt-get install openjdk-17-jre-headless"
    java = _java(program)
    if java is None:
        return failed("java", "no Java found", remedy)
    version = java_version(java)
    if version is None:
        return failed("java", f"{java} does not tell its version", remedy)
    if version < OLDEST_JAVA:
        return failed("java", f"{java} is Java {version}; Kafka needs {OLDEST_JAVA} or newer", remedy)
    return fine("java", f"Java {version}")


def check_hardware(patient: Patient) -> Check:
    """Look whether HARDWARE is chosen where it has to be, and whether a Pi's libraries are there."""
    try:
        if is_simulated(patient.settings, patient.machine.path("/proc/device-tree/model")):
            return fine("hardware", "simulated plant box")
    except ConfigError as error:
        return failed(
            "hardware", str(error), "HARDWARE=pi in .env for this Pi's own sensors, HARDWARE=simulated otherwise"
        )
    if patient.machine.model is None:
        remedy = "HARDWARE=simulated here; HARDWARE=pi is for the Raspberry Pi with the sensors"
        return failed("hardware", "HARDWARE is pi, but this machine is no Raspberry Pi", remedy)
    missing = [name for name in _PI_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        return failed("hardware", f"missing for the pins: {', '.join(missing)}", "make install-rpi")
    return fine("hardware", f"this Pi's own, pins by {os.environ.get('GPIOZERO_PIN_FACTORY', 'lgpio')}")


def check_rig(patient: Patient) -> Check:
    """Read the rig file and look for the kinds that it names."""
    try:
        rig = load_rig(rig_file_of(patient.settings))
        check_kinds(rig)
    except (ConfigError, MessageError) as error:
        return failed("rig", str(error), "correct the line that is named, or set RIG_FILE to another rig")
    counts = f"{len(rig.plants)} plants, {len(rig.sensors)} sensors, {len(rig.actuators)} actuators"
    return fine("rig", f"{rig.path}: {counts}")


MACHINE_CHECKS: tuple[Callable[[], Check], ...] = (check_python, check_packages)
PATIENT_CHECKS: tuple[Callable[[Patient], Check], ...] = (
    check_folders,
    check_java,
    check_hardware,
    check_rig,
)


def java_version(program: str) -> int | None:
    """Return a Java's major version: 17 of `17.0.15`, 8 of `1.8.0_392`."""
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if found else None


def _java(program: str) -> str | None:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / program).exists():
        return str(Path(home) / "bin" / program)
    return shutil.which(program)


def _name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return found[0] if found else requirement


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
