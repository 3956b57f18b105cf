"""Every alert says what to do: the condition's own advice, else what its kind asks for."""

from __future__ import annotations

from collections.abc import Mapping

from dt.alerts.rules import kind_of
from dt.utils.dataclasses import AlertCondition

NOTHING = "Nothing needs doing."
STALE = "First see why its source is silent: dt status and dt doctor show which service or sensor it is."
FLAPPING = "Look for what makes it come and go: a loose plug, a limit that is too tight, a device that starts anew."
_GENERAL = "Open the dashboard's alerts and look at what it names; dt doctor finds the usual causes."
_BY_KIND: Mapping[str, str] = {
    "soil_dry": "Look at the plant and water it by hand if its soil is dry to the touch.",
    "sensor_silent": "Look at its cable and power, and whether the collector runs: dt doctor finds the usual causes.",
    "sensor_doubtful": "Compare it with another instrument, and calibrate it again if it was moved or replaced.",
    "budget_used": "See what used it up; water by hand what is dry, fill the reservoir, or ask the policy for less.",
    "output_on": "Take it off its supply, then look for another program on its pin, or a short circuit.",
    "locked_out": "Look at the device, its line and its reservoir, then release it on the dashboard.",
    "dose_excess": "Look for water on the floor, a siphon in the line, or a relay that sticks.",
    "dose_weak": "Look for water on the floor, a kinked hose, or a reservoir that is nearly empty.",
    "storage_full": "Free space on the disk, or lower RETENTION_RAW_DAYS.",
    "service_silent": "See with dt status whether it runs, and start it with dt up; its log says why it ended.",
    "alert_rules_wrong": "Put right the line of alerts.toml that it names; the file is read again when it changes.",
    "storage_damaged": "Stop the services and restore the last backup: dt restore FILE --force.",
}


def advice_of(condition: AlertCondition) -> str:
    """Return what a person should do about a condition; never empty."""
    if condition.advice.strip():
        return condition.advice
    return _BY_KIND.get(kind_of(condition.key), _GENERAL) if condition.active else NOTHING
