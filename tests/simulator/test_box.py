"""The physics of the box: water is never made or lost, days differ from nights, the same seed gives the same box."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.simulator.box import LAMP, PUMP, Box
from dt.simulator.spec import BoxSpec, PotSpec, PumpSpec, SiteSpec

START = 1_800_000_000.0
DAY = 86_400.0

actions = st.lists(
    st.tuples(st.sampled_from(["wait", "pump", "pour", "lamp"]), st.floats(0.0, 1.0), st.floats(0.01, 30_000.0)),
    max_size=12,
)


def box(**pot: float) -> Box:
    """Return a box with such a pot."""
    return Box(BoxSpec(pot=PotSpec(**pot)), START)  # type: ignore[arg-type]


def water_of(a_box: Box) -> float:
    """All water there is and was: in the pot, in the reservoir, and what left."""
    soil = a_box.soil
    return soil.stored_ml + soil.transpired_ml + soil.evaporated_ml + soil.spilled_ml + a_box.reservoir_ml


@given(actions, st.floats(0.0, 0.74), st.integers(0, 1000))
def test_water_is_neither_made_nor_lost(steps: list[tuple[str, float, float]], vwc: float, seed: int) -> None:
    """Whatever happens, stored, given off and left in the reservoir add up, to 1e-9 of all water."""
    a_box = Box(BoxSpec(pot=PotSpec(initial_vwc=vwc), seed=seed), START)
    total_ml, poured_ml = water_of(a_box), 0.0

    for what, amount, seconds in steps:
        if what == "pour":
            a_box.pour(a_box.now_s, 800.0 * amount)
            poured_ml += 800.0 * amount
        elif what != "wait":
            a_box.drive(PUMP if what == "pump" else LAMP, amount)
        a_box.advance(a_box.now_s + min(seconds, 400.0 if a_box.levels[PUMP] else seconds))
    a_box.drive(PUMP, 0.0)
    a_box.advance(a_box.now_s + 1.0)

    assert water_of(a_box) == pytest.approx(total_ml + poured_ml, rel=1e-9)


@given(actions, st.floats(0.0, 0.74))
def test_nothing_leaves_its_range(steps: list[tuple[str, float, float]], vwc: float) -> None:
    """No amount goes below zero, no layer above its pore space, and the air never above saturation."""
    a_box = box(initial_vwc=vwc)

    for what, amount, seconds in steps:
        a_box.drive(PUMP, amount if what == "pump" else 0.0)
        a_box.advance(a_box.now_s + min(seconds, 200.0))

        soil = a_box.soil
        assert min(soil.top_ml, soil.bottom_ml, soil.pond_ml, soil.saucer_ml, a_box.reservoir_ml) >= 0.0
        assert max(soil.vwc_top, soil.vwc_bottom) <= a_box.spec.pot.porosity + 1e-9
        assert 0.0 <= soil.stress() <= 1.0
        assert 0.0 < a_box.humidity_pct <= 100.0
        assert all(map(math.isfinite, (a_box.air_degc, a_box.soil_degc, a_box.light_lux)))


def test_same_seed_gives_the_same_box() -> None:
    """Two boxes of one seed and one past are equal to the last bit; another seed has other weather."""
    boxes = [Box(BoxSpec(seed=seed), START) for seed in (7, 7, 8)]

    for each in boxes:
        each.advance(START + 2 * DAY)

    assert boxes[0].state() == boxes[1].state()
    assert boxes[0].air_degc != boxes[2].air_degc


@pytest.mark.parametrize("step_s", [1.0, 17.0, 59.0])
def test_step_size_hardly_matters(step_s: float) -> None:
    """Live steps of a second and history's steps of a minute tell the same story."""
    coarse, fine = box(), box()
    coarse.advance(START + 7200.0)

    while fine.now_s < START + 7200.0:
        fine.advance(min(START + 7200.0, fine.now_s + step_s))

    assert fine.soil.vwc == pytest.approx(coarse.soil.vwc, abs=2e-5)
    assert fine.air_degc == pytest.approx(coarse.air_degc, abs=0.05)
    assert fine.humidity_pct == pytest.approx(coarse.humidity_pct, abs=0.5)


def test_soil_dries_faster_by_day_than_by_night() -> None:
    """Light drives transpiration: a day's noon takes at least twice what its small hours take."""
    a_box = box(initial_vwc=0.4)
    midnight = math.ceil(START / DAY) * DAY

    def taken_ml(since: float, until: float) -> float:
        a_box.advance(since)
        before_ml = a_box.soil.transpired_ml
        a_box.advance(until)
        return a_box.soil.transpired_ml - before_ml

    night_ml = taken_ml(midnight, midnight + 4 * 3600)
    day_ml = taken_ml(midnight + 10 * 3600, midnight + 14 * 3600)

    assert day_ml > 2.0 * night_ml > 0.0


def test_pot_lasts_for_days_not_hours() -> None:
    """A watered two-litre pot reaches its dry limit after two to eight days."""
    a_box = box(initial_vwc=0.43)

    days = 0.0
    while a_box.soil.vwc > 0.25:
        days += 0.1
        a_box.advance(START + days * DAY)

    assert 2.0 < days < 8.0


def test_pump_wets_the_top_layer_within_seconds() -> None:
    """150 ml are in the probe's layer 15 s after the pump began."""
    a_box = box(initial_vwc=0.24)

    a_box.drive(PUMP, 1.0)
    a_box.advance(START + 6.0)
    a_box.drive(PUMP, 0.0)
    a_box.advance(START + 15.0)

    assert a_box.soil.poured_ml == pytest.approx(150.0)
    assert a_box.soil.vwc_top > 0.40
    assert a_box.soil.vwc_bottom < 0.25


def test_layers_even_out_after_hours() -> None:
    """What was poured reaches the lower layer."""
    a_box = box(initial_vwc=0.24)
    a_box.pour(START, 200.0)

    a_box.advance(START + 12 * 3600)

    assert a_box.soil.vwc_bottom > 0.28
    assert a_box.soil.vwc_top - a_box.soil.vwc_bottom < 0.02


def test_overwatered_pot_drains_into_its_saucer_and_over() -> None:
    """A pot holds its capacity; the rest stands in the saucer, and beyond that on the table."""
    a_box = box(initial_vwc=0.5)
    a_box.pour(START, 1500.0)

    a_box.advance(START + 6 * 3600)

    assert a_box.soil.vwc == pytest.approx(0.55, abs=0.02)
    assert a_box.soil.saucer_ml > 250.0
    assert a_box.soil.spilled_ml > 500.0


def test_empty_reservoir_gives_nothing() -> None:
    """A dry pump moves no water."""
    a_box = Box(BoxSpec(pump=PumpSpec(reservoir_ml=40.0)), START)

    a_box.drive(PUMP, 1.0)
    a_box.advance(START + 10.0)

    assert a_box.soil.poured_ml == pytest.approx(40.0)
    assert a_box.reservoir_ml == 0.0


def test_light_follows_the_sun_of_the_place() -> None:
    """Noon in Turin is midnight in the middle of the Pacific."""
    noon = math.floor(START / DAY) * DAY + 11.5 * 3600
    turin = Box(BoxSpec(site=SiteSpec(latitude_deg=45.07, longitude_deg=7.69, lamp_on_h=0.0, lamp_off_h=0.0)), noon)
    pacific = Box(BoxSpec(site=SiteSpec(latitude_deg=0.0, longitude_deg=-172.0, lamp_on_h=0.0, lamp_off_h=0.0)), noon)

    assert turin.light_lux > 300.0
    assert pacific.light_lux == 0.0


def test_winter_night_is_longer_than_summer_night() -> None:
    """The hours of light at 60 degrees north follow the season."""

    def light_hours(start: float) -> int:
        site = SiteSpec(latitude_deg=60.0, longitude_deg=0.0, lamp_on_h=0.0, lamp_off_h=0.0)
        return sum(Box(BoxSpec(site=site), start + h * 3600).light_lux > 0.0 for h in range(24))

    december, june = 1_797_811_200.0, 1_813_536_000.0  # 2026-12-21 and 2027-06-21, 00:00 UTC

    assert light_hours(december) <= 7
    assert light_hours(june) >= 18


def test_lamp_follows_its_timer_in_local_time_and_its_pin() -> None:
    """The plug is on between its hours; the pin lights the lamp at any other."""
    midnight = math.ceil(START / DAY) * DAY
    a_box = Box(BoxSpec(site=SiteSpec(timezone="Asia/Tokyo", lamp_on_h=16.0, lamp_off_h=21.0)), midnight)

    a_box.advance(midnight + 8 * 3600)  # 17:00 in Tokyo
    by_plug = a_box.is_lamp_on
    a_box.advance(midnight + 13 * 3600)
    after = a_box.is_lamp_on
    a_box.drive(LAMP, 1.0)

    assert (by_plug, after, a_box.is_lamp_on) == (True, False, True)


def test_clock_set_back_moves_nothing() -> None:
    """Time in the box never runs backwards."""
    a_box = box()
    a_box.advance(START + 600.0)
    before = a_box.state()

    a_box.advance(START)

    assert a_box.state() == before


def test_clock_far_ahead_is_caught_up_quickly() -> None:
    """A jump to 2049 costs a month of steps at most."""
    a_box = box()

    a_box.advance(2_500_000_000.0)

    assert a_box.now_s == pytest.approx(2_500_000_000.0)


def test_snapshot_brings_soil_and_air_back_with_all_outputs_off() -> None:
    """A restarted box goes on where it was, and restart means off."""
    old, new = box(), box(initial_vwc=0.1)
    old.drive(PUMP, 1.0)
    old.advance(START + 5.0)

    new.restore(old.snapshot())

    assert new.state()["soil"] == old.state()["soil"]
    assert new.state()["air"] == old.state()["air"]
    assert new.levels[PUMP] == 0.0


@pytest.mark.parametrize("snapshot", [{}, {"soil": {}}, {"soil": None, "now_s": 1.0}])
def test_unusable_snapshot_is_refused(snapshot: dict[str, object]) -> None:
    """Half a snapshot changes nothing."""
    a_box = box()
    before = a_box.state()

    with pytest.raises((KeyError, TypeError, ValueError)):
        a_box.restore(snapshot)

    assert a_box.state() == before
