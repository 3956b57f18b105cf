"""How one sensor does: what is counted, and when its state changes."""

from __future__ import annotations

from dataclasses import dataclass

from dt.utils.dataclasses import HealthStatus

FAILED_AFTER = 3  # looks in a row: a DHT22 misses a third of them without being ill


@dataclass(slots=True)
class SensorHealth:
    """The counts of one sensor since the service started."""

    reads: int = 0
    failures: int = 0
    failures_in_a_row: int = 0
    last_read_at: float | None = None
    why: str = ""
    reported: HealthStatus | None = None

    @property
    def status(self) -> HealthStatus:
        """ok, degraded while it never gave a value or misses some, failed after three misses in a row."""
        if self.failures_in_a_row >= FAILED_AFTER:
            return HealthStatus.FAILED
        if self.last_read_at is None:
            return HealthStatus.DEGRADED
        return HealthStatus.OK

    def succeeded(self, at: float) -> None:
        """Count a value."""
        self.reads += 1
        self.failures_in_a_row = 0
        self.last_read_at = at
        self.why = ""

    def failed(self, why: str) -> None:
        """Count a miss."""
        self.failures += 1
        self.failures_in_a_row += 1
        self.why = why

    def detail(self) -> dict[str, object]:
        """Return the counts as a health report carries them."""
        return {
            "status": str(self.status),
            "reads": self.reads,
            "failures": self.failures,
            "failures_in_a_row": self.failures_in_a_row,
            "last_read_at": self.last_read_at,
            "why": self.why,
        }
