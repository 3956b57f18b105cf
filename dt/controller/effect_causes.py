"""What keeps water from the soil, or brings it there: a table of causes with what speaks for each and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_AIR_LEVEL = 0.03  # m3/m3: a capacitive probe in air reads close to 0
_PULLED_DROP = 0.05  # m3/m3: soil does not lose as much in the minutes after a dose
_NEARLY_EMPTY = 0.1  # of what the reservoir holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known after a dose without its effect; water in ml, moisture in m3/m3."""

    before: float
    after: float
    reservoir_left_ml: float | None = None
    reservoir_ml: float | None = None
    dose_ml: float = 0.0
    others_without_effect: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause: when it is likely, what it is, what to do about it."""

    name: str
    is_likely: Callable[[Evidence], bool]
    words: str
    advice: str


def _is_probe_out(seen: Evidence) -> bool:
    return seen.after < _AIR_LEVEL or seen.after < seen.before - _PULLED_DROP


def _is_empty(seen: Evidence) -> bool:
    if seen.others_without_effect:
        return True
    if seen.reservoir_left_ml is None:
        return False
    least_ml = _NEARLY_EMPTY * (seen.reservoir_ml or 0.0)
    return seen.reservoir_left_ml <= max(least_ml, seen.dose_ml)


NO_EFFECT: tuple[Cause, ...] = (
    Cause(
        name="probe_out",
        is_likely=_is_probe_out,
        words="the probe may be out of the soil",
        advice="Push the probe back into the soil, down to its line.",
    ),
    Cause(
        name="reservoir_empty",
        is_likely=_is_empty,
        words="the reservoir may be empty",
        advice="Fill the reservoir and say so on the dashboard.",
    ),
    Cause(
        name="line_blocked",
        is_likely=lambda seen: not _is_probe_out(seen),
        words="the hose may be blocked, kinked or off, or the pump dry",
        advice="Let the pump run for a moment (prime) and see whether water comes out at the pot.",
    ),
    Cause(
        name="relay_open",
        is_likely=lambda seen: not _is_probe_out(seen) and not _is_empty(seen),
        words="the relay or its supply may not switch the pump on",
        advice="Listen for the pump; measure its supply while it should run.",
    ),
)

WEAK_EFFECT: tuple[Cause, ...] = (
    Cause(
        name="leak",
        is_likely=lambda _seen: True,
        words="water may leak from the hose or a joint",
        advice="Look for water on the floor and along the hose while the pump runs for a moment (prime).",
    ),
    Cause(
        name="partly_blocked",
        is_likely=lambda _seen: True,
        words="the line may be partly blocked",
        advice="Catch what the pump gives in 10 s, and calibrate its flow if it is less than it was.",
    ),
    Cause(
        name="low_can",
        is_likely=lambda _seen: True,
        words="the reservoir may be low",
        advice="Fill the reservoir and say so on the dashboard.",
    ),
    Cause(
        name="probe_moved",
        is_likely=lambda _seen: True,
        words="the probe may have been moved",
        advice="See that the probe sits as deep as before.",
    ),
)

UNASKED_ADVICE = (
    "If nobody watered by hand: take the pump off its supply and look for a siphon (the hose's end lies below the "
    "water's level), a leak, or a relay that is welded on."
)


def likely_causes(seen: Evidence) -> list[Cause]:
    """Return the causes that the evidence speaks for, likeliest first.

    >>> [cause.name for cause in likely_causes(Evidence(before=0.2, after=0.01))]
    ['probe_out']
    >>> [cause.name for cause in likely_causes(Evidence(before=0.2, after=0.2, reservoir_left_ml=20.0, dose_ml=50.0))]
    ['reservoir_empty', 'line_blocked']
    """
    return [cause for cause in NO_EFFECT if cause.is_likely(seen)]
