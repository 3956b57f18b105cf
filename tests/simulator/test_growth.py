"""Plants grow with light, warmth and water, hang when thirsty, and die when that lasts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dt.plant.species import species_of
from dt.simulator.box import Box
from dt.simulator.spec import LAMP, PLANT, BoxSpec, LampSpec, PotSpec, WeatherSpec, ZoneSpec

START = 1_800_000_000.0
DAY = 86_400.0


def young(*, lit: bool = True, degc: float = 22.0, vwc: float = 0.5) -> Box:
    """Return a box with a young plant under its lamp."""
    spec = BoxSpec(
        zones=(ZoneSpec(weather=WeatherSpec(mean_degc=degc)),),
        pots=(PotSpec(species=species_of("basil"), grown_share=0.2, initial_vwc=vwc),),
        lamps=(LampSpec(on_h=0.0, off_h=0.0, lux=20_000.0),),
    )
    box = Box(spec, START)
    box.drive(LAMP, 1.0 if lit else 0.0)
    return box


def live(box: Box, days: float, water_ml: float = 0.0) -> Box:
    """Let days pass, watered every day."""
    end_s = box.now_s + days * DAY
    while box.now_s < end_s:
        box.pour(PLANT, box.now_s, water_ml)
        box.advance(min(end_s, box.now_s + DAY))
    return box


def test_leaves_grow_by_a_logistic_course_up_to_the_species_own_size() -> None:
    """Slow, fast, slow: never beyond the leaf area of the grown plant."""
    box = young()
    sizes = [box.pots[PLANT].growth.leaf_area_index]
    for _week in range(9):
        live(box, 7.0, 120.0)
        sizes.append(box.pots[PLANT].growth.leaf_area_index)
    gains = [after - before for before, after in pairwise(sizes)]

    assert gains.index(max(gains)) not in {0, len(gains) - 1}
    assert sizes == sorted(sizes)
    assert 0.9 * 2.5 < sizes[-1] <= 2.5


@pytest.mark.parametrize("worse", [{"lit": False}, {"degc": 11.0}, {"vwc": 0.17}])
def test_dark_cold_or_dry_plants_grow_less(worse: dict[str, float]) -> None:
    """Each of the three holds growth back on its own."""
    good, bad = young(), young(**worse)  # type: ignore[arg-type]
    before = good.pots[PLANT].growth.leaf_area_index

    gains = [live(box, 4.0).pots[PLANT].growth.leaf_area_index - before for box in (good, bad)]

    assert 0.0 <= gains[1] < 0.6 * gains[0]


def test_thirsty_plant_hangs_within_hours_and_stands_up_again_after_watering() -> None:
    """Wilting lowers the canopy that is seen from above; in time water brings it back."""
    box = young(vwc=0.15)
    growth = box.pots[PLANT].growth
    live(box, 0.5)
    hanging = growth.visible_cover / growth.cover
    live(box, 0.5, 500.0)

    assert hanging < 0.75
    assert growth.visible_cover / growth.cover > 0.98
    assert growth.damage == 0.0


def test_plant_past_the_permanent_wilting_point_does_not_recover() -> None:
    """Days below it leave damage for good; in the end no water helps."""
    box = young(vwc=0.13)
    growth = box.pots[PLANT].growth
    live(box, 2.0)
    hurt = growth.damage
    live(box, 2.0, 400.0)
    later = growth.turgor
    dead = live(young(vwc=0.12), 8.0)
    live(dead, 1.0, 600.0)

    assert 0.3 < hurt < 1.0
    assert later == pytest.approx(1.0 - growth.damage, abs=0.03)
    assert growth.damage == pytest.approx(hurt, abs=0.05)
    assert dead.pots[PLANT].growth.damage == 1.0
    assert dead.pots[PLANT].growth.turgor < 0.02
    assert dead.pots[PLANT].transpiration_ml_s == 0.0


def test_bigger_plants_drink_more() -> None:
    """Transpiration follows the leaf area."""
    small = live(young(), 1.0).pots[PLANT].soil.transpired_ml
    spec = young().spec
    grown = Box(BoxSpec(zones=spec.zones, pots=(PotSpec(initial_vwc=0.5),), lamps=spec.lamps), START)
    grown.drive(LAMP, 1.0)

    assert live(grown, 1.0).pots[PLANT].soil.transpired_ml > 2.0 * small
