"""Actuators as the rig declares them: what is refused, and what the guard is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.controller.kinds import make_actuators
from dt.controller.rig_limits import guard_config
from dt.utils.exceptions import ConfigError
from dt.utils.rig import parse_rig
from tests.controller.rooms import RIG


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
