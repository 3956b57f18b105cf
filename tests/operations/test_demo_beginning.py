"""What a demo's box begins with: the person's seed or the scenario's, and the weather of a file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dt.cli.main import build_parser
from dt.communication.memory import MemoryMessaging
from dt.operations.demo import Demo
from dt.operations.demo_history import lived_through, prepared_box
from dt.operations.demo_settings import DemoRequest, demo_settings
from dt.simulator.beginning import DEFAULT_SEED, beginning
from dt.simulator.main import create_service
from dt.utils.clock import ManualClock
from dt.utils.config import load_settings
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity
from dt.utils.rig import load_rig


def a_demo(folder: Path, seed: int | None = None, **changes: object) -> Demo:
    """Return a demo that is assembled as `dt demo` does it, not yet started."""
    base = load_settings(env_file=None, data_dir=folder / "data", log_dir=folder / "logs", **changes)
    request = DemoRequest(days=0.2, seed=seed)
    clock = ManualClock()
    return Demo(request, demo_settings(request, base), clock, lambda _text: None, threading.Event())


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a scenario of the seed 42, named by the environment as a person does it."""
    path = tmp_path / "scenario.toml"
    path.write_text('seed = 42\n[[faults]]\nfault = "F4"\ntarget = "dht22-humidity"\n', "utf-8")
    monkeypatch.setenv("SIM_SCENARIO", str(path))
    return path


@pytest.fixture
def cellar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the weather of a dark cellar of 5 degrees, named by the environment."""
    path = tmp_path / "cellar.csv"
    rows = "".join(f"{day * 86_400.0},5.0,80,0\n" for day in range(3))
    path.write_text(f"time,temperature_degc,humidity_pct,radiation_w_m2\n{rows}", "utf-8")
    monkeypatch.setenv("SIM_WEATHER", str(path))
    return path


@pytest.mark.parametrize(("asked", "seed"), [([], 42), (["--seed", "7"], 7), (["--seed", "0"], 0)])
def test_a_persons_seed_wins_over_the_scenarios(tmp_path: Path, scenario: Path, asked: list[str], seed: int) -> None:
    """`--seed` where it is given, else the scenario's."""
    assert scenario.is_file()
    given = build_parser().parse_args(["demo", *asked]).seed

    assert a_demo(tmp_path, given).begun.seed == seed


def test_a_demo_without_a_scenario_has_the_default_seed(tmp_path: Path) -> None:
    """Every first look is the same."""
    assert a_demo(tmp_path).begun.seed == DEFAULT_SEED


def test_the_weather_of_a_file_is_around_the_demos_box_in_all_its_past(tmp_path: Path, cellar: Path) -> None:
    """SIM_WEATHER: the history that the demo publishes is cold, and its box lives on in the cold."""
    assert cellar.is_file()
    demo = a_demo(tmp_path)
    rig = load_rig(demo.settings.rig_file)
    now = 1_800_000_000.0
    box, since = prepared_box(demo.begun.spec(rig), rig, 0.5, now)

    samples = lived_through(box, rig, since, now)

    told = [sensor for sensor in rig.sensors if sensor.data_type is not Quantity.CAMERA_IMAGE]
    place = next(i for i, sensor in enumerate(told) if sensor.data_type is Quantity.TEMPERATURE)
    assert max(sample.values[place] for sample in samples[60:]) < 12.0


def test_a_box_that_was_prepared_still_has_the_scenarios_faults(
    tmp_path: Path, scenario: Path, messaging: MemoryMessaging
) -> None:
    """The simulator takes the scenario with the box, and reads its file once."""
    demo = a_demo(tmp_path)
    clock = ManualClock()
    rig = load_rig(demo.settings.rig_file)
    box, _since = prepared_box(demo.begun.spec(rig), rig, 0.05, clock.wall())
    scenario.unlink()

    service = create_service(demo.settings, clock, box, demo.begun)
    service.start()
    faults = [fault.fault for fault in service.wire.desk.all()]
    service.stop()

    assert faults == ["F4"]


def test_a_scenario_that_is_wrong_is_told_before_anything_starts(tmp_path: Path, scenario: Path) -> None:
    """With its file and line, and not after a history was published."""
    scenario.write_text("seed = 1.5\n", "utf-8")

    with pytest.raises(ConfigError, match=r"scenario\.toml: seed: must be a whole number"):
        a_demo(tmp_path)


def test_the_simulator_alone_takes_the_scenarios_seed_too(tmp_path: Path, scenario: Path) -> None:
    """One rule for demo, solo and simulator."""
    settings = load_settings(env_file=None, data_dir=tmp_path, log_dir=tmp_path, sim_scenario=scenario)

    assert beginning(settings).seed == 42
