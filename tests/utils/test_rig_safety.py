"""Supplies, exclusions and the emergency-stop button of a rig: each wrong one is refused with its line."""

from __future__ import annotations

import pytest

from dt.utils.exceptions import ConfigError
from dt.utils.rig import parse_rig

RIG = """[zones.box]
[supplies.main]
limit_w = 60
[emergency_stop]
pin = "GPIO5"
[[actuators]]
id = "heater"
kind = "heater"
zone = "box"
pin = "GPIO17"
supply = "main"
[[actuators]]
id = "fan"
kind = "fan"
zone = "box"
pin = "GPIO27"
[[exclusions]]
heater = "heater"
fan = "fan"
above = 0.95
"""


def test_a_rig_has_supplies_exclusions_and_a_button() -> None:
    """Each with what the file says; without them there is nothing."""
    rig, bare = parse_rig(RIG), parse_rig("[zones.box]")

    assert rig.supplies["main"].limit_w == 60.0
    assert [(one.heater, one.fan, one.above) for one in rig.exclusions] == [("heater", "fan", 0.95)]
    assert rig.emergency_stop is not None
    assert (rig.emergency_stop.pin, rig.emergency_stop.normally_closed) == ("GPIO5", True)
    assert (bare.supplies, bare.exclusions, bare.emergency_stop) == ({}, (), None)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("limit_w = 60", "limit_w = 0", 2, "limit_w: must be more than 0"),
        ("limit_w = 60", "limit_a = 5", 2, "limit_a: is unknown here"),
        ("limit_w = 60", "", 2, "limit_w: is missing"),
        ('supply = "main"', 'supply = "mains"', 6, "supply: 'mains' is not declared; there are: main"),
        ('heater = "heater"', 'heater = "oven"', 17, "heater: there is no actuator 'oven'"),
        ('heater = "heater"', 'heater = "fan"', 17, "heater: fan is a fan"),
        ("above = 0.95", "above = 1.5", 17, "above: must be from 0.01 to 1"),
        ("above = 0.95", "over = 0.9", 17, "over: is unknown here"),
        ('pin = "GPIO5"', 'pin = "GPIO17"', 4, "GPIO17 is wanted by the emergency stop"),
        ('pin = "GPIO5"', "pin = 5", 4, "pin: must be a name"),
        ('pin = "GPIO5"', "", 4, "pin: is missing"),
        ('pin = "GPIO5"', 'pin = "GPIO5"\nnormally_closed = "yes"', 4, "normally_closed: must be true or false"),
    ],
)
def test_a_wrong_entry_is_refused_with_line_and_field(old: str, new: str, line: int, what: str) -> None:
    """Before anything starts."""
    assert RIG.count(old) == 1

    with pytest.raises(ConfigError) as caught:
        parse_rig(RIG.replace(old, new))

    assert f"rig.toml:{line}: " in str(caught.value)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    "text", ["supplies = 5", "exclusions = 5", "emergency_stop = 5", "[supplies]\nmain = 5", "exclusions = [5]"]
)
def test_what_is_no_table_is_refused(text: str) -> None:
    """With a sentence, not a traceback."""
    with pytest.raises(ConfigError):
        parse_rig(f"{text}\n[zones.box]")
