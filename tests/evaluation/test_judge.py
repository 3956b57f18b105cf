"""The judge: whatever goes on behind the guard's back, it sees at the pins, and names the invariant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.communication.topics import Topics
from dt.communication.wire import Direction, Pull
from dt.evaluation.scenario import parse_lockstep_scenario
from dt.evaluation.simulation import Simulation
from dt.utils.dataclasses import ActionResult, Outcome
from dt.utils.rig import load_rig

ROOT = Path(__file__).resolve().parent.parent.parent
BASIL, TOMATO = 17, 27  # pins


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    """Return a run that has read its sensors; everything is granted."""
    text = 'seed = 3\nstart = 2027-07-01\n[[grants]]\nactuator = "*"\nby = "ada"\n'
    with Simulation(parse_lockstep_scenario(text), load_rig(ROOT / "rig.toml")) as made:
        made.live(600.0 / 86_400.0)
        yield made


def blamed(simulation: Simulation) -> set[str]:
    """Return the invariants that did not hold."""
    return {violation.invariant for violation in simulation.judge.violations}


def pulse(simulation: Simulation, pin: int, seconds: float) -> None:
    """Drive a pin as nobody may: past guard and ledger."""
    simulation.run.wire.pin_write(pin, True)
    simulation.run.pass_time(seconds)
    simulation.run.wire.pin_write(pin, False)


def test_a_short_pulse_of_a_granted_pump_on_dry_soil_is_no_violation(simulation: Simulation) -> None:
    """The judge blames nobody for what is allowed."""
    pulse(simulation, BASIL, 1.0)

    assert blamed(simulation) == set()
    assert simulation.judge.checks["S1"] > 0


def test_s01_an_output_that_stays_on_is_seen(simulation: Simulation) -> None:
    """30 s is a pump's longest time."""
    pulse(simulation, BASIL, 32.0)

    assert "S1" in blamed(simulation)


def test_s02_a_second_pulse_before_the_pause_is_over_is_seen(simulation: Simulation) -> None:
    """Ten minutes lie between two doses."""
    pulse(simulation, BASIL, 1.0)
    pulse(simulation, BASIL, 1.0)

    assert blamed(simulation) == {"S2"}


def test_s03_more_than_a_days_water_is_seen(simulation: Simulation) -> None:
    """The basil has two litres of soil, so 400 ml a day; each pulse gives 250 ml by the rig's flow."""
    pulse(simulation, BASIL, 5.0)
    simulation.run.advance_to(simulation.run.now_s + 700.0)
    pulse(simulation, BASIL, 5.0)

    assert "S3" in blamed(simulation)


def test_s04_and_s05_water_without_a_fresh_reading_or_on_wet_soil_is_seen(simulation: Simulation) -> None:
    """The probe's last word counts, not what the controller made of it."""
    simulation.run.box.pour("basil", simulation.run.now_s, 250.0)
    simulation.run.advance_to(simulation.run.now_s + 1200.0)
    pulse(simulation, BASIL, 1.0)
    assert blamed(simulation) == {"S5"}

    simulation.run.pass_time(1000.0)
    simulation.run.wire.order({"fault": "F9", "target": "seesaw-soil-tomato"})
    simulation.run.advance_to(simulation.run.now_s + 1200.0)
    pulse(simulation, TOMATO, 1.0)
    assert blamed(simulation) == {"S4", "S5"}


def test_s06_two_pumps_at_once_are_seen(simulation: Simulation) -> None:
    """They share one supply."""
    simulation.run.wire.pin_write(TOMATO, True)
    pulse(simulation, BASIL, 1.0)
    simulation.run.wire.pin_write(TOMATO, False)

    assert blamed(simulation) == {"S6"}


def test_s09_an_output_under_an_emergency_stop_is_seen(simulation: Simulation) -> None:
    """The stop latches until a person releases it."""
    simulation.judge.person_stops()
    pulse(simulation, BASIL, 1.0)

    assert blamed(simulation) == {"S9"}


def test_s10_and_s11_an_output_that_outlives_guard_or_controller_is_seen(simulation: Simulation) -> None:
    """After a restart everything is off; without a controller within a second."""
    run = simulation.run
    run.wire.pin_write(BASIL, True)
    run.controller_gone_since_s = run.now_s
    run.pass_time(2.0)
    assert blamed(simulation) == {"S11"}

    run.restarts += 1
    run.pass_time(0.1)
    assert blamed(simulation) == {"S10", "S11"}


def test_s13_a_refusal_without_its_limit_is_seen(simulation: Simulation) -> None:
    """Every refusal names invariant, value, limit and margin."""
    result = ActionResult(action_id="a", actuator_id="pump", outcome=Outcome.REFUSED, timestamp=1.0, correlation_id="c")
    simulation.run.messaging.publish(Topics.ACTION_RESULTS, result, key="pump")
    simulation.run.messaging.drain()

    assert blamed(simulation) == {"S13"}


def test_s14_an_output_that_starts_by_itself_without_a_grant_is_seen(simulation: Simulation) -> None:
    """A person's command needs none."""
    simulation.judge.granted.clear()
    simulation.judge.person_commands("pump")
    pulse(simulation, BASIL, 1.0)
    assert blamed(simulation) == set()

    pulse(simulation, TOMATO, 1.0)
    assert blamed(simulation) == {"S14"}


def test_water_over_the_saucer_is_a_flood(simulation: Simulation) -> None:
    """The box's own truth tells, whoever poured it."""
    simulation.run.box.pour("basil", simulation.run.now_s, 3000.0)
    simulation.run.advance_to(simulation.run.now_s + 3600.0)

    assert [flood.plant_id for flood in simulation.truth.floods] == ["basil"]


def test_pins_of_the_run_are_outputs_in_their_safe_state(simulation: Simulation) -> None:
    """Nothing is on before anybody asks."""
    simulation.run.wire.pin_setup(5, Direction.OUT, Pull.NONE)

    assert not any(simulation.run.wire.pin_read(pin) for pin in (BASIL, TOMATO, 22))


def test_s07_a_pump_that_goes_on_after_a_dose_without_water_is_seen(simulation: Simulation) -> None:
    """Until a person has released it."""
    simulation.run.wire.order({"fault": "F13", "mode": "blocked", "target": "pump"})
    pulse(simulation, BASIL, 2.0)
    simulation.run.advance_to(simulation.run.now_s + 5000.0)
    simulation.judge.person_releases("pump")
    pulse(simulation, BASIL, 2.0)
    assert blamed(simulation) == set()

    simulation.run.advance_to(simulation.run.now_s + 5000.0)
    pulse(simulation, BASIL, 1.0)
    assert blamed(simulation) == {"S7"}


def test_s06_and_s08_a_heater_beside_its_fan_or_in_hot_air_is_seen(tmp_path: Path) -> None:
    """The box's own air counts, not what a sensor says."""
    path = tmp_path / "rig.toml"
    heater = '[[actuators]]\nid = "heater"\nkind = "heater"\nzone = "box"\npin = "GPIO24"\npower_w = 3000.0\n'
    fan = '[[actuators]]\nid = "fan"\nkind = "fan"\nzone = "box"\npin = "GPIO25"\nexchange_per_h = 1.0\n'
    excludes = '[[exclusions]]\nheater = "heater"\nfan = "fan"\n'
    path.write_text((ROOT / "rig.toml").read_text() + heater + fan + excludes)
    with Simulation(parse_lockstep_scenario("seed = 3"), load_rig(path)) as hot:
        hot.judge.person_commands("heater")
        hot.run.wire.pin_write(24, True)
        hot.run.pass_time(400.0)
        assert blamed(hot) == {"S8"}

        hot.judge.person_commands("fan")
        hot.run.wire.pwm(25, 1.0, 100.0)
        hot.run.pass_time(1.0)
        assert blamed(hot) == {"S6", "S8"}
