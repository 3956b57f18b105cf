"""What a box remembers: quick copies of its numbers within a run, and snapshots as JSON from run to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dt.simulator.box import Box, Pour

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
_SHOWN_DIGITS = 40

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


def restore(box: Box, kept: Mapping[str, Any]) -> None:
    """Take up a snapshot; KeyError, TypeError or ValueError, and no change, when it does not fit the box."""
    times = {name: _finite(kept[name]) for name in ("now_s", "seen_s", "grid_s")}
    changes: list[tuple[object, dict[str, Any]]] = []
    for name, zone in box.zones.items():
        changes.append((zone, _taken(kept["zones"][name], ZONE)))
    for name, pot in box.pots.items():
        entry = kept["pots"][name]
        changes += [(pot, _taken(entry, POT)), (pot.soil, _taken(entry["soil"], SOIL))]
        changes.append((pot.growth, _taken(entry["growth"], GROWTH)))
    for name, can in box.reservoirs.items():
        changes.append((can, _taken(kept["reservoirs"][name], can.STATE)))
    defects = []
    for name, device in box.devices.items():
        entry = kept["devices"][name]
        changes.append((device, _taken(entry, device.STATE)))
        defects.append((device, type(device.healthy)(**entry["defect"])))
    pours = [_pour(pour, box) for pour in kept["pours"]]
    box.settle()
    for part, values in changes:
        for name, value in values.items():
            setattr(part, name, value)
    for device, defect in defects:
        device.defect = defect
    box.pours[:] = pours
    box.grid_s, box.now_s = times["grid_s"], times["now_s"]
    box.advance(times["seen_s"])


def _read(part: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(part, name) for name in names}


def _taken(entry: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: entry[name] if isinstance(entry[name], bool) else _finite(entry[name]) for name in names}


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        msg = f"a box holds finite amounts, not {str(value)[:_SHOWN_DIGITS]}"
        raise ValueError(msg)
    return float(value)


def _pour(entry: Sequence[Any], box: Box) -> Pour:
    at_s, plant_id, amount_ml = entry
    return _finite(at_s), box.pots[plant_id].plant_id, _finite(amount_ml)
