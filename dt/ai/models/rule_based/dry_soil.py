"""The rule for dry soil: the median of the last good readings against the plant's own limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Self

from dt.ai.models.base_model import BaseModel, ModelCategory, ModelError
from dt.utils.codec import Message
from dt.utils.dataclasses import AlertCondition, Origin, Plant, PlantLimits, SensorData, Severity, Verdict
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity, Unit

FRESH_FOR_S = 900.0  # invariant S4: a moisture estimate is no older than 15 minutes
AHEAD_AT_MOST_S = 60.0  # clocks of two machines differ; more than this is a wrong clock
_ML_PER_LITRE = 1000.0
_ORDER = tuple(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrySoilParameters(Message):
    """How many readings decide, over which time, and where dry ends and urgent begins.

    A probe must be read at least `min_readings` times in `window_s`, or the rule has no estimate and stays silent.
    """

    window: int = 5  # readings of each probe
    min_readings: int = 3  # one wild value among three is outvoted
    window_s: float = FRESH_FOR_S
    hysteresis: float = 0.02  # m3/m3 above the low limit at which dry soil counts as wet again
    # Of the low limit. With the usual 0.25 it gives 0.15 m3/m3, amid the wilting points of potting soils (Baas 2004).
    critical_share: float = 0.6
    repeat_every_s: float = 60.0  # who starts later hears of what is still so

    def ensure_consistent(self) -> None:
        """Refuse parameters under which the rule could never, or would always, speak."""
        if not 1 <= self.min_readings <= self.window <= 1000:
            raise MessageError("min_readings", f"must be from 1 to window ({self.window}), not {self.min_readings}")
        for name, low, high in (
            ("window_s", 1.0, 86_400.0),
            ("hysteresis", 0.0, 0.5),
            ("critical_share", 0.0, 1.0),
            ("repeat_every_s", 1.0, 86_400.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise MessageError(name, f"must be from {low:g} to {high:g}, not {getattr(self, name):g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One reading as the rule remembers it; `value` in m3/m3."""

    sensor_id: str
    timestamp: float
    value: float
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoilWatch:
    """What the rule remembers of one plant; `active` is the severity that it last reported, or None."""

    zone_id: str
    samples: tuple[Sample, ...] = ()
    active: Severity | None = None
    opened_by: str = ""  # correlation id of the reading that made the condition active
    told_at: float = 0.0  # event time of the last report


def is_usable(reading: SensorData, now: float) -> bool:
    """Return whether a reading may decide anything: live, in time, good, fresh, of a plant, and a water content."""
    return (
        reading.origin is Origin.LIVE
        and not reading.late
        and reading.quality is not None
        and reading.quality.verdict is Verdict.GOOD
        and reading.data_type is Quantity.SOIL_MOISTURE
        and reading.unit is Unit.VWC
        and reading.plant_id is not None
        and now - FRESH_FOR_S <= reading.timestamp <= now + AHEAD_AT_MOST_S
    )


class DrySoilModel(BaseModel):
    """Says when soil is too dry and how much water brings it to the target."""

    name = "dry_soil"
    category = ModelCategory.RULE_BASED
    inputs = (Quantity.SOIL_MOISTURE.value,)
    outputs = ("soil_dry",)

    def __init__(self, parameters: DrySoilParameters | None = None, version: str = "1") -> None:
        super().__init__(version)
        self._p = parameters or DrySoilParameters()

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return the rule's numbers."""
        return self._p.to_dict()

    def to_bytes(self) -> bytes:
        """Return the parameters as JSON."""
        return self._p.to_json()

    @classmethod
    def from_bytes(cls, data: bytes, version: str) -> Self:
        """Make the rule of its parameters in JSON."""
        try:
            return cls(DrySoilParameters.from_json(data), version)
        except MessageError as error:
            raise ModelError(f"{cls.name} {version}: {error}") from error

    def step(
        self, watch: SoilWatch, reading: SensorData, plant: Plant, now: float
    ) -> tuple[SoilWatch, AlertCondition | None]:
        """Take one usable reading; return what is remembered now, and the condition when there is something to say."""
        taken = self._taking(watch, reading, now)
        if taken is None:
            return watch, None
        estimate = self.estimate(taken.samples)
        if plant.archived:
            severity = None
        elif estimate is None:
            return taken, None
        else:
            severity = self.severity(estimate, plant.limits, taken.active)
        if severity == taken.active and not self._is_due(taken, reading):
            return taken, None
        return _told(taken, reading, severity), _condition(taken, reading, plant, severity, estimate)

    def estimate(self, samples: tuple[Sample, ...]) -> float | None:
        """Return the soil's water content in m3/m3, or None while too few readings are there."""
        return median(sample.value for sample in samples) if len(samples) >= self._p.min_readings else None

    def severity(self, estimate: float, limits: PlantLimits, active: Severity | None) -> Severity | None:
        """Return how bad it is; once active it never sinks, and ends only above the hysteresis."""
        low = limits.soil_moisture_low
        if estimate < low:
            now = Severity.CRITICAL if estimate < self._p.critical_share * low else Severity.WARNING
            return now if active is None else max(now, active, key=_ORDER.index)
        return active if estimate <= low + self._p.hysteresis else None

    def _taking(self, watch: SoilWatch, reading: SensorData, now: float) -> SoilWatch | None:
        """Return the watch with one more sample, or None for a reading that was taken before or overtaken."""
        kept = [
            sample
            for sample in watch.samples
            if reading.timestamp - self._p.window_s <= sample.timestamp <= now + AHEAD_AT_MOST_S
        ]
        own = [sample for sample in kept if sample.sensor_id == reading.sensor_id]
        if own and reading.timestamp <= own[-1].timestamp:
            return None
        if len(own) >= self._p.window:
            kept.remove(own[0])
        new = Sample(
            sensor_id=reading.sensor_id,
            timestamp=reading.timestamp,
            value=reading.value,
            correlation_id=reading.correlation_id,
        )
        return replace(watch, zone_id=reading.zone_id, samples=(*kept, new))

    def _is_due(self, watch: SoilWatch, reading: SensorData) -> bool:
        since = reading.timestamp - watch.told_at
        # Reports ahead of the reading were made under a clock that has been set back since.
        return watch.active is not None and not 0.0 <= since < self._p.repeat_every_s


def _told(watch: SoilWatch, reading: SensorData, severity: Severity | None) -> SoilWatch:
    opened_by = "" if severity is None else watch.opened_by or reading.correlation_id
    return replace(watch, active=severity, opened_by=opened_by, told_at=reading.timestamp)


def _condition(
    watch: SoilWatch, reading: SensorData, plant: Plant, severity: Severity | None, estimate: float | None
) -> AlertCondition:
    """Return what is said; the deciding reading gives it its id and time, the others stand in `caused_by`."""
    parents = [watch.opened_by, *(sample.correlation_id for sample in watch.samples)]
    dose_ml = None if severity is None or estimate is None else dose_to_target_ml(estimate, plant)
    return AlertCondition(
        key=f"soil_dry:{plant.plant_id}",
        plant_id=plant.plant_id,
        zone_id=reading.zone_id,
        severity=severity or watch.active or Severity.INFO,
        description=_description(plant, estimate, is_active=severity is not None),
        advice="" if dose_ml is None else f"Give about {dose_ml:.0f} ml of water.",
        recommended_dose_ml=dose_ml,
        active=severity is not None,
        timestamp=reading.timestamp,
        correlation_id=reading.correlation_id,
        caused_by=tuple(dict.fromkeys(p for p in parents if p and p != reading.correlation_id)),
    )


def dose_to_target_ml(estimate: float, plant: Plant) -> float:
    """Return the water in ml that lifts the whole pot from an estimate (m3/m3) to the plant's target.

    >>> dose_to_target_ml(0.25, Plant(plant_id="basil", zone_id="box", pot_volume_l=1.5))
    150.0
    """
    missing = max(0.0, plant.limits.soil_moisture_target - estimate)
    return round(missing * plant.pot_volume_l * _ML_PER_LITRE, 1)


def _description(plant: Plant, estimate: float | None, *, is_active: bool) -> str:
    name, low = plant.name or plant.plant_id, plant.limits.soil_moisture_low
    if plant.archived:
        return f"{name} is archived and no longer watched."
    if is_active:
        return f"The soil of {name} is dry: {estimate:.3f} m³/m³, and its lower limit is {low:g}."
    return f"The soil of {name} is wet enough again: {estimate:.3f} m³/m³."
