"""The plants as the registry topic knows them: their pots and limits, kept up to date."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from dt.communication.messaging import MessagingService, Record
from dt.communication.topics import Topics
from dt.utils.dataclasses import Plant, RegistryRecord
from dt.utils.exceptions import DTError, MessageError
from dt.utils.logger import get_logger

_KIND = "plant"

log = get_logger(__name__)


class PlantBook:
    """Reads the whole registry at `refresh` or when first asked; `take` is the handler for later changes."""

    def __init__(self, messaging: MessagingService) -> None:
        self._messaging = messaging
        self._lock = threading.Lock()
        self._seen: dict[str | None, int] = {}  # record id -> offset, so that an older version never wins
        self._plants: dict[str | None, Plant] = {}  # by record id
        self._by_id: dict[str, Plant] = {}
        self._is_loaded = False

    def get(self, plant_id: str) -> Plant | None:
        """Return a plant; raises MessagingError (retriable) while the registry could not be read yet."""
        if not self._is_loaded:
            self._load()
        return self._by_id.get(plant_id)

    def refresh(self) -> None:
        """Read the whole registry; what cannot be read now is read at the next `get`."""
        try:
            self._load()
        except DTError as error:
            log.info("the plants are not known yet: %s", error)

    def take(self, records: Sequence[Record]) -> None:
        """Take changed records; the newest of each id wins in whichever order they come."""
        with self._lock:
            for record in records:
                self._take_one(record)
            self._by_id = {plant.plant_id: plant for plant in self._plants.values()}

    def __len__(self) -> int:
        return len(self._by_id)

    def _load(self) -> None:
        self.take(self._messaging.read_all(Topics.REGISTRY))
        self._is_loaded = True

    def _take_one(self, record: Record) -> None:
        if record.offset < self._seen.get(record.key, 0):
            return
        self._seen[record.key] = record.offset
        self._plants.pop(record.key, None)
        try:
            plant = _plant_in(record)
        except MessageError as error:
            log.warning("registry record %s is passed over: %s", record.key, error)
            return
        if plant is not None:
            self._plants[record.key] = plant


def _plant_in(record: Record) -> Plant | None:
    if record.value is None:
        return None
    entry = RegistryRecord.from_json(record.value)
    return Plant.from_dict(entry.body) if entry.kind == _KIND else None
