"""What a dose should do to the soil, and what it did: pure arithmetic (S7). Moisture in m3/m3, water in ml."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_ML_PER_L = 1000.0
_LEAST_SHARE = 1.0 / 3.0  # of the expected rise; the probe sees one place of the pot
_MOST_SHARE = 3.0  # likewise: water runs past a probe in the top layer before it spreads
_NOISE = 0.003  # m3/m3: a capacitive probe after calibration
_NOISES = 2.0
_PER_K = 0.003  # m3/m3 per K: what warmth does to capacitive probes; a factor that is taken against us both ways


class Effect(StrEnum):
    """What a dose did, as far as the probe can tell."""

    SEEN = "seen"
    MISSING = "missing"
    UNCERTAIN = "uncertain"  # a change of temperature could have made or hidden it
    TOO_SMALL = "too_small"  # less than the readings' noise was to be expected
    UNKNOWN = "unknown"  # no readings since
    EXCESSIVE = "excessive"  # more than the dose explains
    WEAK = "weak"  # much less than the doses of this pump usually do


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A pot before and after its dose: medians, the larger half range, warming in K, and the drift before it, per s."""

    before: float
    after: float
    spread: float
    warming_k: float = 0.0
    drift_per_s: float = 0.0
    seconds: float = 0.0


def expected_rise(delivered_ml: float, pot_volume_l: float, before: float, high: float) -> float:
    """Return the rise that a bucket of the pot's volume shows; what would go above the upper limit may drain.

    >>> expected_rise(50.0, 1.0, 0.20, 0.45)
    0.05
    >>> round(expected_rise(500.0, 1.0, 0.20, 0.45), 3)
    0.25
    """
    return min(delivered_ml / (pot_volume_l * _ML_PER_L), max(0.0, high - before))


def measured_rise(seen: Measured) -> float:
    """Return the rise without the drift that there was before the dose (drying is no drift: it only hides a rise).

    >>> round(measured_rise(Measured(before=0.20, after=0.26, spread=0.0, drift_per_s=1e-5, seconds=1000.0)), 3)
    0.05
    """
    return seen.after - seen.before - max(0.0, seen.drift_per_s) * seen.seconds


def warmth_of(seen: Measured) -> float:
    """Return how much of a rise warmth may have made or hidden."""
    return _PER_K * abs(seen.warming_k)


def judge(expected: float, seen: Measured, poured: float = 0.0) -> Effect:
    """Return what the dose did; warmth that could have made the rise, or hidden it, makes it uncertain.

    `poured` is the rise if nothing drained: what is too much is measured by it, where the upper limit lies below.

    >>> (
    ...     judge(0.06, Measured(before=0.2, after=0.25, spread=0.002)),
    ...     judge(0.06, Measured(before=0.2, after=0.2, spread=0.0)),
    ... )
    (<Effect.SEEN: 'seen'>, <Effect.MISSING: 'missing'>)
    >>> judge(0.05, Measured(before=0.40, after=0.552, spread=0.002), poured=0.075)  # 150 ml on two litres, high 0.45
    <Effect.SEEN: 'seen'>
    """
    least, rise, warmth = expected * _LEAST_SHARE, measured_rise(seen), warmth_of(seen)
    if least <= noise_of(seen.spread):
        return Effect.TOO_SMALL
    most = max(expected, poured)
    if rise - warmth >= max(most * _MOST_SHARE, most + 0.1):
        return Effect.EXCESSIVE
    if rise - warmth >= least:
        return Effect.SEEN
    return Effect.MISSING if rise + warmth < least else Effect.UNCERTAIN


def noise_of(spread: float) -> float:
    """Return the smallest rise that is more than chance."""
    return max(_NOISE, _NOISES * spread)


def slope_of(samples: list[tuple[float, float]]) -> float:
    """Return the slope through (seconds, value) by least squares; 0 for fewer than three.

    >>> slope_of([(0.0, 1.0), (10.0, 2.0), (20.0, 3.0)])
    0.1
    """
    if len(samples) < 3:
        return 0.0
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return 0.0 if spread == 0 else sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread
