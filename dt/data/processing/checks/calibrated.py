"""Raw counts without a calibration: bad. Counts outside the measured points: suspect."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict
from dt.utils.quantities import NEEDS_CALIBRATION

_MISSING = Quality(verdict=Verdict.BAD, check="calibrated", why="raw counts, and the sensor has no calibration")


def calibrated(sample: Sample) -> Quality | None:
    """Refuse counts that nobody can read, doubt those beyond the calibration."""
    if (sample.quantity, sample.unit) in NEEDS_CALIBRATION:
        return _MISSING
    calibration = sample.calibration
    if calibration is None or calibration.covers(sample.raw_value):
        return None
    low, high = calibration.counts[0], calibration.counts[-1]
    why = f"{sample.raw_value:g} counts are outside the calibrated {low:g} to {high:g}"
    return Quality(verdict=Verdict.SUSPECT, check="calibrated", why=why)
