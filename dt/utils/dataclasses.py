"""The messages of the product: what travels on the bus and in REST, checked on construction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dt.utils.codec import Message, Timestamp, filled_by_slot, require_at_least, require_text
from dt.utils.exceptions import MessageError
from dt.utils.ids import require_no_controls
from dt.utils.quantities import Quantity, Unit
from dt.utils.records import (
    Grant,
    KeptGrant,
    ModelRecord,
    Note,
    Plant,
    PlantLimits,
    Policy,
    RegistryRecord,
    SensorCalibration,
)
from dt.utils.reports import DeadLetter, HealthReport
from dt.utils.vocabulary import AlertState, Command, GapCause, HealthStatus, Origin, Outcome, Severity, Verdict

__all__ = [
    "ActionCommand",
    "ActionResult",
    "AlertCondition",
    "AlertEvent",
    "AlertState",
    "CameraFrame",
    "Command",
    "DBIdQuery",
    "DBTimestampQuery",
    "DeadLetter",
    "GapCause",
    "GapNotice",
    "Grant",
    "HealthReport",
    "HealthStatus",
    "KeptGrant",
    "Message",
    "ModelRecord",
    "Note",
    "Origin",
    "Outcome",
    "Plant",
    "PlantLimits",
    "Policy",
    "Prediction",
    "Quality",
    "Refusal",
    "RegistryRecord",
    "SensorCalibration",
    "SensorData",
    "SensorDescriptor",
    "Severity",
    "Timestamp",
    "Verdict",
]

MAX_QUERY_ROWS = 100_000
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.01, 86_400.0  # of a sensor's cadence


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality(Message):
    """What the quality gates said of a reading: verdict, the check that decided, and why."""

    verdict: Verdict
    check: str | None = None
    why: str | None = None


@filled_by_slot
@dataclass(frozen=True, slots=True, kw_only=True)
class SensorData(Message):
    """One reading: one value of one quantity, one sensor, one instant (event time)."""

    sensor_id: str
    data_type: Quantity
    value: float
    unit: Unit
    timestamp: Timestamp
    correlation_id: str
    zone_id: str
    plant_id: str | None = None
    boot_id: str = ""
    sequence: int = 0
    clock_synced: bool = True
    raw_value: float | None = None
    quality: Quality | None = None
    calibration: int | None = None
    caused_by: tuple[str, ...] = ()
    late: bool = False
    revision: int = 0
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse readings that nobody could be asked about."""
        sensor_id, zone_id, correlation_id = self.sensor_id, self.zone_id, self.correlation_id
        if not (sensor_id and correlation_id and zone_id):
            require_text(self, "sensor_id", "correlation_id", "zone_id")
        if self.sequence < 0 or self.revision < 0:
            require_at_least(self, "sequence", 0)
            require_at_least(self, "revision", 0)
        if not (sensor_id.isprintable() and zone_id.isprintable() and (self.plant_id or zone_id).isprintable()):
            require_no_controls(self, "sensor_id", "zone_id", "plant_id")  # odd spaces may be
        if "\0" in correlation_id:  # looking for more in each would cost as much as all the rest
            require_no_controls(self, "correlation_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorDescriptor(Message):
    """A sensor as the rig declares it; `read_interval` in seconds, `calibration` and `options` as its kind defines."""

    sensor_id: str
    zone_id: str
    data_type: Quantity
    kind: str
    read_interval: float
    plant_id: str | None = None
    name: str = ""
    pin: str | None = None
    address: int | None = None
    calibration: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse nameless sensors and impossible cadences or addresses."""
        require_text(self, "sensor_id", "zone_id", "kind")
        require_no_controls(self, "sensor_id", "zone_id", "plant_id")
        require_interval("read_interval", self.read_interval)
        if self.address is not None and not 0x03 <= self.address <= 0x77:
            raise MessageError("address", f"must be an I2C address from 0x03 to 0x77, not {self.address:#x}")


def require_interval(name: str, seconds: float, shortest_s: float = SHORTEST_INTERVAL_S) -> None:
    """Refuse a cadence that no sensor has."""
    if not shortest_s <= seconds <= LONGEST_INTERVAL_S:
        limits = f"{shortest_s:g} to {LONGEST_INTERVAL_S:.0f} s"
        raise MessageError(name, f"must be from {limits}, not {seconds!s:.40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DBTimestampQuery(Message):
    """Readings of one quantity with since <= timestamp < until."""

    data_type: Quantity
    since: Timestamp
    until: Timestamp
    plant_id: str | None = None
    sensor_id: str | None = None
    verdicts: tuple[Verdict, ...] | None = None
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a range that ends before it starts."""
        if self.until < self.since:
            raise MessageError("until", f"must not be before since ({self.since}), and is {self.until}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DBIdQuery(Message):
    """The latest readings of one sensor."""

    sensor_id: str
    limit: int = 100
    data_type: Quantity | None = None
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a limit outside what one answer can hold."""
        require_text(self, "sensor_id")
        if not 1 <= self.limit <= MAX_QUERY_ROWS:
            raise MessageError("limit", f"must be from 1 to {MAX_QUERY_ROWS}, not {self.limit}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCommand(Message):
    """A request to an actuator; `dose_ml` for dose, `duration_s` for on, `level` (0..1) for level."""

    action_id: str
    actuator_id: str
    command: Command
    issuer: str
    timestamp: Timestamp
    correlation_id: str
    plant_id: str | None = None
    dose_ml: float | None = None
    duration_s: float | None = None
    level: float | None = None
    reason: str = ""
    caused_by: tuple[str, ...] = ()
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a command without its amount, or with one that cannot be."""
        require_text(self, "action_id", "actuator_id", "issuer", "correlation_id")
        needed = {Command.DOSE: "dose_ml", Command.ON: "duration_s", Command.LEVEL: "level"}.get(self.command)
        if needed is not None and getattr(self, needed) is None:
            raise MessageError(needed, f"is missing; {self.command} needs it")
        for name in ("dose_ml", "duration_s"):
            amount = getattr(self, name)
            if amount is not None and amount <= 0:
                raise MessageError(name, f"must be more than 0, not {amount:g}")
        if self.level is not None and not 0.0 <= self.level <= 1.0:
            raise MessageError("level", f"must be from 0 to 1, not {self.level:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Message):
    """Why a command was not carried out: the invariant, its value, its limit and what was missing."""

    invariant: str
    value: float | None = None
    limit: float | None = None
    margin: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult(Message):
    """What became of a command; `command` is the command itself, so that the trail is whole.

    A dose is published again once its effect is known: rises of soil moisture in m3/m3, and what that means.
    """

    action_id: str
    actuator_id: str
    outcome: Outcome
    timestamp: Timestamp
    correlation_id: str
    delivered_ml: float | None = None
    on_s: float | None = None
    refusal: Refusal | None = None
    command: ActionCommand | None = None
    plant_id: str | None = None
    expected_rise: float | None = None
    measured_rise: float | None = None
    effect: str | None = None
    caused_by: tuple[str, ...] = ()
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a result that nobody could match to its command."""
        require_text(self, "action_id", "actuator_id", "correlation_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCondition(Message):
    """Something that is wrong, or no longer is; `key` says what it is about."""

    key: str
    severity: Severity
    description: str
    active: bool
    timestamp: Timestamp
    correlation_id: str
    plant_id: str | None = None
    zone_id: str | None = None
    advice: str = ""
    recommended_dose_ml: float | None = None
    caused_by: tuple[str, ...] = ()
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse nameless conditions and negative doses."""
        require_text(self, "key", "correlation_id")
        if self.recommended_dose_ml is not None and self.recommended_dose_ml < 0:
            raise MessageError("recommended_dose_ml", f"must be 0 or more, not {self.recommended_dose_ml:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent(Message):
    """One step of an alert's life: the condition's fields, the state that it entered, and by whom."""

    alert_id: str
    key: str
    severity: Severity
    description: str
    active: bool
    state: AlertState
    by: str
    timestamp: Timestamp
    correlation_id: str
    plant_id: str | None = None
    zone_id: str | None = None
    advice: str = ""
    recommended_dose_ml: float | None = None
    stale: bool = False  # nothing was heard of it for long: its source is silent
    flapping: bool = False  # it came and went too often, and stays open until it is stable
    caused_by: tuple[str, ...] = ()
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse an event that belongs to no alert."""
        require_text(self, "alert_id", "key", "by", "correlation_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction(Message):
    """What a model expects of one quantity: mean and bands at each of `times`, in the quantity's unit."""

    prediction_id: str
    plant_id: str
    model: str
    version: str
    quantity: Quantity
    made_at: Timestamp
    times: tuple[float, ...]
    mean: tuple[float, ...]
    bands: dict[str, tuple[tuple[float, float], ...]]
    correlation_id: str
    caused_by: tuple[str, ...] = ()
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse means and bands that do not match the times."""
        require_text(self, "prediction_id", "plant_id", "model", "correlation_id")
        if len(self.mean) != len(self.times):
            raise MessageError("mean", f"must have {len(self.times)} values as times has, not {len(self.mean)}")
        for level, band in self.bands.items():
            if len(band) != len(self.times):
                raise MessageError(f"bands.{level}", f"must have {len(self.times)} pairs, not {len(band)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFrame(Message):
    """A picture: headers of the raw record (whose value is the JPEG), JSON with `url` and `sha256` once processed."""

    sensor_id: str
    zone_id: str
    timestamp: Timestamp
    correlation_id: str
    width: int
    height: int
    plant_id: str | None = None
    flags: tuple[str, ...] = ()
    url: str | None = None
    sha256: str | None = None
    canopy_cover: float | None = None
    size_bytes: int | None = None
    boot_id: str = ""
    sequence: int = 0
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a picture without a camera or without pixels."""
        require_text(self, "sensor_id", "zone_id", "correlation_id")
        require_at_least(self, "width", 1)
        require_at_least(self, "height", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapNotice(Message):
    """Why readings of a sensor are missing: numbered within one boot, by time alone between two.

    With the cause `cadence` nothing is: from `first_sequence`, at `since`, readings are due every `step_s` seconds.
    """

    sensor_id: str
    zone_id: str
    boot_id: str
    since: Timestamp
    until: Timestamp
    count: int
    cause: GapCause
    why: str
    timestamp: Timestamp
    first_sequence: int | None = None
    last_sequence: int | None = None
    step_s: float | None = None
    schema: int = 1
    origin: Origin = Origin.LIVE

    def ensure_consistent(self) -> None:
        """Refuse a gap of nobody, of a negative number, or that ends before it begins."""
        require_text(self, "sensor_id", "zone_id", "boot_id")
        require_at_least(self, "count", 0)
        if self.until < self.since:
            raise MessageError("until", f"must not be before since ({self.since}), and is {self.until}")
        if (self.first_sequence is None) != (self.last_sequence is None):
            raise MessageError("last_sequence", "must be there together with first_sequence, or neither")
        if self.cause is GapCause.CADENCE and (self.first_sequence is None or self.step_s is None or self.step_s <= 0):
            raise MessageError("step_s", "must be over 0, with first_sequence, when the cause is cadence")
