"""From the rig to the guard's configuration: outputs, what each plant may get a day, what each reservoir holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dt.controller.guard_types import (
    DEFAULT_DOSE_ML_PER_LITRE,
    Budget,
    Exclusion,
    GuardConfig,
    GuardConfigError,
    StopInput,
)
from dt.controller.kinds import make_actuators
from dt.controller.kinds.base_actuator import BaseActuator
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError
from dt.utils.rig import Rig, pin_number

GUARD_FOLDER = "guard"
CONFIG_FILE = "guard.json"
LEDGER_FILE = "ledger.sqlite"


def guard_folder(settings: Settings) -> Path:
    """Return where the guard's sockets, configuration and ledger are."""
    return (settings.data_dir / GUARD_FOLDER).absolute()


def guard_config(rig: Rig, folder: Path, actuators: Mapping[str, BaseActuator] | None = None) -> GuardConfig:
    """Return what the guard is told of a rig; raises ConfigError."""
    actuators = make_actuators(rig) if actuators is None else actuators
    try:
        return GuardConfig(
            outputs=tuple(actuator.output for actuator in actuators.values()),
            budgets=_budgets(rig, actuators),
            reservoirs=_reservoirs(actuators),
            ledger_path=str(folder / LEDGER_FILE),
            supplies={supply.name: supply.limit_w for supply in rig.supplies.values()},
            exclusions=tuple(Exclusion(heater=one.heater, fan=one.fan, above=one.above) for one in rig.exclusions),
            stop_input=_stop_input(rig),
        )
    except GuardConfigError as error:
        raise ConfigError(f"{rig.path}: {error}") from error


def write_guard_config(config: GuardConfig, folder: Path) -> Path:
    """Write the guard's configuration file and return its path."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / CONFIG_FILE
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(config.to_json(), encoding="utf-8")
    aside.replace(path)
    return path


def guard_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the guard process: which pins gpiozero drives."""
    if settings.hardware == "pi":
        return dict(os.environ)
    return os.environ | {"GPIOZERO_PIN_FACTORY": "wire", "WIRE_SOCKET": str(settings.wire_path.absolute())}


def _stop_input(rig: Rig) -> StopInput | None:
    button = rig.emergency_stop
    if button is None:
        return None
    return StopInput(pin=pin_number(button.pin), normally_closed=button.normally_closed)


def _budgets(rig: Rig, actuators: Mapping[str, BaseActuator]) -> dict[str, Budget]:
    budgets: dict[str, Budget] = {}
    for actuator in actuators.values():
        plant = rig.plants.get(actuator.descriptor.plant_id or "")
        if plant is None or not actuator.waters:
            continue
        asked_ml = actuator.number("max_ml_per_day", DEFAULT_DOSE_ML_PER_LITRE * plant.pot_volume_l)
        before = budgets.get(plant.plant_id)
        least_ml = asked_ml if before is None else min(asked_ml, before.ml_per_day)
        budgets[plant.plant_id] = Budget(ml_per_day=least_ml, pot_volume_l=plant.pot_volume_l)
    return budgets


def _reservoirs(actuators: Mapping[str, BaseActuator]) -> dict[str, float]:
    held: dict[str, float] = {}
    for actuator in actuators.values():
        name = actuator.output.reservoir
        if name is not None and "reservoir_ml" in actuator.options:
            ml = actuator.number("reservoir_ml", 0.0)
            held[name] = min(held.get(name, ml), ml)  # a NaN that comes first stays, and is refused by the guard
    return held
