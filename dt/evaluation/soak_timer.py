"""What a timer would need, in the box alone: the smallest daily dose by which a plant does as well as in the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dt.simulator.box import Box
from dt.simulator.spec import BoxSpec

_DAY_S, _HOUR_S = 86_400.0, 3600.0
_AT_S = 7.0 * _HOUR_S  # after the start of each day of the run
_MOST_SHARE = 0.25  # of the pot's volume a day
_KNOB_ROUNDS = 9  # to 0.5 ml per litre
_ROUNDS = 7  # halvings: to 0.2 % of the pot's volume


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDay:
    """How a plant does by a timer."""

    days_below_wilting: int
    mean_ks: float


Doses = Mapping[str, float]
IsEnough = Callable[[str, TimerDay], bool]


def lived_by_timer(
    spec: BoxSpec, start_s: float, days: int, doses_ml: Doses, is_worth: IsEnough | None = None
) -> dict[str, TimerDay]:
    """Let a box live by a dose a day for each plant, and say how they did.

    It ends early, with the best that could still have come, once that is not `is_worth` it for some plant.
    """
    box = Box(spec, start_s)
    below = dict.fromkeys(box.pots, 0)
    ks = dict.fromkeys(box.pots, 0.0)
    for day in range(days):
        began_s = start_s + day * _DAY_S
        for plant_id, ml in doses_ml.items():
            if ml > 0.0:
                box.pour(plant_id, began_s + _AT_S, ml)
        is_below = dict.fromkeys(box.pots, False)
        for hour in range(1, 25):
            box.advance(began_s + hour * _HOUR_S)
            for plant_id, pot in box.pots.items():
                is_below[plant_id] |= pot.soil.root_vwc < pot.spec.wilting
                ks[plant_id] += pot.soil.stress()
        for plant_id, was_below in is_below.items():
            below[plant_id] += was_below
        if is_worth is not None:
            best = _at_best(below, ks, day + 1, days)
            if not all(is_worth(plant_id, one) for plant_id, one in best.items()):
                return best
    return _at_best(below, ks, days, days)


def _at_best(below: Mapping[str, int], ks: Mapping[str, float], lived: int, days: int) -> dict[str, TimerDay]:
    """Return how plants do over all days, should none suffer any more; sums are of days and of hours."""
    left = 24.0 * (days - lived)
    return {name: TimerDay(days_below_wilting=below[name], mean_ks=(ks[name] + left) / (24.0 * days)) for name in below}


def as_much_to_all(spec: BoxSpec, ml_per_l: float) -> dict[str, float]:
    """Return the dose of each plant (ml) by a timer's one knob, by the pots' volumes."""
    return {pot.plant_id: ml_per_l * pot.volume_ml / 1000.0 for pot in spec.pots}


def one_knob(spec: BoxSpec, start_s: float, days: int, is_enough: IsEnough, at_least: float = 0.0) -> float:
    """Return the smallest daily ml per litre of pot, no less than `at_least`, that is enough for all of a box.

    What is enough must still be so with fewer days below wilting and with less stress: hopeless doses end early.
    """

    def suffices(ml_per_l: float) -> bool:
        lived = lived_by_timer(spec, start_s, days, as_much_to_all(spec, ml_per_l), is_enough)
        return all(is_enough(plant_id, one) for plant_id, one in lived.items())

    if suffices(at_least):
        return at_least
    low, high = at_least, 1000.0 * _MOST_SHARE
    for _ in range(_KNOB_ROUNDS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def smallest_doses(spec: BoxSpec, start_s: float, days: int, is_enough: IsEnough) -> dict[str, float]:
    """Return the smallest daily dose of each plant (ml) that is enough, all searched at once by halving.

    Plants of one box share their air, so that each one's dose matters a little to the others.
    """
    volumes = {pot.plant_id: pot.volume_ml for pot in spec.pots}
    low = dict.fromkeys(volumes, 0.0)
    high = {plant_id: _MOST_SHARE * ml for plant_id, ml in volumes.items()}
    for _ in range(_ROUNDS):
        middle = {plant_id: 0.5 * (low[plant_id] + high[plant_id]) for plant_id in volumes}
        for plant_id, lived in lived_by_timer(spec, start_s, days, middle).items():
            (high if is_enough(plant_id, lived) else low)[plant_id] = middle[plant_id]
    return high
