"""The plants as rig and registry know them."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from dt.communication.messaging import Record
from dt.utils.dataclasses import Plant, RegistryRecord
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

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


def see_registry(plants: PlantBook, record: Record) -> None:
    """Take one record of `dt.registry`; one that cannot be read is logged, for the registry is not ours."""
    if record.value is None:
        return
    try:
        plants.see(RegistryRecord.from_json(record.value), record.offset)
    except DTError as error:
        log.warning("a registry record cannot be used: %s", error)
