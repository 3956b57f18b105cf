"""What a box remembers: quick copies of its numbers within a run, and snapshots as JSON from run to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dt.simulator.box import Box, Pour
    from dt.simulator.soil import Soil

SOIL = (
    *("top_ml", "bottom_ml", "pond_ml", "saucer_ml"),
    *("poured_ml", "transpired_ml", "evaporated_ml", "spilled_ml"),
)
GROWTH = ("leaf_area_index", "turgor", "damage", "cover", "oxygen")
POT = ("soil_degc", "transpiration_ml_s", "poured_by_hand_ml")
ZONE = (
    *("air_degc", "mass_degc", "vapour_g_m3", "vpd_kpa", "light_lux", "daylight_lux", "short_wave_w_m2", "latent_w"),
    *("photons_umol_m2_s", "vapour_in_ml", "vapour_out_ml", "condensed_ml"),
)

_LARGEST = 1e15
_LATEST_S = 1e11  # epoch seconds of the year 5138
_LONGEST_STEP_S = 60.5
_SHOWN_DIGITS = 40
_ROUNDING = 1e-6
_SHARE, _DEGC = (-_ROUNDING, 1.0 + _ROUNDING), (-90.0, 150.0)
# What a number of a box can be; every other one is an amount, from 0 to `_LARGEST`.
_RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("turgor", "damage", "cover", "level", "output"), _SHARE),
    **dict.fromkeys(("air_degc", "mass_degc", "soil_degc"), _DEGC),
    **dict.fromkeys(("vapour_in_ml", "vapour_out_ml", "latent_w", "transpiration_ml_s"), (-_LARGEST, _LARGEST)),
}
_FLAGS = frozenset({"is_siphoning"})

Part = tuple[object, tuple[str, ...], Callable[[Any], tuple[Any, ...]]]
State = list[tuple[Any, ...]]


def parts_of(box: Box) -> list[Part]:
    """Return everything in a box that changes by itself, with the names of what changes."""
    found: list[tuple[object, tuple[str, ...]]] = [(zone, ZONE) for zone in box.zones.values()]
    for pot in box.pots.values():
        found += [(pot, POT), (pot.soil, SOIL), (pot.growth, GROWTH)]
    found += [(can, can.STATE) for can in box.reservoirs.values()]
    found += [(device, device.STATE) for device in box.devices.values() if len(device.STATE) > 1]
    return [(part, names, attrgetter(*names)) for part, names in found]


def save(parts: Sequence[Part]) -> State:
    """Return the numbers of all parts."""
    return [get(part) for part, _names, get in parts]


def load(parts: Sequence[Part], state: State) -> None:
    """Put the numbers back."""
    for (part, names, _get), values in zip(parts, state, strict=True):
        for name, value in zip(names, values, strict=True):
            setattr(part, name, value)


def snapshot(box: Box) -> dict[str, object]:
    """Return all that a box needs to live on exactly so, as plain JSON."""
    seen_s = box.now_s
    with box.at_grid_point() as pours:
        return {
            "now_s": box.now_s,
            "seen_s": seen_s,
            "grid_s": box.grid_s,
            "zones": {name: _read(zone, ZONE) for name, zone in box.zones.items()},
            "pots": {
                name: {"soil": _read(pot.soil, SOIL), "growth": _read(pot.growth, GROWTH), **_read(pot, POT)}
                for name, pot in box.pots.items()
            },
            "reservoirs": {name: _read(can, can.STATE) for name, can in box.reservoirs.items()},
            "devices": {
                name: {**_read(device, device.STATE), "defect": asdict(device.defect)}
                for name, device in box.devices.items()
            },
            "pours": [list(pour) for pour in pours],
        }


def restoring(box: Box, kept: Mapping[str, Any]) -> Callable[[], None]:
    """Check a snapshot, and return what takes it up; KeyError, TypeError or ValueError when it does not fit the box."""
    times = _times(kept)
    changes: list[tuple[object, dict[str, Any]]] = []
    for name, zone in box.zones.items():
        changes.append((zone, _taken(kept["zones"][name], ZONE)))
    for name, pot in box.pots.items():
        entry = kept["pots"][name]
        changes += [(pot, _taken(entry, POT)), (pot.soil, _taken(entry["soil"], SOIL))]
        changes.append((pot.growth, _taken(entry["growth"], GROWTH)))
        _ensure_held(pot.soil, entry["soil"])
    for name, can in box.reservoirs.items():
        changes.append((can, _taken(kept["reservoirs"][name], can.STATE)))
    defects = []
    for name, device in box.devices.items():
        entry = kept["devices"][name]
        changes.append((device, _taken(entry, device.STATE)))
        defects.append((device, _defect(device.healthy, entry["defect"])))
    pours = [_pour(pour, box) for pour in kept["pours"]]

    def take() -> None:
        box.settle()
        for part, values in changes:
            for name, value in values.items():
                setattr(part, name, value)
        for device, defect in defects:
            device.defect = defect
        box.pours[:] = pours
        box.grid_s, box.now_s = times["grid_s"], times["now_s"]
        box.advance(times["seen_s"])

    return take


def _read(part: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(part, name) for name in names}


def _taken(entry: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: _flag(name, entry[name]) if name in _FLAGS else _number(name, entry[name]) for name in names}


def _times(kept: Mapping[str, Any]) -> dict[str, float]:
    """Return when a box stood: its grid begins, then comes the settled moment, then, within a step, what was seen."""
    times = {name: _finite(name, kept[name], 0.0, _LATEST_S) for name in ("grid_s", "now_s", "seen_s")}
    if not times["grid_s"] <= times["now_s"] <= times["seen_s"] <= times["now_s"] + _LONGEST_STEP_S:
        msg = f"grid_s, now_s and seen_s must ascend, the last two within {_LONGEST_STEP_S:g} s"
        raise ValueError(msg)
    return times


def _defect(healthy: object, entry: Mapping[str, Any]) -> Any:
    """Return a defect of a kind; each part of it is of the healthy one's type."""
    names = asdict(healthy)  # type: ignore[call-overload]
    values = {name: _flag(name, entry[name]) if isinstance(names[name], bool) else entry[name] for name in entry}
    shares = {name: _finite(name, value, *_SHARE) for name, value in values.items() if not isinstance(value, bool)}
    return type(healthy)(**{**values, **shares})


def _ensure_held(soil: Soil, entry: Mapping[str, Any]) -> None:
    """Refuse more water in a layer than its pores hold."""
    for name, volume_ml in (("top_ml", soil.top_volume_ml), ("bottom_ml", soil.bottom_volume_ml)):
        _finite(name, entry[name], -_ROUNDING, soil.pot.porosity * volume_ml + _ROUNDING)


def _number(name: str, value: object) -> float:
    low, high = _RANGES.get(name, (-_ROUNDING, _LARGEST))
    return _finite(name, value, low, high)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        msg = f"{name} must be true or false, not {str(value)[:_SHOWN_DIGITS]}"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for a file that cannot be
    return value


def _finite(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        msg = f"{name} must be a number from {low:g} to {high:g}, not {str(value)[:_SHOWN_DIGITS]}"
        raise ValueError(msg)
    return float(value)


def _pour(entry: Sequence[Any], box: Box) -> Pour:
    at_s, plant_id, amount_ml = entry
    at_s = _finite("pours", at_s, 0.0, _LATEST_S)
    return at_s, box.pots[plant_id].plant_id, _finite("pours", amount_ml, 0.0, _LARGEST)
