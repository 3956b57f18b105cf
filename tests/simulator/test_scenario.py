"""Scenario files: spans and times, errors with their line, and a simulator that begins one."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from dt.simulator.faults.order import Targets
from dt.simulator.main import create_service
from dt.simulator.scenario import load_scenario, parse_scenario
from dt.utils.clock import ManualClock
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity
from tests.faults.field import Field, dht22, field_settings, probe, zones

ROOT = Path(__file__).parents[2]
TARGETS = Targets(
    sensors={"soil": "seesaw", "air": "dht22"},
    quantities={"soil": Quantity.SOIL_MOISTURE, "air": Quantity.TEMPERATURE},
    actuators={"pump": "pump"},
    i2c=frozenset({"soil"}),
)
START = 1_800_000_000.0
TEXT = """
name = "a bad day"
seed = 7

[[faults]]
fault = "F4"
target = "air"
since = "2h"
until = "150min"
share = 0.5

[[faults]]
fault = "F13"
target = "pump"
mode = "siphon"
since = 2027-01-15T10:00:00Z

[[faults]]
fault = "F9"
target = "soil"
until = "1.5 d"
"""
RIG = zones("basil") + probe("soil", 0x36) + dht22("air", 4)


def test_times_count_from_the_start_or_are_absolute() -> None:
    """Spans are added to the start; a fault without `since` begins with the run."""
    scenario = parse_scenario(TEXT)

    assert (scenario.name, scenario.seed) == ("a bad day", 7)
    assert [(o["fault"], o["since"], o.get("until")) for o in scenario.orders(START, TARGETS)] == [
        ("F4", START + 7200.0, START + 9000.0),
        ("F13", 1_800_007_200.0, None),
        ("F9", START, START + 1.5 * 86_400.0),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("faults = 3", r"scenario.toml: faults must be rows, each under \[\[faults\]\]"),
        ("seed = 1.5", "scenario.toml: seed: must be a whole number, not 1.5"),
        ("speed = 1", "scenario.toml: speed: a scenario has faults, name, seed"),
        ("seed = 1" + "0" * 5000, "scenario.toml: .*digits"),
        ("name = 3", "scenario.toml: name: must be a text"),
        ("[[faults]", "scenario.toml: .*line 1"),
    ],
)
def test_a_bad_file_is_refused(text: str, why: str) -> None:
    """The error names the file and the field."""
    with pytest.raises(ConfigError, match=why):
        parse_scenario(text)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (('"2h"', '"2 hours"'), "scenario.toml:5: since: must be a span from the start on, such as 90s, 5min, 2h or"),
        (('"2h"', '"-1h"'), "scenario.toml:5: since: must be a span from the start on, .* or a time, not '-1h'"),
        (('"150min"', '"1h"'), "scenario.toml:5: until: must be after since"),
        (('"pump"', '"pumps"'), "scenario.toml:12: target: 'pumps' is not in the rig"),
        (('"siphon"', '"syphon"'), "scenario.toml:12: mode: must be one of welded"),
        (('"F9"', '"F99"'), "scenario.toml:18: fault: must be one of F1 to F18"),
    ],
)
def test_a_bad_fault_is_refused_with_its_line(change: tuple[str, str], why: str) -> None:
    """The line is where its row begins."""
    with pytest.raises(ConfigError, match=why):
        parse_scenario(TEXT.replace(*change)).orders(START, TARGETS)


def test_the_example_fits_the_rig_of_the_repository(tmp_path: Path, clock: ManualClock) -> None:
    """scripts/scenarios/bad_week.toml can be run as it is."""
    path = ROOT / "scripts" / "scenarios" / "bad_week.toml"
    settings = field_settings(tmp_path, ROOT / "rig.toml", path)

    service = create_service(settings, clock)

    assert load_scenario(path).faults
    assert service.health()["scenario"] == load_scenario(path).name


def test_a_simulator_begins_its_scenario_once(tmp_path: Path, clock: ManualClock) -> None:
    """A restart goes on with the faults that were kept, and does not begin anew."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('[[faults]]\nfault = "F9"\ntarget = "soil"\nsince = "10s"\n', "utf-8")
    with Field(tmp_path, RIG, clock=clock, scenario=scenario) as first:
        planned = requests.get(f"{first.url}/faults", timeout=5).json()["planned"]
    clock.advance(60.0)
    with Field(tmp_path, RIG, clock=clock, scenario=scenario) as second:
        active = requests.get(f"{second.url}/faults", timeout=5).json()["active"]

    assert [fault["id"] for fault in planned] == [fault["id"] for fault in active] == ["f9-1"]


def test_a_missing_scenario_file_names_the_setting(tmp_path: Path, clock: ManualClock) -> None:
    """One line that says which."""
    (tmp_path / "rig.toml").write_text(RIG, "utf-8")
    settings = field_settings(tmp_path, tmp_path / "rig.toml", tmp_path / "none.toml")

    with pytest.raises(ConfigError, match=r"SIM_SCENARIO: .*none\.toml: No such file"):
        create_service(settings, clock)
