"""Changes that are faster than nature, and the level that they lead to: suspect (ISMN D06 and D07, breaks)."""

from __future__ import annotations

import math

from dt.data.processing.checks.sample import Sample
from dt.data.processing.course import SHORT_S, Course
from dt.data.processing.thresholds import Thresholds
from dt.utils.dataclasses import Quality, Verdict

_SAME_SIZE = 0.35
_GOES_BACK_WITHIN_S = 86_400.0


def step(sample: Sample) -> Quality | None:
    """Doubt a level that was reached by a step, until the way back or for as long as the quantity's row says."""
    if sample.offset == 0.0:
        return None
    if sample.past.offset == 0.0:
        verb = "rose" if sample.step > 0.0 else "fell"
        why = f"{verb} by {abs(sample.step):.3g} {sample.unit} in {sample.elapsed_s:.0f} s"
    else:
        why = f"stands {abs(sample.offset):.3g} {sample.unit} off since a step that nothing explains"
    return Quality(verdict=Verdict.SUSPECT, check="step", why=why)


def unexplained(past: Course, limits: Thresholds, change: float, elapsed_s: float, timestamp: float) -> float:
    """Return the sum of the steps that nothing explains, this one included; 0 once the way back was gone.

    A rise of soil moisture is water, unless the probe's level was doubtful already.
    """
    rise, fall = limits.rise_per_min, limits.fall_per_min
    if rise is None or fall is None or not past.count:
        return 0.0
    if past.offset == 0.0 and -fall <= change <= rise:
        return 0.0
    if past.offset < 0.0:
        rise = fall
    longer = math.sqrt(max(1.0, elapsed_s / SHORT_S))
    rise, fall = min(rise * longer, limits.step_most), min(fall * longer, limits.step_most)
    is_step = not -fall <= change <= rise
    if is_step and past.offset == 0.0 and _goes_back(past, change, timestamp):
        return 0.0
    offset = past.offset + change if is_step else past.offset
    if -fall <= offset <= rise or (timestamp - past.offset_at > limits.step_held_s > 0.0 and past.offset != 0.0):
        return 0.0
    return offset


def _goes_back(past: Course, change: float, timestamp: float) -> bool:
    """Return whether a fall undoes a rise that was taken for water: then the rise was none."""
    is_recent = timestamp - past.jumped_at <= _GOES_BACK_WITHIN_S
    return past.jumped > 0.0 and is_recent and abs(change + past.jumped) <= _SAME_SIZE * past.jumped
