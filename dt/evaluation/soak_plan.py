"""The boxes of a soak: species, pots, seasons, places and faults drawn from a seed; hardware as its notes ask for.

Each pump's supply has a timer of its own and its line a siphon break, without which no software keeps a floor dry once
a relay is welded.
"""

# ruff: noqa: S311 - chances of a simulation, no secret

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dt.evaluation.scenario import Deed, LockstepScenario
from dt.evaluation.soak_faults import DrawnFault, draw_faults
from dt.plant.species import SPECIES
from dt.simulator.from_rig import box_spec
from dt.simulator.scenario import Scenario
from dt.simulator.sensing import calibration_points
from dt.simulator.spec import OUTDOORS, BoxSpec, WeatherSpec
from dt.utils.rig import Rig, parse_rig

DAY_S = 86_400.0
POTS = 4  # a bus has four addresses for soil probes
DAYS = 28
_PLACES = ((60.2, 24.9, "Europe/Helsinki"), (52.5, 13.4, "Europe/Berlin"), (45.07, 7.69, "Europe/Rome"))
_SOUTH = ((36.8, -3.0, "Europe/Madrid"), (-33.9, 151.2, "Australia/Sydney"))
_VOLUMES_L = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
_PINS = (17, 27, 22, 23)
_FLOW_PER_LITRE = 4.0  # ml/s: a tenth of the pot in 25 s, so that the supply's timer keeps a welded relay from a flood
_SUPPLY_TIMER_S = 33.0
_CAN_SHARE = 0.8  # of all pots' volume; a person fills it up once a week
_REFILL_S = 7 * DAY_S
_AIR_S, _CLIMATE_S = 1800.0, 290.0  # a heater wants a temperature of the last five minutes
_CLIMATE_SHARE = 0.1  # of the boxes have heater, fan and lamp of their own
_POLICIES: tuple[Mapping[str, Any], ...] = (
    {
        "actuator": "heater",
        "policy": "hysteresis",
        "parameters": {"quantity": "temperature", "on_at": 18.0, "off_at": 20.0},
    },
    {
        "actuator": "fan",
        "policy": "hysteresis",
        "parameters": {"quantity": "temperature", "on_at": 29.0, "off_at": 27.0},
    },
    {"actuator": "lamp", "policy": "schedule", "parameters": {"since": "16:00", "until": "21:00"}},
)
_WARM_MONTHS = (5, 6, 7, 8, 9)
_REPAIRED_AFTER_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakBox:
    """One box of a soak, ready to be lived through."""

    number: int
    rig: Rig
    spec: BoxSpec
    scenario: LockstepScenario
    faults: tuple[DrawnFault, ...]
    days: int
    place: str
    season: str

    @property
    def plant_days(self) -> int:
        """Return how many days of how many plants it is."""
        return self.days * len(self.rig.plants)


def soak_box(
    number: int, seed: int, folder: Path, *, faulty: bool, days: int = DAYS, only: Collection[str] = ()
) -> SoakBox:
    """Return one box; the rig's file is written into `folder`. A faulty one has `only` these faults, if any."""
    dice = random.Random(f"{seed}:{number}:soak")
    month = dice.randrange(1, 13)
    start_s = datetime(2027, month, dice.randrange(1, 29), dice.randrange(24), tzinfo=UTC).timestamp()
    place = dice.choice((*_PLACES, *_SOUTH))
    is_outside = month in _WARM_MONTHS and place[0] > 0.0 and dice.random() < 0.4
    path = folder / f"box-{number}.toml"
    text = _rig_text(dice, place)
    has_climate = dice.random() < _CLIMATE_SHARE
    path.write_text(text + _CLIMATE if has_climate else text, "utf-8")
    rig = parse_rig(path.read_text("utf-8"), path)
    spec = _spec(rig, seed * 10_000 + number, OUTDOORS if is_outside else WeatherSpec())
    faults = draw_faults(dice, rig, start_s, days, only) if faulty else ()
    return SoakBox(
        number=number,
        rig=rig,
        spec=spec,
        scenario=LockstepScenario(
            path=path,
            name=f"box {number}",
            seed=spec.seed,
            start_s=start_s,
            reads_every_s=_CLIMATE_S if has_climate else 300.0,
            air_every_s=_CLIMATE_S if has_climate else _AIR_S,
            faults=Scenario(faults=tuple(f.order for f in faults), lines=(1,) * len(faults), path=path),
            deeds=_deeds(faults, start_s, days, _POLICIES if has_climate else ()),
        ),
        faults=faults,
        days=days,
        place=f"{place[0]:.0f} degrees, {'outdoors' if is_outside else 'room'}",
        season=f"{month:02d}",
    )


def _spec(rig: Rig, seed: int, weather: WeatherSpec) -> BoxSpec:
    spec = box_spec(rig, seed)
    return replace(
        spec,
        zones=tuple(replace(zone, weather=weather) for zone in spec.zones),
        pumps=tuple(replace(p, supply_timer_s=_SUPPLY_TIMER_S, has_siphon_break=True) for p in spec.pumps),
    )


def _deeds(
    faults: tuple[DrawnFault, ...], start_s: float, days: int, policies: Sequence[Mapping[str, Any]]
) -> tuple[Deed, ...]:
    """A person grants everything, fills the can once a week, and repairs what was told, when the fault ends."""
    deeds = [_deed(start_s, "policy", **policy) for policy in policies]
    deeds += [Deed(at_s=start_s, does="grant", by="soak", fields={"actuator": "*"})]
    weeks = int(days * DAY_S / _REFILL_S)
    deeds += [_deed(start_s + (week + 1) * _REFILL_S, "refill", reservoir="can") for week in range(weeks)]
    for fault in faults:
        for pump_id in fault.repairs:
            deeds.append(_deed(fault.until_s + _REPAIRED_AFTER_S, "release", actuator=pump_id))
    return tuple(sorted(deeds, key=lambda deed: deed.at_s))


def _deed(at_s: float, does: str, **fields: Any) -> Deed:
    return Deed(at_s=at_s, does=does, by="soak", fields=fields)


def _rig_text(dice: random.Random, place: tuple[float, float, str]) -> str:
    names = dice.sample(list(SPECIES), POTS)
    volumes = [dice.choice(_VOLUMES_L) for _ in names]
    can_ml = _CAN_SHARE * 1000.0 * sum(volumes)
    latitude, longitude, timezone = place
    parts = [f'[zones.box]\ntimezone = "{timezone}"\nlatitude = {latitude}\nlongitude = {longitude}\n', _AIR]
    for index, (species, volume_l) in enumerate(zip(names, volumes, strict=True)):
        low = dice.choice((0.25, 0.27, 0.30))
        parts.append(_pot_text(index, species, volume_l, low, can_ml))
    return "\n".join(parts)


def _pot_text(index: int, species: str, volume_l: float, low: float, can_ml: float) -> str:
    can = f"reservoir_ml = {can_ml:.1f}\n" if index == 0 else ""
    limits: Mapping[str, float] = {"low": low, "target": low + 0.10, "high": low + 0.18}
    shown = ", ".join(f"soil_moisture_{name} = {value:.2f}" for name, value in limits.items())
    points = ", ".join(f"[{counts}, {vwc}]" for counts, vwc in calibration_points())
    return f"""
[plants.p{index}]
zone = "box"
species = "{species}"
pot_volume_l = {volume_l}
limits = {{ {shown} }}

[[sensors]]
id = "soil-{index}"
kind = "seesaw"
quantity = "soil_moisture"
plant = "p{index}"
address = {0x36 + index}
every_s = 300
calibration = {{ version = 1, points = [{points}] }}

[[sensors]]
id = "warmth-{index}"
kind = "seesaw"
quantity = "soil_temperature"
plant = "p{index}"
address = {0x36 + index}
every_s = 300

[[actuators]]
id = "pump-{index}"
kind = "pump"
plant = "p{index}"
pin = "GPIO{_PINS[index]}"
flow_ml_s = {_FLOW_PER_LITRE * volume_l}
reservoir = "can"
{can}"""


_CLIMATE = """
[[actuators]]
id = "heater"
kind = "heater"
zone = "box"
pin = "GPIO24"

[[actuators]]
id = "fan"
kind = "fan"
zone = "box"
pin = "GPIO25"

[[actuators]]
id = "lamp"
kind = "light"
zone = "box"
pin = "GPIO5"

[[exclusions]]
heater = "heater"
fan = "fan"
"""
_AIR = """
[[sensors]]
id = "air-t"
kind = "dht22"
quantity = "temperature"
zone = "box"
pin = "GPIO4"
every_s = 300

[[sensors]]
id = "air-h"
kind = "dht22"
quantity = "humidity"
zone = "box"
pin = "GPIO4"
every_s = 300

[[sensors]]
id = "light"
kind = "bh1750"
quantity = "light_intensity"
zone = "box"
address = 0x23
every_s = 300
light_source = "sunlight"

[[sensors]]
id = "camera"
kind = "camera"
quantity = "camera_image"
zone = "box"
pin = "camera0"
every_s = 300
"""
