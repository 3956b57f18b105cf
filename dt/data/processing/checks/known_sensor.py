"""Readings of a sensor that nobody registered: suspect."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict

_UNKNOWN = Quality(verdict=Verdict.SUSPECT, check="known_sensor", why="the sensor is not registered")


def known_sensor(sample: Sample) -> Quality | None:
    """Doubt what an unregistered sensor says."""
    return None if sample.is_known else _UNKNOWN
