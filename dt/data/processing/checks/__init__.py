"""The quality gates, one file each: the worst verdict counts, and of equal ones the first in the table says why."""

from __future__ import annotations

from collections.abc import Callable

from dt.data.processing.checks.calibrated import calibrated
from dt.data.processing.checks.clock_time import clock_time
from dt.data.processing.checks.known_sensor import known_sensor
from dt.data.processing.checks.sample import Sample
from dt.data.processing.checks.sensor_word import sensor_word
from dt.data.processing.checks.value_range import value_range
from dt.utils.dataclasses import Quality, Verdict

CHECKS: tuple[Callable[[Sample], Quality | None], ...] = (
    clock_time,
    calibrated,
    value_range,
    sensor_word,
    known_sensor,
)

_GOOD = Quality(verdict=Verdict.GOOD)

__all__ = ["CHECKS", "Sample", "judge"]


def judge(sample: Sample) -> Quality:
    """Return what all gates together say of a sample."""
    worst = _GOOD
    for check in CHECKS:
        finding = check(sample)
        if finding is not None:
            if finding.verdict is Verdict.BAD:
                return finding
            if worst is _GOOD:
                worst = finding
    return worst
