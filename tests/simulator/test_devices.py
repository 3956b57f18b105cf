"""Pumps, lamps, fans and heaters, and what happens when something is wrong with them."""

from __future__ import annotations

import pytest

from dt.simulator.box import Box
from dt.simulator.defects import FanDefect, HeaterDefect, LampDefect, PumpDefect
from dt.simulator.devices import Pump
from dt.simulator.spec import (
    LAMP,
    PLANT,
    PUMP,
    ZONE,
    BoxSpec,
    FanSpec,
    HeaterSpec,
    LampSpec,
    PotSpec,
    PumpSpec,
    ReservoirSpec,
)

START = 1_800_000_000.0
SPEC = BoxSpec(
    pots=(PotSpec(initial_vwc=0.25), PotSpec(plant_id="second", initial_vwc=0.25)),
    pumps=(PumpSpec(), PumpSpec(actuator_id="second-pump", plant_id="second")),
    reservoirs=(ReservoirSpec(content_ml=2000.0),),
    lamps=(LampSpec(on_h=0.0, off_h=0.0),),
    fans=(FanSpec(actuator_id="fan"),),
    heaters=(HeaterSpec(actuator_id="heater"),),
)


@pytest.fixture
def box() -> Box:
    """Return a box with two pots on one can, a lamp, a fan and a heater."""
    return Box(SPEC, START)


def pumped(box: Box, seconds: float = 10.0, actuator_id: str = PUMP) -> float:
    """Run a pump, and return what reached its pot."""
    pump = box.devices[actuator_id]
    assert isinstance(pump, Pump)
    before_ml = pump.delivered_ml
    box.drive(actuator_id, 1.0)
    box.advance(box.now_s + seconds)
    box.drive(actuator_id, 0.0)
    box.advance(box.now_s + 1.0)
    return pump.delivered_ml - before_ml


def drawn(box: Box) -> float:
    """Return what left the can."""
    return SPEC.reservoirs[0].content_ml - box.reservoirs[PUMP].content_ml


def test_pump_primes_before_it_gives_water(box: Box) -> None:
    """The first 0.4 s of every dose give nothing."""
    assert pumped(box, 0.39) == 0.0
    assert pumped(box, 1.4) == pytest.approx(pumped(box, 0.9) * 2.0, rel=0.01)


def test_pumps_differ_and_stay_as_they_are() -> None:
    """Flows spread by about 10 %, each pump's its own for the same seed."""
    flows = []
    for seed in range(200):
        pump = Box(BoxSpec(seed=seed), START).devices[PUMP]
        assert isinstance(pump, Pump)
        flows.append(pump.flow_ml_s / 25.0)
    mean = sum(flows) / 200
    spread = (sum((flow - mean) ** 2 for flow in flows) / 200) ** 0.5

    assert mean == pytest.approx(1.0, abs=0.03)
    assert 0.07 < spread < 0.12
    assert pumped(Box(SPEC, START)) == pumped(Box(SPEC, START))


def test_low_can_gives_less(box: Box) -> None:
    """Flow declines with the head."""
    full = pumped(box)

    while box.reservoirs[PUMP].content_ml > 400.0:
        pumped(box)

    assert 0.8 * full < pumped(box) < 0.9 * full


def test_pumps_share_their_can(box: Box) -> None:
    """What one takes, the other has not; together they take what is there."""
    total = sum(pumped(box, 60.0, name) for name in (PUMP, "second-pump"))

    assert total == pytest.approx(2000.0)
    assert pumped(box) == 0.0


def test_refilled_can_gives_again(box: Box) -> None:
    """A person brings water."""
    pumped(box, 120.0)

    box.refill(PUMP, 500.0)

    assert pumped(box) > 100.0


def test_welded_relay_waters_while_its_pin_is_low(box: Box) -> None:
    """Water moves from the moment of the fault on, and not before."""
    box.advance(START + 30.5)

    box.devices[PUMP].defect = PumpDefect(welded=True)
    box.advance(START + 40.5)

    assert box.devices[PUMP].level == 0.0
    assert 190.0 < box.pots[PLANT].soil.poured_ml < 290.0


@pytest.mark.parametrize("defect", [PumpDefect(never_closes=True), PumpDefect(dry=True), PumpDefect(blocked=1.0)])
def test_pump_without_relay_water_or_way_gives_nothing(box: Box, defect: PumpDefect) -> None:
    """The pin is high and the pot stays dry; the can keeps its water."""
    box.devices[PUMP].defect = defect

    assert pumped(box) == 0.0
    assert drawn(box) == 0.0


def test_half_blocked_line_gives_half(box: Box) -> None:
    """The rest stays in the can."""
    whole = pumped(Box(SPEC, START))
    box.devices[PUMP].defect = PumpDefect(blocked=0.5)

    assert pumped(box) == pytest.approx(0.5 * whole, rel=0.01)
    assert drawn(box) == pytest.approx(0.5 * whole, rel=0.01)


def test_leak_wets_the_floor(box: Box) -> None:
    """What misses the pot left the can all the same."""
    box.devices[PUMP].defect = PumpDefect(leak=0.25)

    given = pumped(box)

    pump = box.devices[PUMP]
    assert isinstance(pump, Pump)
    assert pump.leaked_ml == pytest.approx(drawn(box) - given) == pytest.approx(given / 3.0)


def test_siphon_empties_the_can_after_the_pump_stopped(box: Box) -> None:
    """It begins with a dose, not with the fault, and ends with the water or when it is broken."""
    box.devices[PUMP].defect = PumpDefect(siphon=0.2)
    box.advance(START + 60.0)
    before_dose = drawn(box)
    given = pumped(box)
    box.advance(box.now_s + 30.0)
    meanwhile = drawn(box)

    box.devices[PUMP].defect = PumpDefect()
    box.advance(box.now_s + 600.0)
    broken = drawn(box)
    box.devices[PUMP].defect = PumpDefect(siphon=0.2)
    pumped(box, 2.0)
    box.advance(box.now_s + 1800.0)

    assert before_dose == 0.0
    assert meanwhile > given + 100.0
    assert broken == meanwhile
    assert box.reservoirs[PUMP].content_ml == 0.0


def test_siphon_that_emptied_the_can_does_not_begin_again_by_itself(box: Box) -> None:
    """Air is in the hose: a refilled can keeps its water until the next dose."""
    for name in (PUMP, "second-pump"):
        box.devices[name].defect = PumpDefect(siphon=0.4)
        pumped(box, actuator_id=name)
    box.advance(box.now_s + 1800.0)
    emptied_ml = box.reservoirs[PUMP].content_ml

    box.refill(PUMP, 500.0)
    box.advance(box.now_s + 600.0)
    kept_ml = box.reservoirs[PUMP].content_ml
    pumped(box, 2.0)
    box.advance(box.now_s + 1800.0)

    assert (emptied_ml, kept_ml) == (0.0, 500.0)
    assert box.reservoirs[PUMP].content_ml == 0.0


def test_lamp_is_not_at_its_brightest_at_once(box: Box) -> None:
    """Most of the light comes at once, the rest as it warms up; a dead lamp gives none."""
    zone = box.zones[ZONE]
    box.drive(LAMP, 1.0)
    box.advance(START + 1.0)
    first = zone.light_lux - zone.daylight_lux
    box.advance(START + 600.0)
    warm = zone.light_lux - zone.daylight_lux
    box.devices[LAMP].defect = LampDefect(dead=True)
    box.advance(START + 660.0)

    assert 5500.0 < first < 6000.0
    assert warm == pytest.approx(7000.0, rel=0.01)
    assert not zone.is_lamp_on


def test_heater_warms_with_a_lag(box: Box) -> None:
    """After a minute a third of its warmth, after an hour several degrees."""
    cold = Box(SPEC, START)
    box.drive("heater", 1.0)
    warmer = []
    for seconds in (60.0, 3600.0):
        for each in (box, cold):
            each.advance(START + seconds)
        warmer.append(box.zones[ZONE].air_degc - cold.zones[ZONE].air_degc)

    assert 0.1 < warmer[0] < 0.3 * warmer[1]
    assert 4.0 < warmer[1] < 12.0


def test_stuck_heater_heats_while_off_and_a_dead_one_never(box: Box) -> None:
    """F14 in both directions."""
    other = Box(SPEC, START)
    box.devices["heater"].defect = HeaterDefect(stuck_on=True)
    other.devices["heater"].defect = HeaterDefect(dead=True)
    other.drive("heater", 1.0)
    for each in (box, other):
        each.advance(START + 3600.0)

    assert box.zones[ZONE].air_degc - other.zones[ZONE].air_degc > 4.0


def test_fan_brings_the_air_of_outside_in(box: Box) -> None:
    """A heated zone cools and dries under a fan, unless the fan is blocked."""
    blocked = Box(SPEC, START)
    blocked.devices["fan"].defect = FanDefect(blocked=1.0)
    for each in (box, blocked):
        each.drive("heater", 1.0)
        each.drive("fan", 1.0)
        each.advance(START + 3600.0)

    assert box.zones[ZONE].air_degc < blocked.zones[ZONE].air_degc - 1.0
    assert box.zones[ZONE].vapour_g_m3 < blocked.zones[ZONE].vapour_g_m3


def test_defect_of_another_kind_is_refused(box: Box) -> None:
    """A lamp cannot siphon; the error names both."""
    with pytest.raises(TypeError, match="lamp: a lamp has a LampDefect, not PumpDefect"):
        box.devices[LAMP].defect = PumpDefect()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_share_outside_0_to_1_is_refused(share: float) -> None:
    """The error names the share."""
    with pytest.raises(ValueError, match="leak must be from 0 to 1"):
        PumpDefect(leak=share)


def test_a_supply_with_a_timer_cuts_a_welded_pump_off_until_its_relay_opens() -> None:
    """What the hardware notes ask for: some seconds of water, and none again before it was switched off."""
    box = Box(BoxSpec(pumps=(PumpSpec(supply_timer_s=10.0, flow_ml_s=20.0, spread=0.0, head_loss=0.0),)), START)
    pump = box.devices[PUMP]
    pump.defect = PumpDefect(welded=True)

    box.advance(START + 3600.0)
    assert pump.delivered_ml == pytest.approx(200.0, abs=25.0)
    first_ml = pump.delivered_ml
    pump.defect = PumpDefect()
    box.advance(START + 7200.0)
    box.drive(PUMP, 1.0)
    box.advance(START + 7205.0)
    box.drive(PUMP, 0.0)

    assert pump.delivered_ml - first_ml == pytest.approx(92.0, abs=5.0)


def test_a_siphon_break_ends_a_siphon_with_its_pump() -> None:
    """Without it the can runs empty."""
    given = []
    for has_siphon_break in (True, False):
        spec = BoxSpec(pumps=(PumpSpec(has_siphon_break=has_siphon_break),))
        box = Box(spec, START)
        box.devices[PUMP].defect = PumpDefect(siphon=0.4)
        box.drive(PUMP, 1.0)
        box.advance(START + 5.0)
        box.drive(PUMP, 0.0)
        box.advance(START + 3600.0)
        given.append(box.devices[PUMP].delivered_ml)

    assert given[0] < 200.0
    assert given[1] > 4000.0
