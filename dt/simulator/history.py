"""The past of a box: what its sensors would have measured, and a past that leads to a thirsty present."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dt.simulator.board import chip_of
from dt.simulator.box import Box
from dt.simulator.pot import Pot
from dt.simulator.sensing import Senses, vwc_from_counts
from dt.simulator.spec import BoxSpec, PotSpec
from dt.simulator.weather import Weather
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.quantities import Quantity, Unit

_DAY_S = 86_400.0
_LAST_WATERING_DAYS = (3.0, 2.0, 1.2, 0.5)  # tried in this order until one fits
_WATERINGS_EVERY_DAYS = (3.5, 3.1, 2.2, 2.7)  # of the first pot, the second, ...
_HOME_AT_H = 18.4
_FILLED_SHARE = 0.8  # of the way from target to upper limit
_MARGIN_VWC = 0.006
_TOLERANCE_VWC = 0.0015
_MOST_SEARCHES = 24

Pours = list[tuple[float, str, float]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at every sensor, as its driver would have given it, in the order of the sensors."""

    timestamp: float
    values: tuple[float, ...]


# Unit, and how a chip is looked at: what has no entry, such as a picture, has no past.
LOOKS: Mapping[Quantity, tuple[Unit, Callable[[Senses], float]]] = {
    Quantity.SOIL_MOISTURE: (Unit.COUNT, lambda senses: float(senses.moisture_counts())),
    Quantity.SOIL_TEMPERATURE: (Unit.DEGREE_CELSIUS, lambda senses: round(senses.soil_degc(), 2)),
    Quantity.TEMPERATURE: (Unit.DEGREE_CELSIUS, Senses.air_degc),
    Quantity.HUMIDITY: (Unit.PERCENT, Senses.humidity_pct),
    Quantity.LIGHT_INTENSITY: (Unit.LUX, lambda senses: round(senses.light_lux(), 2)),
}


def with_past(sensors: Sequence[SensorDescriptor]) -> list[SensorDescriptor]:
    """Return the sensors whose past a box can tell."""
    return [sensor for sensor in sensors if sensor.data_type in LOOKS]


def history(
    box: Box, sensors: Sequence[SensorDescriptor], since_s: float, until_s: float, every_s: float = 60.0
) -> Iterator[Sample]:
    """Step the box from `since_s` to `until_s` and yield a sample every `every_s`, the last before `until_s`.

    The values are those of `with_past(sensors)`. Afterwards the box stands at `until_s` and can live on.
    """
    looks = _looks(box, with_past(sensors))
    for index in range(max(0, round((until_s - since_s) / every_s))):
        at_s = since_s + index * every_s
        box.advance(at_s)
        yield Sample(at_s, tuple(look(senses) for senses, look in looks))
    box.advance(until_s)


def prepare_demo_box(
    spec: BoxSpec,
    since_s: float,
    until_s: float,
    *,
    thirsty: str | None = None,
    dry_vwc: float | None = None,
    probes: Mapping[str, str] | None = None,
) -> Box:
    """Return a box at `since_s` whose pots are watered by hand on their way; one is just too dry at `until_s`.

    That pot is `thirsty` (default: the first); its limit (m3/m3, default its own) is met by what its probe will say,
    whatever the time of day. `probes` names the chip in each pot. The same spec and times give the same box.
    """
    pot = next(pot for pot in spec.pots if thirsty in {None, pot.plant_id})
    target = (pot.limits.soil_moisture_low if dry_vwc is None else dry_vwc) - _MARGIN_VWC
    aim = _Aim(pot.plant_id, (probes or {}).get(pot.plant_id, "chip"), until_s, target)
    for days in _LAST_WATERING_DAYS:
        last_s = max(since_s + 3600.0, _evening_before(spec, pot, until_s - days * _DAY_S))
        pours, at_last = _lived(spec, since_s, aim, last_s)
        amount_ml = aim.amount_from(at_last)
        if amount_ml is not None:
            return _made(spec, since_s, [*pours, (last_s, pot.plant_id, amount_ml)])
    pours, _box = _lived(spec, since_s, aim, since_s)
    return _made(_filled_as_needed(spec, since_s, pours, aim), since_s, pours)


@dataclass(frozen=True, slots=True)
class _Aim:
    """Which probe is to say what at the end."""

    plant_id: str
    chip: str
    until_s: float
    target_vwc: float

    def said_by(self, box: Box) -> float:
        """Let a box live until the end, and say what the probe would say, in m3/m3."""
        box.advance(self.until_s)
        zone_id = box.pots[self.plant_id].spec.zone_id
        return vwc_from_counts(Senses.of(box, zone_id, self.plant_id, self.chip).expected_counts())

    def amount_from(self, at_last: Box) -> float | None:
        """Search the last watering; None when neither nothing nor a full pot leads there."""

        def ends_at(amount_ml: float) -> float:
            box = _copied(at_last)
            box.pour(self.plant_id, box.now_s, amount_ml)
            return self.said_by(box)

        pot = at_last.pots[self.plant_id]
        room_ml = max(0.0, (pot.spec.capacity - pot.soil.vwc) * pot.spec.volume_ml)
        return _met(ends_at, 0.0, room_ml, self.target_vwc)


def _looks(box: Box, sensors: Sequence[SensorDescriptor]) -> list[tuple[Senses, Callable[[Senses], float]]]:
    """Two sensors of one chip share its errors, and its noise."""
    chips: dict[str, Senses] = {}
    looks = []
    for sensor in sensors:
        name = chip_of(sensor)
        if name not in chips:
            chips[name] = Senses.of(box, sensor.zone_id, sensor.plant_id, name)
        looks.append((chips[name], LOOKS[sensor.data_type][1]))
    return looks


def _made(spec: BoxSpec, since_s: float, pours: Pours) -> Box:
    box = Box(spec, since_s)
    for at_s, plant_id, amount_ml in pours:
        box.pour(plant_id, at_s, amount_ml)
    return box


def _lived(spec: BoxSpec, since_s: float, aim: _Aim, last_s: float) -> tuple[Pours, Box]:
    """Return all waterings but the aimed one, and the box at the moment of that, with those to come in mind.

    Somebody fills each pot up every few days; the thirsty one was last filled before `last_s`.
    """
    box = Box(spec, since_s)
    pours: Pours = []
    at_last: Box | None = None
    for at_s, plant_id in sorted(_occasions(spec, since_s, aim, last_s)):
        if at_s > last_s and at_last is None:
            at_last = _copy_at(box, last_s)
        box.advance(at_s)
        pour = (at_s, plant_id, _missing_ml(box.pots[plant_id]))
        pours.append(pour)
        for each in (box, at_last):
            if each is not None:
                each.pour(plant_id, at_s, pour[2])
    return pours, at_last or _copy_at(box, last_s)


def _copy_at(box: Box, at_s: float) -> Box:
    box.advance(at_s)
    return _copied(box)


def _copied(box: Box) -> Box:
    """Return a box that lives by itself; the weather, which nobody changes and which may be long, is the same."""
    return copy.deepcopy(box, {id(zone.weather): zone.weather for zone in box.spec.zones})


def _occasions(spec: BoxSpec, since_s: float, aim: _Aim, last_s: float) -> list[tuple[float, str]]:
    """Return when which pot is filled up: each at a rhythm of its own, all in the evening."""
    found = []
    for index, pot in enumerate(spec.pots):
        gap_s = _WATERINGS_EVERY_DAYS[index % len(_WATERINGS_EVERY_DAYS)] * _DAY_S
        end_s = last_s - gap_s if pot.plant_id == aim.plant_id else aim.until_s + (0.4 * index - 1.0) * _DAY_S
        at_s = _evening_before(spec, pot, end_s)
        while at_s > since_s + 0.5 * _DAY_S:
            if at_s < aim.until_s:
                found.append((at_s, pot.plant_id))
            at_s = _evening_before(spec, pot, at_s - gap_s)
    return found


def _missing_ml(pot: Pot) -> float:
    """Water that fills a pot up, as people do: most of the way from target to upper limit."""
    limits = pot.spec.limits
    full = limits.soil_moisture_target + _FILLED_SHARE * (limits.soil_moisture_high - limits.soil_moisture_target)
    return max(0.0, (full - pot.soil.vwc) * pot.spec.volume_ml)


def _evening_before(spec: BoxSpec, pot: PotSpec, at_s: float) -> float:
    """People water when they come home."""
    zone = next(zone for zone in spec.zones if zone.zone_id == pot.zone_id)
    hours = (Weather(zone.site, zone.weather, spec.seed).local_hour(at_s) - _HOME_AT_H) % 24.0
    return at_s - 3600.0 * hours


def _filled_as_needed(spec: BoxSpec, since_s: float, pours: Pours, aim: _Aim) -> BoxSpec:
    """A past too short for a watering begins with a pot that dries down to the target."""

    def of(vwc: float) -> BoxSpec:
        return replace(
            spec, pots=tuple(replace(p, initial_vwc=vwc) if p.plant_id == aim.plant_id else p for p in spec.pots)
        )

    pot = next(pot for pot in spec.pots if pot.plant_id == aim.plant_id)
    vwc = _met(lambda vwc: aim.said_by(_made(of(vwc), since_s, pours)), pot.wilting, pot.capacity, aim.target_vwc)
    return spec if vwc is None else of(vwc)


def _met(ends_at: Callable[[float], float], low: float, high: float, target: float) -> float | None:
    """Return where a growing function meets the target, within the tolerance; None when it is not between the ends.

    Regula falsi of the Illinois kind: a few evaluations where the function is nearly straight.
    """
    at_low, at_high = ends_at(low) - target, ends_at(high) - target
    if at_low > 0.0 or at_high < 0.0:
        return None
    for _ in range(_MOST_SEARCHES):
        middle = low - at_low * (high - low) / (at_high - at_low) if at_high > at_low else low
        error = ends_at(middle) - target
        if abs(error) < _TOLERANCE_VWC:
            return middle
        if error > 0.0:
            high, at_high, at_low = middle, error, 0.5 * at_low
        else:
            low, at_low, at_high = middle, error, 0.5 * at_high
    return None
