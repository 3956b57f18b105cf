"""The guard's ledger out of a backup: it knows nothing of the time since, and must grant nothing for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from dt.controller.guard_clock import SystemGuardClock
from dt.controller.guard_types import RESERVOIR_CEILING_ML
from dt.controller.ledger import Ledger
from dt.controller.rig_limits import guard_config
from dt.operations.archive import BackupError
from dt.utils.exceptions import ConfigError
from dt.utils.rig import load_rig


def distrust_ledger(path: Path, rig_file: Path | None) -> None:
    """Charge every plant a whole day's water and every reservoir its content, and latch the emergency stop.

    So no rolling 24 h holds two doses (S3); a person releases the stop and reports a refill, as after a lost ledger.
    """
    try:
        plants, reservoirs = _budgets(path, rig_file)
        with closing(Ledger(path, SystemGuardClock())) as ledger:
            ledger.distrust(plants, reservoirs)
    except sqlite3.Error as error:
        raise BackupError(f"{path.name}: is no ledger: {error}") from error


def _budgets(path: Path, rig_file: Path | None) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Return what the rig allows; of what stands in the ledger alone, more than any rig may allow."""
    with closing(sqlite3.connect(path)) as db:
        plants = {row[0]: RESERVOIR_CEILING_ML for row in db.execute("SELECT DISTINCT plant_id FROM entries") if row[0]}
        rows = db.execute("SELECT DISTINCT reservoir FROM entries")
        reservoirs = {row[0]: RESERVOIR_CEILING_ML for row in rows if row[0]}
    if rig_file is None:
        return plants, reservoirs
    try:
        config = guard_config(load_rig(rig_file), path.parent)
    except ConfigError:  # a rig that no service accepts moves nothing either
        return plants, reservoirs
    own = {plant_id: budget.ml_per_day for plant_id, budget in config.budgets.items()}
    return plants | own, reservoirs | dict(config.reservoirs)
