"""What people decided: grants and policies, on disk; and the plants as rig and registry know them."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dt.communication.messaging import Record
from dt.utils.clock import Clock
from dt.utils.dataclasses import Grant, Plant, RegistryRecord
from dt.utils.exceptions import DTError, MessageError, StorageError
from dt.utils.logger import get_logger

DEFAULT_POLICY = "recommendation"
_EARLY_S = 5.0  # how far the clock may have been set back since a grant was given

log = get_logger(__name__)


class PlantBook:
    """The plants of the rig, with the limits that the registry last announced."""

    def __init__(self, plants: Mapping[str, Plant]) -> None:
        self._plants = dict(plants)
        self._offsets: dict[str, int] = {}  # of the record that each plant's limits come from
        self._lock = threading.Lock()

    def see(self, record: RegistryRecord, offset: int) -> None:
        """Take a plant's record unless a later one was seen; raises MessageError for one that is no plant."""
        if record.kind != "plant":
            return
        plant = Plant.from_dict(record.body)
        with self._lock:
            # Plants without an actuator here are not our concern.
            if plant.plant_id in self._plants and offset >= self._offsets.get(plant.plant_id, 0):
                self._plants[plant.plant_id], self._offsets[plant.plant_id] = plant, offset

    def get(self, plant_id: str | None) -> Plant | None:
        """Return a plant, or None."""
        with self._lock:
            return self._plants.get(plant_id or "")


@dataclass(frozen=True, slots=True)
class _Held:
    grant: Grant
    ends_s: float | None  # monotonic


class Decisions:
    """Grants by actuator and policies by plant, in one JSON file that is replaced whole.

    What gives a policy more freedom holds only once it is saved; what takes it away holds at once. A grant ends by the
    wall clock or the monotonic one, whichever is first, and stays ended.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._grants: dict[str, _Held] = {}
        self._policies: dict[str, dict[str, Any]] = {}
        self._load()

    def grant(self, grant: Grant) -> None:
        """Let policies use an actuator on their own; raises StorageError, and then they may not."""
        with self._lock:
            grants = {**self._grants, grant.actuator_id: self._held(grant)}
            self._save(grants, self._policies)
            self._grants = grants

    def withdraw(self, actuator_id: str) -> bool:
        """Take a grant back; False when there was none. Raises StorageError when a restart would bring it back."""
        with self._lock:
            was_granted = self._grants.pop(actuator_id, None) is not None
            self._save(self._grants, self._policies)
        return was_granted

    def grant_of(self, actuator_id: str) -> Grant | None:
        """Return the grant that holds now, or None."""
        with self._lock:
            held = self._grants.get(actuator_id)
            if held is None or held.ends_s is None or held.grant.until is None:
                return None if held is None else held.grant
            wall = self._clock.wall()
            if wall >= held.grant.until or self._clock.monotonic() >= held.ends_s:
                self._forget(actuator_id)
                return None
            return held.grant if wall >= held.grant.since - _EARLY_S else None

    def policy_of(self, plant_id: str) -> dict[str, Any]:
        """Return a plant's policy: its name and whether it is enabled."""
        with self._lock:
            chosen = self._policies.get(plant_id, {})
        return {"plant_id": plant_id, "policy": DEFAULT_POLICY, "enabled": True, **chosen}

    def set_policy(self, plant_id: str, *, policy: str, enabled: bool) -> None:
        """Choose a plant's policy; raises StorageError, and then one that was to be enabled is not."""
        with self._lock:
            policies = {**self._policies, plant_id: {"policy": policy, "enabled": enabled}}
            if not enabled:
                self._policies = policies
            self._save(self._grants, policies)
            self._policies = policies

    # -- helpers; the lock is held ------------------------------------------------------------------------------

    def _held(self, grant: Grant) -> _Held:
        if grant.until is None:
            return _Held(grant, None)
        left_s = grant.until - max(self._clock.wall(), grant.since)
        return _Held(grant, self._clock.monotonic() + left_s)

    def _forget(self, actuator_id: str) -> None:
        """Drop a grant that ended, from the disk too: no clock that is set back revives it."""
        del self._grants[actuator_id]
        try:
            self._save(self._grants, self._policies)
        except StorageError as error:
            log.warning("the grant of %s ended: %s", actuator_id, error)

    def _load(self) -> None:
        """Read the file; a damaged one grants nothing and is put aside, for a person needs the rest of the service."""
        try:
            saved = json.loads(self._path.read_text("utf-8"))
            grants = [Grant.from_dict(body) for body in saved.get("grants", {}).values()]
            policies = {plant_id: _policy(body) for plant_id, body in saved.get("policies", {}).items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, AttributeError, DTError) as error:
            aside = self._path.with_name(f"{self._path.name}.unreadable")
            log.error("%s cannot be read, so nothing is granted: %s; it is kept as %s", self._path, error, aside.name)  # noqa: TRY400
            with contextlib.suppress(OSError):
                self._path.replace(aside)
            return
        self._grants = {grant.actuator_id: self._held(grant) for grant in grants}
        self._policies = policies

    def _save(self, grants: Mapping[str, _Held], policies: Mapping[str, Mapping[str, Any]]) -> None:
        body = {
            "grants": {name: held.grant.to_dict() for name, held in grants.items()},
            "policies": policies,
        }
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("w", encoding="utf-8") as file:
                json.dump(body, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            raise StorageError(f"the decision cannot be saved: {error}") from error


def _policy(body: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(body.get("enabled"), bool) or not isinstance(body.get("policy", DEFAULT_POLICY), str):
        raise MessageError("policies", f"must say whether they are enabled, not {body!r}")
    return {"policy": body.get("policy", DEFAULT_POLICY), "enabled": body["enabled"]}


def see_registry(plants: PlantBook, record: Record) -> None:
    """Take one record of `dt.registry`; one that cannot be read is logged, for the registry is not ours."""
    if record.value is None:
        return
    try:
        plants.see(RegistryRecord.from_json(record.value), record.offset)
    except DTError as error:
        log.warning("a registry record cannot be used: %s", error)
