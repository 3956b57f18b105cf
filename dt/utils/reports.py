"""How services do, and the records that they cannot use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dt.utils.codec import Message, Timestamp
from dt.utils.vocabulary import HealthStatus, Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport(Message):
    """How a service, or one sensor of it, does."""

    service: str
    status: HealthStatus
    timestamp: Timestamp
    sensor_id: str | None = None
    why: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    schema: int = 1
    origin: Origin = Origin.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Message):
    """A record that nobody could use: reason, where it stood, its first 4 KiB (base64) and SHA-256."""

    reason: str
    why: str
    topic: str
    partition: int
    offset: int
    size_bytes: int
    head_base64: str
    sha256: str
    timestamp: Timestamp
    key: str | None = None
    schema: int = 1
    origin: Origin = Origin.LIVE
