"""Readings that tremble more than they used to: suspect."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict

_TIMES_THE_USUAL = 2.5  # of the highest of a day, which is about 1.6 times its mean
_CALMS_DOWN = 0.6  # to this part of what began the doubt
_SETTLED = 15  # readings


def noise(sample: Sample) -> Quality | None:
    """Doubt a sensor whose noise is several times that of its past days, or more than any good one has."""
    past, limits = sample.past, sample.limits
    now = past.noise.now
    if limits.noise is None or limits.noise_most is None or now <= limits.noise or past.count < _SETTLED:
        return None
    if past.cadence_s > limits.noise_pause_s:
        return None
    changes = f"changes of {now:.2g} {sample.unit} from reading to reading"
    usual = past.noise.usual()
    if past.quality is not None and past.quality.check == "noise":
        now /= _CALMS_DOWN
    if usual is not None and now > _TIMES_THE_USUAL * usual:
        why = f"{changes}, and at most {usual:.2g} on past days"
    elif now > limits.noise_most:
        why = f"{changes}, more than {limits.noise_most:g}"
    else:
        return None
    return Quality(verdict=Verdict.SUSPECT, check="noise", why=why)
