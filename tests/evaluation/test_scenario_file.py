"""Scenario files: what is wrong is said with the file, the line, the field and the limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.evaluation.scenario import DEFAULT_START_S, load_lockstep_scenario, parse_lockstep_scenario
from dt.evaluation.simulation import Simulation
from dt.simulator.spec import OUTDOORS
from dt.utils.exceptions import ConfigError
from dt.utils.rig import load_rig

ROOT = Path(__file__).resolve().parent.parent.parent


def test_an_empty_scenario_is_a_room_in_june() -> None:
    """Everything has a default; nothing is granted."""
    scenario = parse_lockstep_scenario("")

    assert (scenario.seed, scenario.start_s, scenario.deeds) == (1, DEFAULT_START_S, ())


def test_deeds_are_ordered_by_their_time_and_keep_their_line() -> None:
    """Spans count from the start; grants are deeds like others."""
    scenario = parse_lockstep_scenario(
        'start = 2027-03-01T06:00:00Z\nweather = "outdoors"\n'
        '[[people]]\nat = "2h"\ndoes = "dose"\nactuator = "pump"\nml = 50\n'
        '[[grants]]\nactuator = "*"\nby = "ada"\n'
    )

    assert scenario.weather is OUTDOORS
    assert [(deed.does, deed.at_s - scenario.start_s, deed.line, deed.by) for deed in scenario.deeds] == [
        ("grant", 0.0, 8, "ada"),
        ("dose", 7200.0, 3, "person"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 3", "s.toml:1: colour: is nothing that a scenario has"),
        ("seed = true", "s.toml:1: seed: must be a whole number, not True"),
        ('\nstart = "soon"', "s.toml:2: start: must be a date or a time"),
        ("reads_every_s = 5000", "s.toml:1: reads_every_s: must be a number from 1 to 600, not 5000"),
        ('weather = "mars"', "s.toml:1: weather: must be room or outdoors, or a file"),
        ("people = 3", "s.toml:1: people: must be rows, each under [[people]]"),
        ('[[people]]\ndoes = "fly"', "s.toml:1: does: must be one of dose, on"),
        ('\n[[people]]\ndoes = "dose"\nactuator = "pump"', "s.toml:2: ml: is missing; dose needs it"),
        ('[[people]]\ndoes = "stop"\nml = 3', "s.toml:1: ml: is nothing that stop has"),
        (
            '[[people]]\ndoes = "dose"\nactuator = "pump"\nml = -1',
            "s.toml:1: ml: must be a number from 0.1 to 5000, not -1",
        ),
        ('[[people]]\nat = "-2h"\ndoes = "stop"', "s.toml:1: at: must be a span from the start on"),
        ('[[people]]\nat = 5\ndoes = "stop"', "s.toml:1: at: must not be before the start"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, words: str) -> None:
    """One line for a person, who then knows what to change."""
    with pytest.raises(ConfigError) as refusal:
        parse_lockstep_scenario(text, Path("s.toml"))

    assert words in str(refusal.value)


def test_a_scenario_that_the_rig_does_not_fit_is_refused_before_it_begins() -> None:
    """Faults and deeds name what must be there."""
    rig = load_rig(ROOT / "rig.toml")

    with pytest.raises(ConfigError, match=r"scenario.toml:1: actuator: 'tap' is not in the rig; there are: \*, pump"):
        Simulation(parse_lockstep_scenario('[[grants]]\nactuator = "tap"\nby = "ada"'), rig)
    with pytest.raises(ConfigError, match=r"scenario.toml:1: target: 'tap' is not in the rig"):
        Simulation(parse_lockstep_scenario('[[faults]]\nfault = "F13"\ntarget = "tap"'), rig)


def test_every_example_of_the_notes_can_be_begun() -> None:
    """What the notes show works."""
    examples = sorted((ROOT / "notes" / "scenarios").glob("*.toml"))

    assert examples
    for path in examples:
        scenario = load_lockstep_scenario(path)
        with Simulation(scenario, load_rig(scenario.rig or ROOT / "rig.toml")) as simulation:
            simulation.live(0.01)
