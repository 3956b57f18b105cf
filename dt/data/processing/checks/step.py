"""Changes that are faster than nature, and the level that they lead to: suspect (ISMN D06 and D07, breaks)."""

from __future__ import annotations

import math

from dt.data.processing.checks.sample import Sample
from dt.data.processing.checks.stuck import is_surprising
from dt.data.processing.course import SHORT_S, Course
from dt.data.processing.thresholds import Thresholds
from dt.utils.dataclasses import Quality, Verdict

_SAME_SIZE = 0.2
_WAY_BACK = 0.5  # of what is unexplained; a change of this size against it is the way back
_IN_AIR = 2.0  # slow rises above nothing
_GOES_BACK_WITHIN_S = 7 * 86_400.0
_TREMBLES = 3.0
_CALM = 0.5  # of the limit: soil that nobody waters loses nothing at once
_USUAL_STEPS = 15.0
_SINKS_IN = 0.6  # of a watering, at once
_CALM_AFTER_S = 3 * 3600.0


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
    if limits.rise_per_min is None or limits.fall_per_min is None or not past.count:
        return 0.0
    offset = past.offset
    if offset == 0.0 and abs(change) <= _CALM * limits.fall_per_min:  # nearly all readings end here
        return 0.0
    rise, fall = _limits(past, limits, elapsed_s, timestamp)
    is_back = change * offset < 0.0 and abs(change) >= _WAY_BACK * abs(offset)
    is_step = is_back or not -fall <= change <= rise
    if is_step and offset == 0.0 and (_is_release(past, limits) or _goes_back(past, limits, change, timestamp)):
        return 0.0
    if offset != 0.0 and timestamp - past.offset_at > limits.step_held_s:
        return 0.0
    if is_step:
        offset += change
    return 0.0 if -fall <= offset <= rise else offset


def _limits(past: Course, limits: Thresholds, elapsed_s: float, timestamp: float) -> tuple[float, float]:
    """Return how far the value may rise and fall since the last reading."""
    rise, fall = limits.rise_per_min or 0.0, limits.fall_per_min or 0.0
    if past.offset < 0.0:
        rise = fall
    if limits.slow_rise is not None and timestamp - max(past.rise.sharp_at, past.since) <= _CALM_AFTER_S:
        fall = max(fall, _SINKS_IN * past.jumped)
    elif limits.slow_rise is not None:
        fall = max(_CALM * fall, min(fall, _USUAL_STEPS * past.steps))
    longer = math.sqrt(max(1.0, elapsed_s / SHORT_S))
    rise, fall = min(rise * longer, limits.step_most), min(fall * longer, limits.step_most)
    if limits.noise_most is not None and past.noise.now > limits.noise_most:  # the steps are the noise
        rise, fall = max(rise, _TREMBLES * past.noise.now), max(fall, _TREMBLES * past.noise.now)
    return rise, fall


def _is_release(past: Course, limits: Thresholds) -> bool:
    """Return whether the level before was a plateau that is over now, even if it was too early to name it."""
    if past.quality is not None and past.quality.check == "stuck":
        return True
    return limits.stuck_s is not None and is_surprising(past, past.at - past.run_since, limits.stuck_s)


def _goes_back(past: Course, limits: Thresholds, change: float, timestamp: float) -> bool:
    """Return whether a change undoes one that was believed: then that one was wrong. A probe in air undid nothing."""
    if limits.slow_rise is not None and limits.plausible is not None:
        in_air = limits.plausible[0] + _IN_AIR * limits.slow_rise
        if past.value + change < in_air:
            return False
    is_recent = timestamp - past.jumped_at <= _GOES_BACK_WITHIN_S
    return change * past.jumped < 0.0 and is_recent and abs(change + past.jumped) <= _SAME_SIZE * abs(past.jumped)
