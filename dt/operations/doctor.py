"""`dt doctor`: goes through everything that usually goes wrong."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from dt.operations.checkup import Check, Finding, Machine, Patient, failed, fine
from dt.operations.doctor_bus import BUS_CHECKS, STUCK
from dt.operations.doctor_camera import CAMERA_CHECKS
from dt.operations.doctor_influx import INFLUX_CHECKS
from dt.operations.doctor_machine import MACHINE_CHECKS, PATIENT_CHECKS
from dt.operations.doctor_pi import PI_CHECKS
from dt.operations.doctor_pins import PIN_CHECKS
from dt.operations.doctor_stack import STACK_CHECKS
from dt.operations.doctor_storage import STORAGE_CHECKS
from dt.operations.doctor_try_pin import try_pin
from dt.utils.config import load_settings, origins_of
from dt.utils.exceptions import ConfigError, MessageError

LONGEST_CHECK_S = 10.0
_LONGEST_TRIAL_S = 30.0
_STUCK: dict[str, str] = {
    "bus": STUCK,
    "camera": "seat the ribbon; rpicam-hello --list-cameras shows whether the camera answers",
}


def examine(
    env_file: str | Path | None = ".env", machine: Machine | None = None, trial_pin: str | None = None
) -> Iterator[Check]:
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
    patient = Patient(settings=settings, origins=origins, machine=machine or Machine())
    for check in CHECKS:
        yield within(LONGEST_CHECK_S, name_of(check), lambda check=check: check(patient))  # type: ignore[misc]
    if trial_pin is not None:
        yield within(_LONGEST_TRIAL_S, "try-pin", lambda: try_pin(patient, trial_pin))


CHECKS: tuple[Callable[[Patient], Check], ...] = (
    *PI_CHECKS,
    *STORAGE_CHECKS,
    *PATIENT_CHECKS,
    *STACK_CHECKS,
    *INFLUX_CHECKS,
    *BUS_CHECKS,
    *PIN_CHECKS,
    *CAMERA_CHECKS,
)


def within(seconds: float, name: str, check: Callable[[], Check]) -> Check:
    """Return what a check finds, or a failure when it takes longer; a hung one is left behind on its thread."""
    results: queue.SimpleQueue[Check | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put(check())
        except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
            results.put(error)

    threading.Thread(target=run, name=f"doctor {name}", daemon=True).start()
    try:
        result = results.get(timeout=seconds)
    except queue.Empty:
        remedy = _STUCK.get(name, "look into the log of the part that is named, and try again")
        return failed(name, f"no answer within {seconds:g} s", remedy)
    if isinstance(result, ConfigError | MessageError):
        return failed(name, str(result), "correct what is named in rig.toml or the settings")
    if isinstance(result, Exception):
        detail = f"the check itself failed: {type(result).__name__}: {result}"
        return failed(name, detail, "please report this with the output of dt doctor --json")
    return result


def name_of(check: Callable[[Patient], Check]) -> str:
    """Return the name under which a check reports."""
    return check.__name__.removeprefix("check_")


def is_healthy(checks: list[Check]) -> bool:
    """Return whether nothing failed."""
    return all(check.finding is not Finding.FAILED for check in checks)
