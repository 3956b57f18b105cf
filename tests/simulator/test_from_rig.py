"""From the rig to the box: any rig is a box, under the rig's own ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.simulator.box import Box
from dt.simulator.devices import Fan, Heater, Lamp, Pump, Relay
from dt.simulator.from_rig import box_spec
from dt.simulator.spec import LampSpec
from dt.utils.exceptions import ConfigError
from dt.utils.rig import load_rig, parse_rig

RIG = Path(__file__).parents[2] / "rig.toml"
TWO_ZONES = """
[zones.shelf]
timezone = "Europe/Rome"
latitude = 45.0
[zones.tent]
latitude = -33.0
[plants.basil]
zone = "shelf"
species = "Ocimum basilicum"
pot_volume_l = 2
[plants.mint]
zone = "shelf"
species = "mint"
[plants.cactus]
zone = "tent"
species = "Echinopsis"
pot_volume_l = 0.5
"""


def actuator(actuator_id: str, kind: str, pin: int, place: str, **options: object) -> str:
    """Return a row of a rig."""
    more = "".join(f"{name} = {value!r}\n" for name, value in options.items())
    return f'[[actuators]]\nid = "{actuator_id}"\nkind = "{kind}"\npin = "GPIO{pin}"\n{place}\n{more}'


def test_box_stands_where_the_rig_says() -> None:
    """Place, pot and pump come from the rig file."""
    spec = box_spec(load_rig(RIG), seed=3)

    [zone] = spec.zones
    assert (zone.site.latitude_deg, zone.site.timezone, spec.seed) == (45.07, "Europe/Rome", 3)
    assert (spec.pots[0].plant_id, spec.pots[0].volume_ml) == ("basil", 2000.0)
    assert {pump.flow_ml_s for pump in spec.pumps} == {50.0}


def test_every_zone_plant_and_actuator_of_a_rig_is_in_its_box() -> None:
    """Two zones, three plants, and one device of each kind."""
    rows = [
        actuator("water", "pump", 17, 'plant = "basil"', flow_ml_s=10.0, reservoir="can"),
        actuator("water-2", "pump", 18, 'plant = "mint"', flow_ml_s=20.0, reservoir="can", reservoir_ml=900.0),
        actuator("sun", "light", 19, 'zone = "tent"', lux=9000.0),
        actuator("wind", "fan", 20, 'zone = "tent"', exchange_per_h=60.0),
        actuator("warmth", "heater", 21, 'zone = "shelf"', power_w=25.0),
        actuator("radio", "relay", 22, 'zone = "shelf"'),
    ]

    box = Box(box_spec(parse_rig(TWO_ZONES + "".join(rows))), 1_800_000_000.0)

    assert [(name, pot.zone.zone_id) for name, pot in box.pots.items()] == [
        ("basil", "shelf"), ("mint", "shelf"), ("cactus", "tent"),
    ]  # fmt: skip
    kinds = {name: type(device) for name, device in box.devices.items()}
    own = {"water": Pump, "water-2": Pump, "sun": Lamp, "wind": Fan, "warmth": Heater, "radio": Relay}
    assert kinds == own | {"shelf/lamp": Lamp}
    assert {name: can.content_ml for name, can in box.reservoirs.items()} == {"can": 900.0}
    assert box.pots["mint"].spec.species.name == "Mentha spicata"
    assert box.pots["cactus"].spec.species.common_name == "pot plant"


def test_only_a_zone_without_a_lamp_of_its_own_has_one_on_a_timer() -> None:
    """A lamp on a pin is the controller's alone."""
    spec = box_spec(parse_rig(TWO_ZONES + actuator("sun", "lamp", 19, 'zone = "tent"')))

    hours = {lamp.actuator_id: (lamp.on_h, lamp.off_h) for lamp in spec.lamps}
    assert hours == {"sun": (0.0, 0.0), "shelf/lamp": (16.0, 21.0)}


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (actuator("p", "pump", 17, 'zone = "tent"', flow_ml_s=1.0), "actuator p: plant: a pump needs the plant"),
        (actuator("p", "pump", 17, 'plant = "mint"', flow_ml_s="much"), "actuator p: flow_ml_s: must be a number"),
        (
            actuator("p", "pump", 17, 'plant = "mint"', flow_ml_s=0),
            "actuator p: flow_ml_s: must be a number from 0.01 to 1000",
        ),
        (
            actuator("p", "pump", 17, 'plant = "mint"', flow_ml_s=-4.0),
            "flow_ml_s: must be .* from 0.01 to 1000, not -4.0",
        ),
        (actuator("s", "lamp", 17, 'zone = "tent"', lux=1e9), "actuator s: lux: must be a number from 0 to 200000"),
        (
            actuator("s", "lamp", 17, 'zone = "tent"', power_w=1e6),
            "actuator s: power_w: must be a number from 0 to 5000",
        ),
        (
            actuator("h", "heater", 17, 'zone = "tent"', power_w=-3),
            "actuator h: power_w: must be a number from 0 to 5000",
        ),
    ],
)
def test_impossible_actuator_is_refused_by_its_name(row: str, match: str) -> None:
    """What no box can have ends the start with one line."""
    with pytest.raises(ConfigError, match=match):
        box_spec(parse_rig(TWO_ZONES + row))


def test_pumps_that_contradict_each_other_about_their_can_are_refused() -> None:
    """Both are named, with what each says; the same amount twice is fine."""

    def rig(second_ml: float) -> str:
        first = actuator("water", "pump", 17, 'plant = "basil"', reservoir="can", reservoir_ml=900.0)
        return (
            TWO_ZONES + first + actuator("more", "pump", 18, 'plant = "mint"', reservoir="can", reservoir_ml=second_ml)
        )

    assert [can.content_ml for can in box_spec(parse_rig(rig(900.0))).reservoirs] == [900.0]
    with pytest.raises(ConfigError, match=r"actuator more: reservoir_ml: .*can.* 900 by water and 5000 by more"):
        box_spec(parse_rig(rig(5000.0)))


def test_watts_of_a_lamp_are_spread_over_its_zone() -> None:
    """As many watts give more lux in a small zone; as many lux need more watts in a large one."""

    def lamp(zone: str, **options: float) -> LampSpec:
        rig = parse_rig(TWO_ZONES + actuator("sun", "lamp", 19, f'zone = "{zone}"', **options))
        return next(lamp for lamp in box_spec(rig).lamps if lamp.actuator_id == "sun")

    larger = 2.0 ** (2.0 / 3.0)  # the ground of two pots beside that of one

    assert lamp("tent", power_w=12.0).lux == pytest.approx(7008.0)  # 146 lm/W on 0.25 m2
    assert lamp("tent", power_w=12.0).lux == pytest.approx(larger * lamp("shelf", power_w=12.0).lux)
    assert lamp("shelf").lux == lamp("tent").lux
    assert lamp("shelf").heat_w == pytest.approx(larger * lamp("tent").heat_w)
    assert (lamp("tent", lux=900.0, power_w=40.0).lux, lamp("tent", lux=900.0, power_w=40.0).heat_w) == (900.0, 40.0)
