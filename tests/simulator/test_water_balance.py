"""Water is neither made nor lost: not in any box, whatever is done to it and whatever is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt.plant.species import SPECIES
from dt.simulator import truth
from dt.simulator.box import Box
from dt.simulator.defects import FanDefect, HeaterDefect, PumpDefect
from dt.simulator.spec import (
    AirSpec,
    BoxSpec,
    FanSpec,
    HeaterSpec,
    LampSpec,
    PotSpec,
    PumpSpec,
    ReservoirSpec,
    WeatherSpec,
    ZoneSpec,
)

START = 1_800_000_000.0
_LONGEST_WET_S, _LONGEST_S = 150.0, 40_000.0

shares = st.floats(0.0, 1.0)
air = st.builds(
    AirSpec,
    volume_m3=st.floats(0.02, 50.0),
    wall_w_k=st.floats(0.5, 50.0),
    exchange_per_h=st.floats(0.05, 100.0),
    cold_wall_m2=st.floats(0.1, 20.0),
)
weather = st.builds(WeatherSpec, mean_degc=st.floats(-10.0, 35.0), vapour_g_m3=st.floats(1.0, 40.0))
pump_defects = st.builds(
    PumpDefect,
    welded=st.booleans(),
    never_closes=st.booleans(),
    dry=st.booleans(),
    blocked=shares,
    siphon=shares,
    leak=shares,
)


@st.composite
def specs(draw: st.DrawFn) -> BoxSpec:
    """Any box: one or two zones, up to three pots, a pump for each, all from one can or each from its own."""
    zones = [f"zone-{i}" for i in range(draw(st.integers(1, 2)))]
    pots = [f"plant-{i}" for i in range(draw(st.integers(1, 3)))]
    cans = draw(st.sampled_from([["can"] * len(pots), pots]))
    return BoxSpec(
        zones=tuple(ZoneSpec(zone_id=zone, air=draw(air), weather=draw(weather)) for zone in zones),
        pots=tuple(
            PotSpec(
                plant_id=plant,
                zone_id=draw(st.sampled_from(zones)),
                species=draw(st.sampled_from(list(SPECIES.values()))),
                volume_ml=draw(st.floats(100.0, 20_000.0)),
                saucer_ml=draw(st.floats(0.0, 1000.0)),
                rim_ml=draw(st.floats(0.0, 500.0)),
                initial_vwc=draw(st.floats(0.0, 0.74)),
            )
            for plant in pots
        ),
        reservoirs=tuple(ReservoirSpec(name=can, content_ml=draw(st.floats(0.0, 3000.0))) for can in sorted(set(cans))),
        pumps=tuple(
            PumpSpec(actuator_id=f"pump-{plant}", plant_id=plant, reservoir=can)
            for plant, can in zip(pots, cans, strict=True)
        ),
        lamps=(LampSpec(zone_id=zones[0]),),
        fans=(FanSpec(actuator_id="fan", zone_id=zones[0]),),
        heaters=(HeaterSpec(actuator_id="heater", zone_id=zones[-1]),),
        seed=draw(st.integers(0, 1000)),
    )


steps = st.lists(
    st.tuples(
        st.sampled_from(["wait", "drive", "pour", "break", "mend", "refill"]), shares, st.floats(0.01, _LONGEST_S)
    ),
    max_size=8,
)


def act(box: Box, what: str, amount: float, data: Any) -> None:
    """Do one thing to a box."""
    device = box.devices[data.draw(st.sampled_from(sorted(box.devices)))]
    if what == "drive":
        box.drive(device.actuator_id, amount)
    elif what == "pour":
        box.pour(data.draw(st.sampled_from(sorted(box.pots))), box.now_s + 10.0 * amount, 2000.0 * amount)
    elif what == "refill":
        box.refill(data.draw(st.sampled_from(sorted(box.reservoirs))), 500.0 * amount)
    elif what == "mend":
        device.defect = device.healthy
    elif what == "break":
        made = {
            "pump": pump_defects,
            "heater": st.just(HeaterDefect(stuck_on=True)),
            "fan": st.just(FanDefect(blocked=1.0)),
        }
        device.defect = data.draw(made[device.kind]) if device.kind in made else device.healthy


@settings(max_examples=60)
@given(specs(), steps, st.data())
def test_water_is_neither_made_nor_lost(spec: BoxSpec, doings: list[tuple[str, float, float]], data: Any) -> None:
    """What was there and what came in is there still or went out, to 1e-9 of all water: soil, cans and air together."""
    box = Box(spec, START)
    at_first = truth.water(box)["held"]

    for what, amount, seconds in doings:
        act(box, what, amount, data)
        wet = any(device.level > 0.0 or device.defect != device.healthy for device in box.devices.values())
        box.advance(box.now_s + min(seconds, _LONGEST_WET_S if wet else _LONGEST_S))

    now = truth.water(box)
    assert now["held"] + now["lost"] == pytest.approx(at_first + now["gained"], rel=1e-9)
    assert all(can.content_ml >= 0.0 for can in box.reservoirs.values())
    assert all(0.0 < zone.humidity_pct <= 100.0 for zone in box.zones.values())


@settings(max_examples=25)
@given(specs(), steps, st.lists(st.floats(0.05, 900.0), min_size=1, max_size=5), st.data())
def test_looks_in_between_change_no_bit(
    spec: BoxSpec, doings: list[tuple[str, float, float]], paces: list[float], data: Any
) -> None:
    """Whatever is done and whatever is wrong: the same inputs give the same bytes, however time was cut into pieces."""
    rarely, often = Box(spec, START), Box(spec, START)

    for count, (what, amount, seconds) in enumerate(doings):
        before = json.dumps(rarely.snapshot())
        act(rarely, what, amount, data)
        if json.dumps(rarely.snapshot()) != before:
            often.restore(json.loads(json.dumps(rarely.snapshot())))
        until = rarely.now_s + min(seconds, 300.0)
        rarely.advance(until)
        while until - often.now_s > 1e-3:
            often.advance(min(until, often.now_s + paces[count % len(paces)]))
        assert json.dumps(often.state()) == json.dumps(rarely.state())


@pytest.mark.slow
def test_water_balances_over_a_year() -> None:
    """Half a million steps with a dose a day add up to 1e-9."""
    box = Box(BoxSpec(), START)
    at_first = truth.water(box)["held"]

    for day in range(365):
        box.pour("plant-1", START + 86_400.0 * day + 3600.0, 60.0)
        box.advance(START + 86_400.0 * (day + 1))

    now = truth.water(box)
    assert now["held"] + now["lost"] == pytest.approx(at_first + now["gained"], rel=1e-9)
    assert now["gained"] > 100_000.0
