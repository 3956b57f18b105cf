"""Actuators as the rig declares them: what is refused, and what the guard is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dt.controller.guard_types import Exclusion, StopInput
from dt.controller.kinds import KINDS, make_actuator, make_actuators
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.kinds.pump import Pump, calibrate_command, measured_flow, prime_command
from dt.controller.rig_limits import guard_config
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import ActionCommand, Command
from dt.utils.exceptions import ConfigError, MessageError
from dt.utils.rig import ActuatorDescriptor, load_rig, parse_rig
from tests.controller.rooms import RIG, dose

BIG_RIG = Path(__file__).parent / "big-rig.toml"


def test_a_pump_gets_the_default_limits(tmp_path: Path) -> None:
    """30 s on, 10 min pause, 200 ml a day per litre of pot, 500 ms of lease."""
    config = guard_config(parse_rig(RIG), tmp_path)

    [output] = config.outputs
    assert (output.pin, output.max_on_s, output.pause_s, config.lease_s) == (17, 30.0, 600.0, 0.5)
    assert config.budgets["basil"].ml_per_day == 200.0
    assert config.reservoirs == {"basil-pump": 1000.0}


def test_the_guards_configuration_survives_its_file(tmp_path: Path) -> None:
    """What is written is what is read."""
    config = guard_config(parse_rig(RIG), tmp_path)

    assert type(config).from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("max_on_s = 121", "max_on_s"),
        ("pause_s = 5", "pause_s"),
        ("max_on = 20", "max_on"),
        ('max_on_s = "long"', "max_on_s"),
        ("max_ml_per_day = 501", "ml_per_day"),
    ],
)
def test_s01_s03_a_rig_that_passes_a_ceiling_is_refused(tmp_path: Path, line: str, what: str) -> None:
    """With the field's name, before anything starts."""
    with pytest.raises(ConfigError, match=what):
        guard_config(parse_rig(RIG + line), tmp_path)


def test_an_unknown_kind_is_refused_with_those_that_are_there() -> None:
    """Kinds of other packages come by entry points."""
    with pytest.raises(ConfigError, match="pump"):
        make_actuators(parse_rig(RIG.replace('kind = "pump"', 'kind = "catapult"')))


def test_a_pump_without_its_flow_is_refused() -> None:
    """Without calibration no dose can be told in seconds."""
    with pytest.raises(ConfigError, match="flow_ml_s"):
        make_actuators(parse_rig(RIG.replace("flow_ml_s = 5.0", "")))


def _made(kind: str, plant_id: str | None = None, **options: Any) -> BaseActuator:
    return make_actuator(
        ActuatorDescriptor(actuator_id="x", kind=kind, zone_id="box", pin="GPIO17", plant_id=plant_id, options=options)
    )


def _pump(**options: Any) -> Pump:
    made = _made("pump", "basil", **{"flow_ml_s": 5.0, **options})
    assert isinstance(made, Pump)
    return made


def _level(level: float, duration_s: float | None = None) -> ActionCommand:
    return replace(dose(ManualClock()), command=Command.LEVEL, level=level, duration_s=duration_s, dose_ml=None)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"pump"}))
def test_a_kind_that_moves_no_water_needs_no_plant(kind: str) -> None:
    """It serves a zone, and has the limits of its own class."""
    made = _made(kind)

    assert made.output.output_class == kind
    assert made.delivered_ml(10.0) is None
    assert not made.waters
    assert {Command.ON, Command.OFF} <= made.takes


@pytest.mark.parametrize(
    ("kind", "max_on_s", "pause_s"),
    [("fan", 86_400.0, 0.0), ("light", 64_800.0, 0.0), ("heater", 1800.0, 60.0), ("relay", 3600.0, 10.0)],
)
def test_the_usual_limits_of_every_kind(kind: str, max_on_s: float, pause_s: float) -> None:
    """Where the rig says nothing else."""
    output = _made(kind).output

    assert (output.max_on_s, output.pause_s, output.active_high) == (max_on_s, pause_s, True)


def test_a_level_lasts_as_long_as_the_output_may_be_on_unless_it_says_how_long() -> None:
    """A fan is dimmed from the start, and what is not a level is full."""
    fan = _made("fan", max_on_s=600.0)

    assert (fan.on_seconds(_level(0.3)), fan.on_seconds(_level(0.3, 20.0))) == (600.0, 20.0)
    assert fan.level_of(_level(0.3)) == 0.3
    assert fan.level_of(replace(_level(0.3, 20.0), command=Command.ON)) == 1.0


@pytest.mark.parametrize("kind", ["light", "heater", "relay"])
def test_an_output_without_pwm_takes_no_level(kind: str) -> None:
    """It says what it takes instead."""
    with pytest.raises(MessageError, match="takes off, on"):
        _made(kind).on_seconds(_level(0.5))


@pytest.mark.parametrize("kind", ["light", "heater"])
def test_a_frequency_makes_an_output_dimmable(kind: str) -> None:
    """`pwm_hz` in the rig."""
    made = _made(kind, pwm_hz=10)

    assert (made.output.pwm_hz, made.on_seconds(_level(0.5, 5.0))) == (10.0, 5.0)


@pytest.mark.parametrize(
    ("kind", "options", "what"),
    [
        ("heater", {"cut_off_degc": 46}, "cut_off_degc: must be from 5 to 45, not 46"),
        ("heater", {"cut_off_degc": "hot"}, "cut_off_degc: must be a number"),
        ("heater", {"max_on_s": 1801}, "max_on_s"),
        ("light", {"max_on_s_per_day": 65_000}, "max_on_s_per_day"),
        ("light", {"lux": -1}, "lux"),
        ("fan", {"pwm_hz": 25_000}, "pwm_hz"),
        ("fan", {"exchange_per_h": 1e9}, "exchange_per_h"),
        ("relay", {"pwm_hz": 10}, "pwm_hz: no option of a relay"),
        ("relay", {"load_w": -5}, "load_w"),
        ("relay", {"supply": 5}, "supply: must be the name"),
        ("relay", {"flow_ml_s": 5}, "flow_ml_s: no option of a relay"),
    ],
)
def test_an_option_beyond_its_limits_is_refused_by_name(kind: str, options: dict[str, Any], what: str) -> None:
    """With the limit, before anything starts."""
    with pytest.raises(ConfigError, match=what):
        _made(kind, **options)


def test_a_heater_has_a_cut_off() -> None:
    """35 degC unless the rig says otherwise, and a person sees it."""
    heater = _made("heater", power_w=60.0)

    assert heater.describe()["limits"]["cut_off_degc"] == 35.0
    assert heater.output.load_w == 60.0


def test_an_output_that_is_on_when_its_pin_is_low_says_so_to_the_guard() -> None:
    """Its safe state is off all the same."""
    low = ActuatorDescriptor(actuator_id="x", kind="relay", zone_id="box", pin="GPIO17", active_high=False)

    assert not make_actuator(low).output.active_high


def test_a_dose_runs_longer_by_the_priming_and_is_charged_for_it() -> None:
    """20 ml at 5 ml/s and 2 s of priming: 6 s, of which 4 s bring water and 6 s are charged."""
    pump = _pump(priming_s=2.0)

    on_s = pump.on_seconds(dose(ManualClock(), ml=20.0))

    assert (on_s, pump.delivered_ml(on_s), pump.charged_ml(on_s)) == (6.0, 20.0, 30.0)
    assert pump.largest_dose_ml == 140.0
    with pytest.raises(ConfigError, match="priming_s: must be less than max_on_s"):
        _pump(priming_s=10.0, max_on_s=10.0)


def test_a_measured_flow_doses_and_the_larger_one_charges() -> None:
    """A pump that has become slower runs longer, and its old flow goes on to be charged."""
    pump = _pump()

    pump.see({"flow_ml_s": 4.0})

    on_s = pump.on_seconds(dose(ManualClock(), ml=20.0))
    assert (on_s, pump.delivered_ml(on_s), pump.charged_ml(on_s)) == (5.0, 20.0, 25.0)


def test_priming_and_calibrating_are_commands_like_any_other() -> None:
    """Runs of a known length, in the name of who asked, no longer than the pump may be on."""
    pump = _pump(priming_s=1.0, max_on_s=8.0)

    prime, calibrate = prime_command(pump, "anna", 1e9), calibrate_command(pump, "anna", 1e9)

    assert (prime.command, prime.duration_s, prime.issuer) == (Command.ON, 5.0, "anna")
    assert (calibrate.duration_s, calibrate.plant_id, calibrate.timestamp) == (8.0, "basil", 1e9)
    assert prime.action_id != calibrate.action_id


def test_a_jug_of_water_becomes_a_flow() -> None:
    """The seconds of priming brought none of it; what lies beyond three times the rig's flow is a wrong jug."""
    pump = _pump(priming_s=1.0)

    assert measured_flow(pump, 48.0, 11.0) == 4.8
    for ml, on_s, what in ((500.0, 11.0, "ml"), (0.0, 11.0, "ml"), (5.0, 1.0, "on_s"), (float("nan"), 11.0, "ml")):
        with pytest.raises(MessageError) as caught:
            measured_flow(pump, ml, on_s)
        assert caught.value.field == what


def test_a_big_rig_becomes_the_guards_configuration(tmp_path: Path) -> None:
    """Two supplies, an exclusion, a button, and every kind with its class."""
    config = guard_config(load_rig(BIG_RIG), tmp_path)

    assert {one.actuator_id: one.output_class for one in config.outputs} == {
        "pump": "water", "fan": "fan", "lamp": "light", "heater": "heater", "mister": "relay",
    }  # fmt: skip
    assert config.supplies == {"main": 60.0, "pumps": 12.0}
    assert config.exclusions == (Exclusion(heater="heater", fan="fan", above=0.95),)
    assert config.stop_input == StopInput(pin=5)
    assert type(config).from_json(config.to_json()) == config
