"""Weather outside and the air of a zone: seasons, saturation, warmth by sun and lamp, condensation on the cold wall."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from dt.plant.evapotranspiration import extraterrestrial_radiation_mj_m2
from dt.simulator.air import saturation_kpa, vapour_pressure_kpa
from dt.simulator.box import Box
from dt.simulator.spec import (
    LAMP,
    OUTDOORS,
    PLANT,
    ZONE,
    AirSpec,
    BoxSpec,
    LampSpec,
    PotSpec,
    SiteSpec,
    WeatherSpec,
    ZoneSpec,
)
from dt.simulator.truth import crop_coefficient
from dt.simulator.weather import Weather

JANUARY, JULY = 1_799_712_000.0, 1_815_436_800.0  # 2027-01-12 and 2027-07-13, 00:00 UTC
DAY = 86_400.0


def month_of(site: SiteSpec, start: float, seed: int = 1) -> list[tuple[float, float, float]]:
    """Return hourly weather outdoors of thirty days."""
    weather = Weather(site, OUTDOORS, seed)
    return [weather.at(start + 3600.0 * hour) for hour in range(30 * 24)]


def mean(values: list[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def test_seasons_are_those_of_the_hemisphere() -> None:
    """July is the warm month north of the equator and the cold one south of it."""
    north, south = SiteSpec(latitude_deg=50.0), SiteSpec(latitude_deg=-35.0)

    warmth = {
        (site.latitude_deg, start): mean([degc for _sun, degc, _vapour in month_of(site, start)])
        for site in (north, south)
        for start in (JANUARY, JULY)
    }

    assert warmth[50.0, JULY] > warmth[50.0, JANUARY] + 10.0
    assert warmth[-35.0, JULY] < warmth[-35.0, JANUARY] - 10.0


@pytest.mark.parametrize("seed", range(5))
def test_air_outdoors_is_never_above_saturation_nor_the_sun_above_its_constant(seed: int) -> None:
    """Whatever spell comes together with whatever damp."""
    for sun, degc, vapour in month_of(SiteSpec(), JANUARY, seed) + month_of(SiteSpec(), JULY, seed):
        assert 0.0 <= sun < 1361.0
        assert 0.0 < vapour_pressure_kpa(vapour, degc) <= saturation_kpa(degc) * 1.000001


def test_weather_does_not_depend_on_the_order_of_questions() -> None:
    """A function of time alone: asked backwards it says the same."""
    forwards, backwards = (Weather(SiteSpec(), OUTDOORS, 3) for _ in range(2))
    times = [JULY + 377.7 * i for i in range(300)]

    there = [forwards.at(t) for t in times]
    back = [backwards.at(t) for t in reversed(times)]

    assert there == back[::-1]


def test_broken_clouds_flicker_and_an_overcast_sky_does_not() -> None:
    """From one five minutes to the next, the sun jumps most when the sky is half covered."""

    def jumps(cover: float) -> float:
        spec = WeatherSpec(cloud_cover=cover, yearly_clouds=0.0, cloudy_days=0.0, passing_clouds=0.0)
        weather = Weather(SiteSpec(), spec, 1)
        suns = [weather.at(JULY + 9 * 3600.0 + 300.0 * i)[0] for i in range(60)]
        return sum(abs(b - a) for a, b in pairwise(suns)) / max(suns)

    assert jumps(0.5) > 3.0 * jumps(0.0)
    assert jumps(0.5) > 3.0 * jumps(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_year_of_sun_in_turin_is_as_measured(seed: int) -> None:
    """1,400 kWh/m2 (PVGIS), and what the hours of sunshine let expect (Angstrom-Prescott, FAO-56 eq. 35)."""
    spec = WeatherSpec()
    weather, cloudless = (Weather(SiteSpec(), one, seed) for one in (spec, replace(spec, cloud_cover=-9.0)))
    times = [JANUARY + 3600.0 * hour + 1800.0 for hour in range(365 * 24)]
    pairs = [(weather.at(time_s)[0], cloudless.at(time_s)[0]) for time_s in times]
    above = sum(extraterrestrial_radiation_mj_m2(day, 45.07) for day in range(1, 366)) / 3.6
    days = [(sun, clear) for sun, clear in pairs if clear > 0.0]
    sunny = sum(sun > 0.8 * clear for sun, clear in days) / len(days)

    total = sum(sun for sun, _clear in pairs) / 1000.0

    assert total == pytest.approx(1400.0, rel=0.05)
    assert total == pytest.approx((0.25 + 0.50 * sunny) * above, rel=0.10)


def box_with(air: AirSpec, *, lamp: float = 0.0, hours: float = 6.0, start: float = JANUARY) -> Box:
    """Return a box after some hours with its lamp at a level."""
    spec = BoxSpec(
        zones=(ZoneSpec(air=air),), pots=(PotSpec(initial_vwc=0.5),), lamps=(LampSpec(on_h=0.0, off_h=0.0),), pumps=()
    )
    box = Box(spec, start)
    box.drive(LAMP, lamp)
    box.advance(start + hours * 3600.0)
    return box


def test_lamp_warms_the_air_by_its_heat_over_what_walls_and_exchange_take() -> None:
    """Steady state: 12 W against 4 W/K of walls and 1 W/K of exchange, less what evaporation takes, are about 2 K."""
    dark, lit = (box_with(AirSpec(), lamp=level) for level in (0.0, 1.0))

    assert lit.zones[ZONE].air_degc - dark.zones[ZONE].air_degc == pytest.approx(1.9, abs=0.5)


def test_sun_through_the_window_warms_the_box() -> None:
    """At noon it is warmer than the same box behind a curtain."""
    noon = {"hours": 12.5, "start": JULY}
    sunny, curtained = (box_with(air, **noon) for air in (AirSpec(), replace(AirSpec(), window_share=0.0)))

    assert sunny.zones[ZONE].air_degc > curtained.zones[ZONE].air_degc + 1.0
    assert curtained.zones[ZONE].daylight_lux == 0.0


def test_tight_box_becomes_damp_and_its_wall_wet() -> None:
    """With little exchange, transpiration ends on the wall; an aired box stays dry."""
    tight, aired = (box_with(replace(AirSpec(), exchange_per_h=rate), lamp=1.0, hours=24.0) for rate in (0.1, 60.0))

    assert tight.zones[ZONE].condensed_ml > 10.0
    assert tight.zones[ZONE].humidity_pct > aired.zones[ZONE].humidity_pct + 20.0
    assert aired.zones[ZONE].condensed_ml == 0.0


def test_damp_air_slows_transpiration_down() -> None:
    """Plants of a tight box drink less: the vapour deficit drives them."""
    tight, aired = (box_with(replace(AirSpec(), exchange_per_h=rate), lamp=1.0, hours=24.0) for rate in (0.1, 60.0))

    assert tight.pots[PLANT].soil.transpired_ml < 0.8 * aired.pots[PLANT].soil.transpired_ml


def test_zones_of_one_box_have_airs_of_their_own() -> None:
    """A lamp in one zone neither lights nor warms the other."""
    spec = BoxSpec(
        zones=(ZoneSpec(), ZoneSpec(zone_id="other")), lamps=(LampSpec(on_h=0.0, off_h=0.0),),
    )  # fmt: skip
    box = Box(spec, JANUARY)
    box.drive(LAMP, 1.0)
    box.advance(JANUARY + 4 * 3600.0)

    assert box.zones[ZONE].air_degc > box.zones["other"].air_degc + 1.0
    assert box.zones["other"].light_lux == 0.0


def test_crop_coefficient_is_the_ratio_to_the_grass_reference_in_the_same_air() -> None:
    """Thirst does not change it, leaf area does, and in the dark there is none."""

    def kc(**pot: float) -> float | None:
        spec = BoxSpec(pots=(PotSpec(**{"initial_vwc": 0.5, **pot}),), lamps=(LampSpec(on_h=0.0, off_h=0.0),), pumps=())
        box = Box(spec, JANUARY)
        box.drive(LAMP, float(pot.get("grown_share", 1.0) > 0.0))
        box.advance(JANUARY + 1800.0)
        return crop_coefficient(box.pots[PLANT])

    grown, young, thirsty = kc(grown_share=1.0), kc(grown_share=0.2), kc(grown_share=1.0, initial_vwc=0.15)

    assert grown is not None
    assert young is not None
    assert 1.0 < grown < 3.0
    assert young < 0.6 * grown
    assert thirsty == pytest.approx(grown, rel=0.10)  # in drier air
    assert crop_coefficient(box_with(AirSpec(), hours=0.5).pots[PLANT]) is None
