"""Every channel of the system, with its partitions, retention and size limit, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dt.utils.quantities import QUANTITIES, Quantity

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_MIB = 1024 * 1024

SENSOR_PARTITIONS = 3  # equal for all sensor topics: one processor sees all that belongs to a zone


class Topics(StrEnum):
    """Every channel of the system; `.raw` and `.processed` exist for sensors."""

    TEMPERATURE = "dt.sensors.temperature"
    HUMIDITY = "dt.sensors.humidity"
    SOIL_MOISTURE = "dt.sensors.soil_moisture"
    SOIL_TEMPERATURE = "dt.sensors.soil_temperature"
    LIGHT_INTENSITY = "dt.sensors.light_intensity"
    VPD = "dt.sensors.vpd"
    DEW_POINT = "dt.sensors.dew_point"
    DLI = "dt.sensors.dli"
    TEMPERATURE_1H = "dt.sensors.temperature_1h"
    SOIL_MOISTURE_1H = "dt.sensors.soil_moisture_1h"
    CAMERA_IMAGE = "dt.sensors.camera_image"
    ALERT_CONDITIONS = "dt.alerts.conditions"
    ALERTS = "dt.alerts"
    ACTIONS = "dt.actions"
    ACTION_RESULTS = "dt.actions.results"
    REGISTRY = "dt.registry"
    STATE_PROCESSING = "dt.state.processing"
    STATE_AI = "dt.state.ai"
    STATE_ALERTS = "dt.state.alerts"
    PREDICTIONS = "dt.predictions"
    HEALTH = "dt.health"
    GAPS = "dt.gaps"
    DEAD_LETTERS = "dt.dead_letters"

    @property
    def raw(self) -> str:
        """Return the topic of readings as the collector took them."""
        return f"{self._sensor_topic()}.raw"

    @property
    def processed(self) -> str:
        """Return the topic of readings that were calibrated and judged."""
        return f"{self._sensor_topic()}.processed"

    @classmethod
    def of(cls, quantity: Quantity) -> Topics:
        """Return the sensor channel of a quantity."""
        return cls(f"dt.sensors.{quantity}")

    def _sensor_topic(self) -> str:
        if not self.value.startswith("dt.sensors."):
            msg = f"{self.value} is no sensor channel and has no raw or processed topic"
            raise AttributeError(msg)
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """How a topic is kept: partitions, retention in milliseconds (None: for ever), and its largest record."""

    partitions: int
    retention_ms: int | None = 30 * _DAY_MS
    is_compacted: bool = False
    max_message_bytes: int = _MIB

    def config(self) -> dict[str, str]:
        """Return the topic's configuration in Kafka's own words."""
        return {
            "cleanup.policy": "compact" if self.is_compacted else "delete",
            "retention.ms": "-1" if self.retention_ms is None else str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "LogAppendTime",
        }


def _sensor_rows() -> dict[str, TopicSpec]:
    rows = {}
    for quantity, spec in QUANTITIES.items():
        is_camera = quantity is Quantity.CAMERA_IMAGE
        topic = Topics.of(quantity)
        if not spec.is_derived:
            retention = _DAY_MS if is_camera else 7 * _DAY_MS
            rows[topic.raw] = TopicSpec(partitions=SENSOR_PARTITIONS, retention_ms=retention)
        rows[topic.processed] = TopicSpec(partitions=SENSOR_PARTITIONS)
    return rows


TOPIC_TABLE: Mapping[str, TopicSpec] = {
    **_sensor_rows(),
    Topics.ALERT_CONDITIONS: TopicSpec(partitions=1),
    Topics.ALERTS: TopicSpec(partitions=1, retention_ms=365 * _DAY_MS),
    Topics.ACTIONS: TopicSpec(partitions=1, retention_ms=_HOUR_MS),
    Topics.ACTION_RESULTS: TopicSpec(partitions=1, retention_ms=365 * _DAY_MS),
    Topics.REGISTRY: TopicSpec(partitions=1, retention_ms=None, is_compacted=True),
    Topics.STATE_PROCESSING: TopicSpec(partitions=SENSOR_PARTITIONS, retention_ms=None, is_compacted=True),
    Topics.STATE_AI: TopicSpec(partitions=SENSOR_PARTITIONS, retention_ms=None, is_compacted=True),
    Topics.STATE_ALERTS: TopicSpec(partitions=1, retention_ms=None, is_compacted=True),
    Topics.PREDICTIONS: TopicSpec(partitions=1),
    Topics.HEALTH: TopicSpec(partitions=1, retention_ms=None, is_compacted=True),
    Topics.GAPS: TopicSpec(partitions=1),
    Topics.DEAD_LETTERS: TopicSpec(partitions=1, retention_ms=90 * _DAY_MS),
}


def raw_topics() -> tuple[str, ...]:
    """Return the raw topics of all quantities that sensors measure, pictures included."""
    return tuple(Topics.of(quantity).raw for quantity, spec in QUANTITIES.items() if not spec.is_derived)


def processed_topics() -> tuple[str, ...]:
    """Return the processed topics of all quantities, pictures included."""
    return tuple(Topics.of(quantity).processed for quantity in QUANTITIES)
