"""What is kept of plants, grants and the rest of the registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dt.utils.codec import Message, Timestamp, require_text
from dt.utils.exceptions import MessageError
from dt.utils.vocabulary import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantLimits(Message):
    """Where a plant is comfortable; soil moisture in m3/m3."""

    soil_moisture_low: float = 0.25
    soil_moisture_target: float = 0.35
    soil_moisture_high: float = 0.45

    def ensure_consistent(self) -> None:
        """Refuse limits out of order."""
        if not 0.0 <= self.soil_moisture_low < self.soil_moisture_target < self.soil_moisture_high <= 1.0:
            raise MessageError(
                "soil_moisture_target",
                f"must lie between low ({self.soil_moisture_low:g}) and high ({self.soil_moisture_high:g}) in 0..1",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant(Message):
    """A plant: where it stands, in which pot (litres), and its limits; archived when its readings come from a file."""

    plant_id: str
    zone_id: str
    name: str = ""
    species: str = ""
    pot_volume_l: float = 1.0
    limits: PlantLimits = field(default_factory=PlantLimits)
    archived: bool = False
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a plant without name or pot."""
        require_text(self, "plant_id", "zone_id")
        if not 0.0 < self.pot_volume_l <= 1000.0:
            raise MessageError("pot_volume_l", f"must be more than 0 and at most 1000 l, not {self.pot_volume_l:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Message):
    """A person's leave for a policy to act on its own, until it is withdrawn or ends."""

    actuator_id: str
    by: str
    since: Timestamp
    until: Timestamp | None = None
    note: str = ""
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a grant that nobody gave."""
        require_text(self, "actuator_id", "by")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRecord(Message):
    """A record as it stands now: a sensor, plant, policy or grant, in `body` as its own JSON."""

    record_id: str
    kind: str
    timestamp: Timestamp
    body: dict[str, Any]
    schema: int = 1
    origin: Origin = Origin.LIVE
