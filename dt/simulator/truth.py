"""The truth of a box in plain words and numbers, and where its water is. For evaluation only."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dt.plant.evapotranspiration import ALBEDO, reference_mm_h
from dt.simulator.air import transpiration_ml_s
from dt.simulator.devices import Device, Pump
from dt.simulator.growth import warmth_factor

if TYPE_CHECKING:
    from dt.simulator.box import Box
    from dt.simulator.pot import Pot
    from dt.simulator.zone import ZoneBox

_LEAST_LIGHT_W_M2 = 5.0
_MJ_PER_W_H = 0.0036


def state(box: Box) -> dict[str, object]:
    """Return everything that there is to know of a box."""
    return {
        "timestamp": box.now_s,
        "zones": {name: _zone(zone) for name, zone in box.zones.items()},
        "pots": {name: _pot(pot) for name, pot in box.pots.items()},
        "devices": {name: _device(device) for name, device in box.devices.items()},
        "reservoirs": {name: {"content_ml": can.content_ml} for name, can in box.reservoirs.items()},
        "water_ml": water(box),
    }


def water(box: Box) -> dict[str, float]:
    """Return in ml what is `held` now, was `gained` (by hand, into cans, as vapour) and `lost` to outside."""
    pots, zones = box.pots.values(), box.zones.values()
    cans, pumps = box.reservoirs.values(), [d for d in box.devices.values() if isinstance(d, Pump)]
    return {
        "held": sum(pot.soil.stored_ml for pot in pots)
        + sum(can.content_ml for can in cans)
        + sum(zone.vapour_ml for zone in zones),
        "gained": sum(pot.poured_by_hand_ml for pot in pots)
        + sum(can.filled_ml for can in cans)
        + sum(zone.vapour_in_ml for zone in zones),
        "lost": sum(pot.soil.spilled_ml for pot in pots)
        + sum(pump.leaked_ml for pump in pumps)
        + sum(zone.vapour_out_ml + zone.condensed_ml for zone in zones),
    }


def crop_coefficient(pot: Pot) -> float | None:
    """Return what the plant would give off without stress over the grass reference in the same air (FAO-56 eq. 58).

    None in the dark, where FAO-56 knows a reference of almost nothing.
    """
    zone, growth = pot.zone, pot.growth
    if zone.short_wave_w_m2 < _LEAST_LIGHT_W_M2:
        return None
    net_mj_m2_h = (1.0 - ALBEDO) * zone.short_wave_w_m2 * _MJ_PER_W_H
    reference = reference_mm_h(zone.air_degc, zone.vpd_kpa, net_mj_m2_h)
    ground_m2 = pot.spec.ground_m2
    wanted = transpiration_ml_s(
        zone.short_wave_w_m2, zone.vpd_kpa, growth.leaf_area_index, growth.cover, ground_m2
    )  # 1 ml/m2 is 0.001 mm
    return 3.6 * wanted * (1.0 - growth.damage) / ground_m2 / reference


def _zone(zone: ZoneBox) -> dict[str, object]:
    return {
        "air": {
            "temperature_degc": zone.air_degc,
            "humidity_pct": zone.humidity_pct,
            "vapour_g_m3": zone.vapour_g_m3,
            "vpd_kpa": zone.vpd_kpa,
            "walls_degc": zone.mass_degc,
        },
        "light": {
            "lux": zone.light_lux,
            "daylight_lux": zone.daylight_lux,
            "ppfd_umol_m2_s": zone.photons_umol_m2_s,
            "lamp": zone.is_lamp_on,
        },
        "totals_ml": {
            "vapour_in": zone.vapour_in_ml,
            "vapour_out": zone.vapour_out_ml,
            "condensed": zone.condensed_ml,
        },
    }


def _pot(pot: Pot) -> dict[str, object]:
    soil, growth = pot.soil, pot.growth
    return {
        "zone_id": pot.spec.zone_id,
        "species": pot.spec.species.name,
        "soil": {
            "vwc_top": soil.vwc_top,
            "vwc_bottom": soil.vwc_bottom,
            "vwc": soil.vwc,
            "water_ml": soil.stored_ml,
            "pond_ml": soil.pond_ml,
            "saucer_ml": soil.saucer_ml,
            "temperature_degc": pot.soil_degc,
        },
        "plant": {
            "ks": soil.stress(),
            "kc": crop_coefficient(pot),
            "aeration": soil.aeration(),
            "root_oxygen": growth.oxygen,
            "warmth_factor": warmth_factor(pot.spec, pot.zone.air_degc),
            "transpiration_ml_h": 3600.0 * pot.transpiration_ml_s,
            "leaf_area_m2": growth.leaf_area_m2,
            "leaf_area_index": growth.leaf_area_index * (1.0 - growth.damage),
            "canopy_cover": growth.visible_cover,
            "turgor": growth.turgor,
            "damage": growth.damage,
        },
        "totals_ml": {
            "poured": soil.poured_ml,
            "by_hand": pot.poured_by_hand_ml,
            "transpired": soil.transpired_ml,
            "evaporated": soil.evaporated_ml,
            "spilled": soil.spilled_ml,
        },
    }


def _device(device: Device[Any, Any]) -> dict[str, object]:
    numbers = {name: getattr(device, name) for name in device.STATE}
    return {"kind": device.kind, **numbers, "defect": asdict(device.defect)}
