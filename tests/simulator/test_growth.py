"""Plants grow with light, warmth and water, hang when thirsty, and die when that lasts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from dt.plant.species import species_of
from dt.simulator.box import Box
from dt.simulator.growth import Growth
from dt.simulator.soil import Soil
from dt.simulator.spec import (
    LAMP,
    PLANT,
    PUMP,
    ZONE,
    AirSpec,
    BoxSpec,
    HeaterSpec,
    LampSpec,
    PotSpec,
    PumpSpec,
    ReservoirSpec,
    WeatherSpec,
    ZoneSpec,
)

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


def drenched(days: float, saucer_ml: float, doses: int = 10) -> Box:
    """Return a grown plant in a pot of two litres after days that began with 300 ml every ten minutes."""
    spec = young().spec
    pot = PotSpec(species=species_of("basil"), initial_vwc=0.5, saucer_ml=saucer_ml)
    box = Box(replace(spec, pots=(pot,)), START)
    box.drive(LAMP, 1.0)
    for dose in range(doses):
        box.pour(PLANT, START + 600.0 * dose, 300.0)
    box.advance(START + days * DAY)
    return box


def test_plant_that_stands_in_water_drinks_less_wilts_and_loses_leaves() -> None:
    """A planter without a hole keeps its lower roots without air for days; a saucer's worth harms little."""
    drowned, drained = (drenched(4.0, saucer_ml) for saucer_ml in (3000.0, 300.0))
    wet, fine = (box.state()["pots"][PLANT]["plant"] for box in (drowned, drained))  # type: ignore[index]

    assert (fine["aeration"], fine["damage"]) == (1.0, 0.0)
    assert wet["aeration"] < 0.5
    assert wet["turgor"] < 0.9 * fine["turgor"]
    assert wet["damage"] > 0.05
    assert wet["leaf_area_m2"] < 0.9 * fine["leaf_area_m2"]
    assert drowned.pots[PLANT].soil.transpired_ml < 0.8 * drained.pots[PLANT].soil.transpired_ml


def test_drenching_once_harms_nothing() -> None:
    """Minutes under water are borne: the pot drains, and the roots breathe again."""
    growth = drenched(1.0, saucer_ml=300.0, doses=5).pots[PLANT].growth

    assert growth.damage == 0.0
    assert growth.oxygen > 0.95


@pytest.mark.parametrize(("capacity", "porosity"), [(0.55, 0.75), (0.70, 0.75), (0.745, 0.75)])
def test_roots_have_air_up_to_capacity_and_none_at_saturation(capacity: float, porosity: float) -> None:
    """Feddes' alpha: 1 at capacity in any soil, falling, 0 when all pores are full."""
    pot = PotSpec(capacity=capacity, porosity=porosity)

    def aeration(vwc: float) -> float:
        return Soil.of(replace(pot, initial_vwc=vwc)).aeration()

    shares = [aeration(capacity + (porosity - capacity) * step / 10.0) for step in range(11)]
    assert (shares[0], shares[-1]) == (1.0, 0.0)
    assert shares == sorted(shares, reverse=True)
    assert aeration(0.2) == 1.0


def spent(degc: float, hours: float, species: str = "tomato") -> Growth:
    """Return a plant after hours in air of one temperature, with water and light enough."""
    growth = Growth.of(PotSpec(species=species_of(species)))
    for _minute in range(round(60 * hours)):
        growth.step(60.0, 300.0, degc, 1.0, 1.0, 0.4)
    return growth


def test_cold_nights_stop_growth_and_frost_kills_leaves() -> None:
    """At 3 degC a tomato only stands still; at -3 degC an hour kills most of it, and warmth does not bring it back."""
    cold, frozen = spent(3.0, 10.0), spent(-3.0, 1.0)
    area = Growth.of(PotSpec(species=species_of("tomato"))).leaf_area_m2

    assert (cold.damage, cold.leaf_area_m2) == (0.0, area)
    assert frozen.damage > 0.8
    assert frozen.leaf_area_m2 < 0.2 * area
    assert spent(-3.0, 10.0, "strawberry").damage == 0.0
    for _minute in range(3 * 24 * 60):
        frozen.step(60.0, 300.0, 22.0, 1.0, 1.0, 0.4)
    assert frozen.damage > 0.8
    assert frozen.turgor < 0.2


def test_heat_kills_the_faster_the_further_it_is_beyond_the_species_limit() -> None:
    """45 degC ruin a tomato in hours (Camejo 2005), 38 degC in days; 34 degC, within its limit, harm nothing."""
    damages = [spent(degc, 3.0).damage for degc in (34.0, 38.0, 45.0)]

    assert damages[0] == 0.0
    assert 0.0 < damages[1] < 0.05
    assert 0.5 < damages[2] < 1.0


def test_heater_that_is_stuck_on_in_summer_ruins_lettuce() -> None:
    """The truth shows it: hot air, no growth, and leaves that die."""
    spec = BoxSpec(
        zones=(ZoneSpec(air=AirSpec(exchange_per_h=5.0), weather=WeatherSpec(mean_degc=27.0)),),
        pots=(PotSpec(species=species_of("lettuce"), initial_vwc=0.5),),
        heaters=(HeaterSpec(actuator_id="heater"),),
    )
    box = Box(spec, START)
    box.drive("heater", 1.0)
    box.advance(START + 2.0 * DAY)
    plant = box.state()["pots"][PLANT]["plant"]  # type: ignore[index]

    assert box.zones[ZONE].air_degc > 34.0
    assert plant["warmth_factor"] == 0.0
    assert plant["damage"] > 0.2


def test_photons_of_a_lamp_count_as_much_as_those_of_the_sun() -> None:
    """Leaves grow alike in as many umol, though the sun has twice the watts and 0.73 of the lux."""

    def grown(window_share: float, lamp_lux: float) -> tuple[float, float, float]:
        weather = WeatherSpec(
            cloud_cover=0.0, yearly_clouds=0.0, cloudy_days=0.0, passing_clouds=0.0, draught_k=0.0, spell_k=0.0
        )
        zone = ZoneSpec(air=AirSpec(window_share=window_share), weather=weather)
        lamp = LampSpec(lux=lamp_lux, on_h=0.0, off_h=0.0, heat_w=0.0)
        box = Box(BoxSpec(zones=(zone,), lamps=(lamp,)), START + 10.5 * 3600.0 - START % DAY)
        box.drive(LAMP, 1.0)
        box.advance(box.now_s + 1800.0)
        truth = box.zones[ZONE]
        return truth.photons_umol_m2_s, truth.light_lux, truth.short_wave_w_m2

    sun_umol, sun_lux, sun_w = grown(1.0, 0.0)
    lamp_umol, lamp_lux, lamp_w = grown(0.0, sun_umol / 0.0135)

    assert lamp_umol == pytest.approx(sun_umol, rel=0.001)
    assert sun_umol == pytest.approx(2.02 * sun_w, rel=0.02)  # Meek et al. 1984
    assert sun_w > 1.9 * lamp_w
    assert sun_lux < 0.75 * lamp_lux


def test_pump_that_floods_a_pot_from_a_tap_suffocates_its_roots() -> None:
    """Water that never stops keeps all pores full though the pot drains: the truth shows it within the day."""
    spec = BoxSpec(pots=(PotSpec(),), pumps=(PumpSpec(),), reservoirs=(ReservoirSpec(content_ml=1e8),))
    box = Box(spec, START)
    box.drive(PUMP, 1.0)
    box.advance(START + 0.5 * DAY)
    plant = box.state()["pots"][PLANT]["plant"]  # type: ignore[index]

    assert plant["aeration"] == 0.0
    assert plant["root_oxygen"] < 0.1
    assert plant["turgor"] < 0.5
    assert plant["damage"] > 0.05
