"""How a box begins: the scenario, the seed and the weather that settings and a person ask for."""

from __future__ import annotations

from dataclasses import dataclass

from dt.simulator.from_rig import box_spec
from dt.simulator.replay import Replay, load_weather
from dt.simulator.scenario import Scenario, load_scenario
from dt.simulator.spec import BoxSpec
from dt.utils.config import Settings
from dt.utils.rig import Rig

DEFAULT_SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a new box begins with; `weather` None is the synthetic one."""

    scenario: Scenario
    seed: int
    weather: Replay | None

    def spec(self, rig: Rig) -> BoxSpec:
        """Return the box that a rig describes, so begun."""
        return box_spec(rig, self.seed, self.weather)


def beginning(settings: Settings, seed: int | None = None) -> Beginning:
    """Read SIM_SCENARIO and SIM_WEATHER; a person's seed wins over the scenario's, that over the default.

    Raises ConfigError with the file, the line and the field.
    """
    scenario = load_scenario(settings.sim_scenario) if settings.sim_scenario else Scenario()
    wanted = (seed, scenario.seed, DEFAULT_SEED)
    return Beginning(
        scenario=scenario,
        seed=next(number for number in wanted if number is not None),
        weather=load_weather(settings.sim_weather) if settings.sim_weather else None,
    )
