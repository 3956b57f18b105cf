"""The physics of the box: water is never made or lost, days differ from nights, the same seed gives the same box."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.simulator.box import Box
from dt.simulator.spec import LAMP, PLANT, PUMP, ZONE, BoxSpec, LampSpec, PotSpec, ReservoirSpec, SiteSpec, ZoneSpec

START = 1_800_000_000.0
DAY = 86_400.0

actions = st.lists(
    st.tuples(st.sampled_from(["wait", "pump", "pour", "lamp"]), st.floats(0.0, 1.0), st.floats(0.01, 30_000.0)),
    max_size=12,
)


def box(**pot: float) -> Box:
    """Return a box with such a pot."""
    return Box(BoxSpec(pots=(PotSpec(**pot),)), START)  # type: ignore[arg-type]


@given(actions, st.floats(0.0, 0.74))
def test_nothing_leaves_its_range(steps: list[tuple[str, float, float]], vwc: float) -> None:
    """No amount goes below zero, no layer above its pore space, and the air never above saturation."""
    a_box = box(initial_vwc=vwc)

    for what, amount, seconds in steps:
        a_box.drive(PUMP, amount if what == "pump" else 0.0)
        a_box.advance(a_box.now_s + min(seconds, 200.0))

        pot, zone = a_box.pots[PLANT], a_box.zones[ZONE]
        soil = pot.soil
        assert min(soil.top_ml, soil.bottom_ml, soil.pond_ml, soil.saucer_ml) >= 0.0
        assert a_box.reservoirs[PUMP].content_ml >= 0.0
        assert max(soil.vwc_top, soil.vwc_bottom) <= pot.spec.porosity + 1e-9
        assert 0.0 <= soil.stress() <= 1.0
        assert 0.0 < zone.humidity_pct <= 100.0
        assert all(map(math.isfinite, (zone.air_degc, zone.mass_degc, pot.soil_degc, zone.light_lux)))


def test_same_seed_gives_the_same_box() -> None:
    """Two boxes of one seed and one past are equal to the last bit; another seed has other weather."""
    boxes = [Box(BoxSpec(seed=seed), START) for seed in (7, 7, 8)]

    for each in boxes:
        each.advance(START + 2 * DAY)

    assert boxes[0].state() == boxes[1].state()
    assert boxes[0].state() != boxes[2].state()


@pytest.mark.parametrize("step_s", [1.0, 17.0, 59.0, 3000.0])
def test_it_does_not_matter_how_often_somebody_looks(step_s: float) -> None:
    """Live looks of a second and history's looks of a minute see the same box, to the last bit."""
    rarely, often = box(), box()
    for each in (rarely, often):
        each.pour(PLANT, START + 1234.5, 100.0)
    rarely.advance(START + 7217.3)

    while often.now_s < START + 7217.3:
        often.advance(min(START + 7217.3, often.now_s + step_s))

    assert json.dumps(often.state()) == json.dumps(rarely.state())


def test_soil_dries_faster_by_day_than_by_night() -> None:
    """Light drives transpiration: a day's noon takes at least twice what its small hours take."""
    a_box = box(initial_vwc=0.4)
    midnight = math.ceil(START / DAY) * DAY

    def taken_ml(since: float, until: float) -> float:
        a_box.advance(since)
        before_ml = a_box.pots[PLANT].soil.transpired_ml
        a_box.advance(until)
        return a_box.pots[PLANT].soil.transpired_ml - before_ml

    night_ml = taken_ml(midnight, midnight + 4 * 3600)
    day_ml = taken_ml(midnight + 10 * 3600, midnight + 14 * 3600)

    assert day_ml > 2.0 * night_ml > 0.0


def test_pot_lasts_for_days_not_hours() -> None:
    """A watered two-litre pot reaches its dry limit after two to eight days."""
    a_box = box(initial_vwc=0.43)

    days = 0.0
    while a_box.pots[PLANT].soil.vwc > 0.25:
        days += 0.1
        a_box.advance(START + days * DAY)

    assert 2.0 < days < 8.0


def test_pump_wets_the_top_layer_within_seconds() -> None:
    """Its water is in the probe's layer 15 s after the pump began."""
    a_box = box(initial_vwc=0.24)

    a_box.drive(PUMP, 1.0)
    a_box.advance(START + 6.0)
    a_box.drive(PUMP, 0.0)
    a_box.advance(START + 15.0)

    assert a_box.pots[PLANT].soil.poured_ml == pytest.approx(140.0, rel=0.25)
    assert a_box.pots[PLANT].soil.vwc_top > 0.37
    assert a_box.pots[PLANT].soil.vwc_bottom < 0.25


def test_layers_even_out_after_hours() -> None:
    """What was poured reaches the lower layer."""
    a_box = box(initial_vwc=0.24)
    a_box.pour(PLANT, START, 200.0)

    a_box.advance(START + 12 * 3600)

    assert a_box.pots[PLANT].soil.vwc_bottom > 0.28
    assert a_box.pots[PLANT].soil.vwc_top - a_box.pots[PLANT].soil.vwc_bottom < 0.02


def test_overwatered_pot_drains_into_its_saucer_and_over() -> None:
    """A pot holds its capacity; the rest stands in the saucer, and beyond that on the table."""
    a_box = box(initial_vwc=0.5)
    a_box.pour(PLANT, START, 1500.0)

    a_box.advance(START + 6 * 3600)

    assert a_box.pots[PLANT].soil.vwc == pytest.approx(0.55, abs=0.02)
    assert a_box.pots[PLANT].soil.saucer_ml > 250.0
    assert a_box.pots[PLANT].soil.spilled_ml > 500.0


def test_empty_reservoir_gives_nothing() -> None:
    """A dry pump moves no water."""
    a_box = Box(BoxSpec(reservoirs=(ReservoirSpec(content_ml=40.0),)), START)

    a_box.drive(PUMP, 1.0)
    a_box.advance(START + 10.0)

    assert a_box.pots[PLANT].soil.poured_ml == pytest.approx(40.0)
    assert a_box.reservoirs[PUMP].content_ml == 0.0


def unlit(latitude_deg: float, longitude_deg: float, start: float) -> float:
    """Return the light in a box without a lamp."""
    site = SiteSpec(latitude_deg=latitude_deg, longitude_deg=longitude_deg)
    return Box(BoxSpec(zones=(ZoneSpec(site=site),), lamps=()), start).zones[ZONE].light_lux


def test_light_follows_the_sun_of_the_place() -> None:
    """Noon in Turin is midnight in the middle of the Pacific."""
    noon = math.floor(START / DAY) * DAY + 11.5 * 3600

    assert unlit(45.07, 7.69, noon) > 300.0
    assert unlit(0.0, -172.0, noon) == 0.0


def test_winter_night_is_longer_than_summer_night() -> None:
    """The hours of light at 60 degrees north follow the season."""

    def light_hours(start: float) -> int:
        return sum(unlit(60.0, 0.0, start + h * 3600) > 0.0 for h in range(24))

    december, june = 1_797_811_200.0, 1_813_536_000.0  # 2026-12-21 and 2027-06-21, 00:00 UTC

    assert light_hours(december) <= 7
    assert light_hours(june) >= 18


def test_lamp_follows_its_timer_in_local_time_and_its_pin() -> None:
    """The plug is on between its hours; the pin lights the lamp at any other."""
    midnight = math.ceil(START / DAY) * DAY
    tokyo = ZoneSpec(site=SiteSpec(timezone="Asia/Tokyo"))
    a_box = Box(BoxSpec(zones=(tokyo,), lamps=(LampSpec(on_h=16.0, off_h=21.0),)), midnight)
    zone = a_box.zones[ZONE]

    a_box.advance(midnight + 8 * 3600)  # 17:00 in Tokyo
    by_plug = zone.is_lamp_on
    a_box.advance(midnight + 13 * 3600)
    after = zone.is_lamp_on
    a_box.drive(LAMP, 1.0)
    a_box.advance(midnight + 13 * 3600 + 60.0)

    assert (by_plug, after, zone.is_lamp_on) == (True, False, True)


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


def test_restored_box_lives_on_exactly_so() -> None:
    """A snapshot in the middle of a dose, through JSON, continues to the last bit as if nothing had been."""
    old, new = box(), box(initial_vwc=0.1)
    old.pour(PLANT, START + 4000.0, 70.0)
    old.advance(START + 1003.7)
    old.drive(PUMP, 1.0)
    old.advance(START + 1006.2)

    new.restore(json.loads(json.dumps(old.snapshot())))
    for each in (old, new):
        each.advance(START + 1008.9)
        each.drive(PUMP, 0.0)
        each.advance(START + DAY)

    assert json.dumps(new.state()) == json.dumps(old.state())


def test_released_box_has_all_outputs_off() -> None:
    """Restart means off."""
    a_box = box()
    a_box.drive(PUMP, 1.0)
    a_box.drive(LAMP, 0.5)

    a_box.release()

    assert {device.level for device in a_box.devices.values()} == {0.0}


@pytest.mark.parametrize("snapshot", [{}, {"zones": {}}, {"pots": None, "now_s": 1.0}])
def test_unusable_snapshot_is_refused(snapshot: dict[str, object]) -> None:
    """Half a snapshot changes nothing."""
    a_box = box()
    before = a_box.state()

    with pytest.raises((KeyError, TypeError, ValueError)):
        a_box.restore(snapshot)

    assert a_box.state() == before


@pytest.mark.parametrize("amount", [10**400, -(10**400), float("inf"), float("nan"), "1"])
def test_snapshot_with_a_number_that_is_none_is_refused(amount: object) -> None:
    """However large: a ValueError, as for every other wrong snapshot."""
    a_box = box()
    kept = json.loads(json.dumps(a_box.snapshot()))
    kept["pots"][PLANT]["soil"]["top_ml"] = amount

    with pytest.raises(ValueError, match="top_ml must be a number from -1e-06 to "):
        a_box.restore(kept)
