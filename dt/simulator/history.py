"""The past of a box: what its sensors would have measured, and a past that leads to a thirsty present."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dt.simulator.box import Box
from dt.simulator.sensing import Senses, vwc_from_counts
from dt.simulator.spec import BoxSpec
from dt.simulator.weather import Weather
from dt.utils.quantities import Quantity, Unit

_DAY_S = 86_400.0
_LAST_WATERING_DAYS = (3.0, 2.0, 1.2, 0.5)  # tried in this order until one fits
_EARLIER_WATERINGS_EVERY_DAYS = 3.5
_HOME_AT_H = 18.4
_WATERED_TO_VWC = 0.43
_MARGIN_VWC = 0.006
_TOLERANCE_VWC = 0.0015
_MOST_SEARCHES = 24


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at every quantity, as the drivers would have given it."""

    timestamp: float
    soil_moisture_counts: int
    temperature_degc: float
    humidity_pct: float
    light_lux: float

    def readings(self) -> tuple[tuple[Quantity, float, Unit], ...]:
        """Return the look as (quantity, value, unit)."""
        return (
            (Quantity.SOIL_MOISTURE, float(self.soil_moisture_counts), Unit.COUNT),
            (Quantity.TEMPERATURE, self.temperature_degc, Unit.DEGREE_CELSIUS),
            (Quantity.HUMIDITY, self.humidity_pct, Unit.PERCENT),
            (Quantity.LIGHT_INTENSITY, self.light_lux, Unit.LUX),
        )


def history(box: Box, since_s: float, until_s: float, every_s: float = 60.0) -> Iterator[Sample]:
    """Step the box from `since_s` to `until_s` and yield a sample every `every_s`, the last before `until_s`.

    Afterwards the box stands at `until_s` and can live on.
    """
    senses = Senses.of(box)
    count = max(0, round((until_s - since_s) / every_s))
    for index in range(count):
        at_s = since_s + index * every_s
        box.advance(at_s)
        yield Sample(
            at_s, senses.moisture_counts(), senses.air_degc(), senses.humidity_pct(), round(senses.light_lux(), 2)
        )
    box.advance(until_s)


def prepare_demo_box(spec: BoxSpec, since_s: float, until_s: float, dry_vwc: float | None = None) -> Box:
    """Return a box at `since_s` that is watered by hand on its way and stands just below the dry limit at `until_s`.

    The limit (m3/m3, default the pot's own) is met by what the probe will say, whatever the time of day. The same spec
    and times give the same box.
    """
    target_vwc = (spec.pot.limits.soil_moisture_low if dry_vwc is None else dry_vwc) - _MARGIN_VWC
    for days in _LAST_WATERING_DAYS:
        last_s = max(since_s + 3600.0, _evening_before(spec, until_s - days * _DAY_S))
        pours = _earlier_pours(spec, since_s, last_s)
        at_last = _made(spec, since_s, pours)
        at_last.advance(last_s)
        amount_ml = _amount_that_leads_to(at_last, until_s, target_vwc)
        if amount_ml is not None:
            return _made(spec, since_s, [*pours, (last_s, amount_ml)])
    return _made(_filled_as_needed(spec, since_s, until_s, target_vwc), since_s, [])


def _made(spec: BoxSpec, since_s: float, pours: list[tuple[float, float]]) -> Box:
    box = Box(spec, since_s)
    for at_s, amount_ml in pours:
        if amount_ml > 0.0:
            box.pour(at_s, amount_ml)
    return box


def _earlier_pours(spec: BoxSpec, since_s: float, last_s: float) -> list[tuple[float, float]]:
    """Somebody fills the pot up every few days until the last watering."""
    gap_s = _EARLIER_WATERINGS_EVERY_DAYS * _DAY_S
    times = []
    at_s = _evening_before(spec, last_s - gap_s)
    while at_s > since_s + 0.5 * _DAY_S:
        times.append(at_s)
        at_s = _evening_before(spec, at_s - gap_s)
    box = Box(spec, since_s)
    pours = []
    for at_s in reversed(times):
        box.advance(at_s)
        amount_ml = max(0.0, (_WATERED_TO_VWC - box.soil.vwc) * spec.pot.volume_ml)
        box.pour(at_s, amount_ml)
        pours.append((at_s, amount_ml))
    return pours


def _evening_before(spec: BoxSpec, at_s: float) -> float:
    """People water when they come home."""
    hours = (Weather(spec.site, spec.seed).local_hour(at_s) - _HOME_AT_H) % 24.0
    return at_s - 3600.0 * hours


def _amount_that_leads_to(at_last: Box, until_s: float, target_vwc: float) -> float | None:
    """Search the last watering; None when neither nothing nor a full pot leads there."""

    def ends_at(amount_ml: float) -> float:
        box = copy.deepcopy(at_last)
        box.pour(box.now_s, amount_ml)
        return _measured_at(box, until_s)

    room_ml = (at_last.spec.pot.capacity - at_last.soil.vwc) * at_last.spec.pot.volume_ml
    return _halved(ends_at, 0.0, max(0.0, room_ml), target_vwc)


def _filled_as_needed(spec: BoxSpec, since_s: float, until_s: float, target_vwc: float) -> BoxSpec:
    """A past too short for a watering begins with a pot that dries down to the target."""

    def of(vwc: float) -> BoxSpec:
        return replace(spec, pot=replace(spec.pot, initial_vwc=vwc))

    def ends_at(vwc: float) -> float:
        return _measured_at(Box(of(vwc), since_s), until_s)

    vwc = _halved(ends_at, spec.pot.wilting, spec.pot.capacity, target_vwc)
    return spec if vwc is None else of(vwc)


def _measured_at(box: Box, at_s: float) -> float:
    """Let a box live until then, and say what its probe would say, in m3/m3."""
    box.advance(at_s)
    return vwc_from_counts(Senses.of(box).expected_counts())


def _halved(ends_at: Callable[[float], float], low: float, high: float, target: float) -> float | None:
    """Return where a growing function meets the target, within the tolerance; None when it is not between the ends."""
    if not ends_at(low) <= target <= ends_at(high):
        return None
    for _ in range(_MOST_SEARCHES):
        middle = 0.5 * (low + high)
        error = ends_at(middle) - target
        if abs(error) < _TOLERANCE_VWC:
            return middle
        low, high = (low, middle) if error > 0.0 else (middle, high)
    return None
