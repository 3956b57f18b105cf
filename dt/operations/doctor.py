"""`dt doctor`: goes through everything that usually goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dt.operations.checkup import Check, Finding, Patient, failed, fine
from dt.operations.doctor_machine import MACHINE_CHECKS, PATIENT_CHECKS
from dt.operations.doctor_stack import STACK_CHECKS
from dt.utils.config import load_settings, origins_of
from dt.utils.exceptions import ConfigError


def examine(env_file: str | Path | None = ".env") -> Iterator[Check]:
    """Yield one check after the other; wrong settings end the examination, for all else rests on them."""
    for machine_check in MACHINE_CHECKS:
        yield machine_check()
    try:
        settings = load_settings(env_file)
    except ConfigError as error:
        yield failed(
            "settings", str(error), "correct the variable in the environment or in .env; dt settings lists all"
        )
        return
    origins = origins_of(settings, env_file)
    changed = sum(origin != "default" for origin in origins.values())
    yield fine("settings", f"{changed} of {len(origins)} are set, the others have their defaults")
    patient = Patient(settings=settings, origins=origins)
    for check in (*PATIENT_CHECKS, *STACK_CHECKS):
        yield check(patient)


def is_healthy(checks: list[Check]) -> bool:
    """Return whether nothing failed."""
    return all(check.finding is not Finding.FAILED for check in checks)
