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
class KeptGrant(Grant):
    """A grant as the records have it: also who took it back, and when."""

    revoked_at: Timestamp | None = None
    revoked_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorCalibration(Message):
    """One version of a sensor's calibration, who gave it and since when it holds; null takes it away."""

    sensor_id: str
    version: int
    since: Timestamp
    calibration: dict[str, Any] | None = None
    by: str = ""
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a version of no sensor."""
        require_text(self, "sensor_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Message):
    """What acts for a plant (or a zone), by which actuator and parameters; the records count its versions.

    Without an `actuator_id` it is meant for all actuators of the plant that can follow it; `mode` is the actuator's.
    """

    plant_id: str = ""
    policy: str = "recommendation"
    enabled: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    since: Timestamp = 0.0
    by: str = ""
    actuator_id: str | None = None
    zone_id: str | None = None
    mode: str | None = None
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a policy of no place or of no name."""
        require_text(self, "policy")
        if not self.place:
            raise MessageError("plant_id", "must not be empty; an actuator without a plant has a zone_id")

    @property
    def place(self) -> str:
        """Return the plant, or else the zone, that it is for."""
        return self.plant_id or self.zone_id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord(Message):
    """One version of a trained model: what it is (`metadata` as the AI service has it), and whether it is in use."""

    name: str
    version: str
    checksum: str = ""
    promoted: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a model without name or version."""
        require_text(self, "name", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Message):
    """What a person wrote about a plant, a zone, or an instant of all of them."""

    note_id: str
    timestamp: Timestamp
    text: str
    by: str = ""
    plant_id: str | None = None
    zone_id: str | None = None
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse an empty note."""
        require_text(self, "note_id", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRecord(Message):
    """A record as it stands now: a sensor, calibration, plant, zone, policy, grant or model, in `body` as its JSON."""

    record_id: str
    kind: str
    timestamp: Timestamp
    body: dict[str, Any]
    schema: int = 1
    origin: Origin = Origin.LIVE
