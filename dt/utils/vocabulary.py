"""The closed sets of words that messages use."""

from __future__ import annotations

from enum import StrEnum


class Origin(StrEnum):
    """Where a message comes from; only what is live raises alerts, notices or actions."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPLAY = "replay"
    SIMULATED = "simulated"


class Verdict(StrEnum):
    """How far a reading can be believed."""

    GOOD = "good"
    SUSPECT = "suspect"
    BAD = "bad"


class Severity(StrEnum):
    """How much an alert matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertState(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Command(StrEnum):
    """What an actuator can be asked for."""

    DOSE = "dose"
    ON = "on"
    OFF = "off"
    LEVEL = "level"


class Outcome(StrEnum):
    """What became of a command."""

    DONE = "done"
    REFUSED = "refused"
    STOPPED = "stopped"
    FAILED = "failed"
    EXPIRED = "expired"
    RECOMMENDED = "recommended"


class HealthStatus(StrEnum):
    """How a service or sensor does."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPED = "stopped"


class GapCause(StrEnum):
    """Why readings that were due are not there."""

    SENSOR = "sensor"  # it gave nothing, or not in time
    OUTBOX_FULL = "outbox_full"
    REFUSED = "refused"  # by the log, for good
    COLLECTOR_OFF = "collector_off"
    KILLED = "killed"
    POWER_CUT = "power_cut"  # or the machine was started anew
    REMOVED = "removed"  # from the rig: nothing is due
    CADENCE = "cadence"  # nothing is missing: from here on another step is kept
