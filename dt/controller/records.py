"""What people decided: grants and policies, on disk; and the plants as rig and registry know them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dt.utils.clock import Clock
from dt.utils.dataclasses import Grant, Plant, RegistryRecord
from dt.utils.exceptions import ConfigError, DTError
from dt.utils.logger import get_logger

DEFAULT_POLICY = "recommendation"

log = get_logger(__name__)


class PlantBook:
    """The plants of the rig, with the limits that the registry last announced."""

    def __init__(self, plants: Mapping[str, Plant]) -> None:
        self._plants = dict(plants)
        self._lock = threading.Lock()

    def see(self, record: RegistryRecord) -> None:
        """Take a plant's record from `dt.registry`; raises MessageError for one that is no plant."""
        if record.kind != "plant":
            return
        plant = Plant.from_dict(record.body)
        with self._lock:
            if plant.plant_id in self._plants:  # plants without an actuator here are not our concern
                self._plants[plant.plant_id] = plant

    def get(self, plant_id: str | None) -> Plant | None:
        """Return a plant, or None."""
        with self._lock:
            return self._plants.get(plant_id or "")


class Decisions:
    """Grants by actuator and policies by plant, in one JSON file that is replaced whole."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        saved = self._load()
        self._grants = {name: Grant.from_dict(body) for name, body in saved.get("grants", {}).items()}
        self._policies: dict[str, dict[str, Any]] = saved.get("policies", {})

    def grant(self, grant: Grant) -> None:
        """Let policies use an actuator on their own."""
        with self._lock:
            self._grants[grant.actuator_id] = grant
            self._save()

    def withdraw(self, actuator_id: str) -> bool:
        """Take a grant back; False when there was none."""
        with self._lock:
            was_granted = self._grants.pop(actuator_id, None) is not None
            self._save()
        return was_granted

    def grant_of(self, actuator_id: str) -> Grant | None:
        """Return the grant that holds now, or None."""
        with self._lock:
            grant = self._grants.get(actuator_id)
        now = self._clock.wall()
        if grant is None or (grant.until is not None and now >= grant.until):
            return None
        return grant

    def policy_of(self, plant_id: str) -> dict[str, Any]:
        """Return a plant's policy: its name and whether it is enabled."""
        with self._lock:
            chosen = self._policies.get(plant_id, {})
        return {"plant_id": plant_id, "policy": DEFAULT_POLICY, "enabled": True, **chosen}

    def set_policy(self, plant_id: str, *, policy: str, enabled: bool) -> None:
        """Choose a plant's policy."""
        with self._lock:
            self._policies[plant_id] = {"policy": policy, "enabled": enabled}
            self._save()

    def _load(self) -> dict[str, Any]:
        try:
            saved = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self._path}: {error}") from error
        return saved if isinstance(saved, dict) else {}

    def _save(self) -> None:
        body = {
            "grants": {name: grant.to_dict() for name, grant in self._grants.items()},
            "policies": self._policies,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with aside.open("w", encoding="utf-8") as file:
            json.dump(body, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)


def see_registry(plants: PlantBook, value: bytes | None) -> None:
    """Take one record of `dt.registry`; one that cannot be read is logged, for the registry is not ours."""
    if value is None:
        return
    try:
        plants.see(RegistryRecord.from_json(value))
    except DTError as error:
        log.warning("a registry record cannot be used: %s", error)
