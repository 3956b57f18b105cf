"""The same number for longer than this sensor ever shows it: suspect (ISMN D08 to D10, plateaus)."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.data.processing.course import Course
from dt.utils.dataclasses import Quality, Verdict

_SURPRISE = 30.0  # readings that ought to have changed, by the share of those that usually do
_TIMES_THE_LONGEST = 4.0
_HOUR_S = 3600.0
_DAYS = 5
_UNLEARNT = 6.0  # how much longer it takes on the first day, before a night was seen
_UNSEEN = 24.0  # and where the value has never changed


def stuck(sample: Sample) -> Quality | None:
    """Doubt a value that no longer moves.

    How long it may stand depends on the sensor: its quantum and its cadence show in the share of readings that differ
    from the one before, its calm hours in the longest run.
    """
    past, shortest_s = sample.past, sample.limits.stuck_s
    if shortest_s is None or sample.raw_value != past.raw or past.run < _SURPRISE:
        return None
    lasts_s = sample.timestamp - past.run_since
    if sample.limits.dark is not None and sample.value <= sample.limits.dark:
        return _dark(sample, lasts_s, shortest_s)
    shortest_s *= 1.0 if past.learnt else _UNLEARNT if past.longest_run_s > 0.0 else _UNSEEN
    if not is_surprising(past, lasts_s, shortest_s):
        return None
    longest_min = past.longest_run_s / 60.0
    why = f"{sample.raw_value:.6g} for {lasts_s / 60.0:.0f} min, and never before for longer than {longest_min:.0f} min"
    return Quality(verdict=Verdict.SUSPECT, check="stuck", why=why)


def is_surprising(past: Course, lasts_s: float, shortest_s: float) -> bool:
    """Return whether a plateau is longer than this sensor's own, and had many readings that ought to have changed."""
    is_long = lasts_s > max(shortest_s, _TIMES_THE_LONGEST * past.longest_run_s)
    return is_long and past.run * past.changing > _SURPRISE


def _dark(sample: Sample, lasts_s: float, shortest_s: float) -> Quality | None:
    """Darkness is no plateau, unless this hour and the next were light on each of the past days."""
    bright, hour = sample.past.bright, int(sample.timestamp // _HOUR_S)
    if not bright or lasts_s < shortest_s or min(bright[hour % 24], bright[(hour + 1) % 24]) < _DAYS:
        return None
    if sample.timestamp % _HOUR_S < 0.5 * _HOUR_S:  # the sun is later every day of autumn
        return None
    why = f"{sample.raw_value:.6g} for {lasts_s / 60.0:.0f} min, at an hour that was light on the last {_DAYS} days"
    return Quality(verdict=Verdict.SUSPECT, check="stuck", why=why)
