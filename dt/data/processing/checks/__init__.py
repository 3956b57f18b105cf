"""The quality gates, one file each: the worst verdict counts, and of equal ones the first in the table says why.

Gates of other packages are found by the entry points `dt.checks`: each names a function from `Sample` to `Quality` or
None, and is asked after the table's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from dt.data.processing.arrival import Arrival
from dt.data.processing.checks.calibrated import calibrated
from dt.data.processing.checks.clock_back import clock_back
from dt.data.processing.checks.clock_time import clock_time
from dt.data.processing.checks.duplicate import duplicate
from dt.data.processing.checks.known_sensor import known_sensor
from dt.data.processing.checks.late import late
from dt.data.processing.checks.neighbours import neighbours
from dt.data.processing.checks.noise import noise
from dt.data.processing.checks.plausible_range import plausible_range
from dt.data.processing.checks.sample import Sample
from dt.data.processing.checks.saturation import saturation
from dt.data.processing.checks.sensor_word import sensor_word
from dt.data.processing.checks.slow_rise import slow_rise
from dt.data.processing.checks.spike import spike
from dt.data.processing.checks.step import step
from dt.data.processing.checks.stuck import stuck
from dt.data.processing.checks.value_range import value_range
from dt.utils.dataclasses import Quality, Verdict

GROUP = "dt.checks"

Check = Callable[[Sample], Quality | None]

# What a reading says by itself.
CHECKS: tuple[Check, ...] = (
    clock_time,
    calibrated,
    value_range,
    sensor_word,
    saturation,
    plausible_range,
    known_sensor,
)

# What it says beside those before it; asked of possible values that come in order. A plateau says more than the step
# that it began with: what it hides lasts as long as it does.
HISTORY_CHECKS: tuple[Check, ...] = (stuck, step, noise, slow_rise, neighbours)

# Asked of those that do not.
ORDER_CHECKS: tuple[Check, ...] = (clock_back, duplicate, late)

# What it says of the one before it.
HINDSIGHT_CHECKS: tuple[Check, ...] = (spike,)

_ALL_IN_ORDER = (*CHECKS, *HISTORY_CHECKS)
_ALL_OUT_OF_ORDER = (*CHECKS, *ORDER_CHECKS)
_GOOD = Quality(verdict=Verdict.GOOD)
_RANK = {Verdict.GOOD: 0, Verdict.SUSPECT: 1, Verdict.BAD: 2}

__all__ = [
    "CHECKS",
    "HINDSIGHT_CHECKS",
    "HISTORY_CHECKS",
    "ORDER_CHECKS",
    "Check",
    "Sample",
    "judge",
    "judge_previous",
    "outside_checks",
]


def judge(sample: Sample) -> Quality:
    """Return what all gates together say of a sample."""
    worst = _GOOD
    for check in _ALL_IN_ORDER if sample.arrival is Arrival.NEXT else _ALL_OUT_OF_ORDER:
        finding = check(sample)
        if finding is not None and worst.verdict is Verdict.GOOD:
            worst = finding
        if finding is not None and finding.verdict is Verdict.BAD:
            return finding
    for check in outside_checks():
        finding = check(sample)
        if finding is not None and _RANK[finding.verdict] > _RANK[worst.verdict]:
            worst = finding
    return worst


def judge_previous(sample: Sample) -> Quality | None:
    """Return what a sample shows of the reading before it; None where it shows nothing wrong."""
    if sample.past.doubted is None:
        return None
    for check in HINDSIGHT_CHECKS:
        finding = check(sample)
        if finding is not None:
            return finding
    return None


@cache
def outside_checks() -> tuple[Check, ...]:
    """Return the gates of other packages, in the order of their names; raises what loading one raises."""
    return tuple(point.load() for point in sorted(entry_points(group=GROUP), key=lambda point: point.name))
