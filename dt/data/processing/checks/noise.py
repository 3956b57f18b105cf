"""Readings that tremble more than they used to: suspect."""

from __future__ import annotations

from dt.data.processing.checks.sample import Sample
from dt.utils.dataclasses import Quality, Verdict

_TIMES_THE_USUAL = 4.0
_SETTLED = 15  # readings
_DENSE_S = 900.0  # with longer pauses weather itself looks like noise


def noise(sample: Sample) -> Quality | None:
    """Doubt a sensor whose noise is several times that of its past days, or more than any good one has."""
    past, limits = sample.past, sample.limits
    now = past.noise.now
    if limits.noise is None or limits.noise_most is None or now <= limits.noise or past.count < _SETTLED:
        return None
    usual = past.noise.usual()
    if usual is not None and now > _TIMES_THE_USUAL * usual:
        why = f"changes of {now:.2g} {sample.unit} from reading to reading, and at most {usual:.2g} on past days"
    elif now > limits.noise_most and past.cadence_s <= _DENSE_S:
        why = f"changes of {now:.2g} {sample.unit} from reading to reading, more than {limits.noise_most:g}"
    else:
        return None
    return Quality(verdict=Verdict.SUSPECT, check="noise", why=why)
