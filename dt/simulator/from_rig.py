"""From the rig to the box: any number of zones, plants, pumps, lamps, fans and heaters, under the rig's own ids."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dt.plant.species import species_of
from dt.simulator.replay import Replay
from dt.simulator.spec import (
    AirSpec,
    BoxSpec,
    FanSpec,
    HeaterSpec,
    LampSpec,
    PotSpec,
    PumpSpec,
    RelaySpec,
    ReservoirSpec,
    SiteSpec,
    WeatherSpec,
    ZoneSpec,
)
from dt.utils.dataclasses import Plant
from dt.utils.exceptions import ConfigError
from dt.utils.rig import ActuatorDescriptor, Rig, Zone

LAMPS = frozenset({"lamp", "light"})
OUTPUT_KINDS = frozenset({"pump", "fan", "heater", "relay", *LAMPS})
_SAUCER_SHARE, _RIM_SHARE = 0.15, 0.10  # of the pot's volume


def box_spec(rig: Rig, seed: int = 1, weather: Replay | None = None) -> BoxSpec:
    """Return the box that a rig describes, in synthetic weather or in one that is replayed around all its zones.

    ConfigError names the entry that no box can have.
    """
    around = WeatherSpec() if weather is None else weather
    devices = [actuator for actuator in rig.actuators if actuator.kind in OUTPUT_KINDS]
    pumps = [actuator for actuator in devices if actuator.kind == "pump"]
    lamps = [_lamp(actuator) for actuator in devices if actuator.kind in LAMPS]
    try:
        return BoxSpec(
            zones=tuple(_zone(zone, _count_in(zone, rig.plants.values()), around) for zone in rig.zones.values()),
            pots=tuple(_pot(plant) for plant in rig.plants.values()),
            reservoirs=_reservoirs(pumps),
            pumps=tuple(_pump(actuator) for actuator in pumps),
            lamps=(*lamps, *_timer_lamps(rig, lamps)),
            fans=tuple(_fan(actuator) for actuator in devices if actuator.kind == "fan"),
            heaters=tuple(_heater(actuator) for actuator in devices if actuator.kind == "heater"),
            relays=tuple(RelaySpec(actuator_id=a.actuator_id) for a in devices if a.kind == "relay"),
            seed=seed,
        )
    except ValueError as error:
        raise ConfigError(f"{rig.path}: {error}") from error


def timer_lamp_id(zone_id: str) -> str:
    """Return the id of the lamp that a zone without a lamp of its own has on a timer plug."""
    return f"{zone_id}/lamp"


def _zone(zone: Zone, pots: int, weather: WeatherSpec | Replay) -> ZoneSpec:
    """A box grows with the pots that it holds: volume and walls by their number, the window with them."""
    size, one = max(1, pots), AirSpec()
    face = math.pow(size, 2.0 / 3.0)
    air = replace(
        one,
        volume_m3=one.volume_m3 * size,
        wall_w_k=one.wall_w_k * face,
        surface_w_k=one.surface_w_k * size,
        mass_j_k=one.mass_j_k * size,
        sunlit_m2=one.sunlit_m2 * face,
        cold_wall_m2=one.cold_wall_m2 * face,
    )
    site = SiteSpec(latitude_deg=zone.latitude, longitude_deg=zone.longitude, timezone=zone.timezone)
    return ZoneSpec(zone_id=zone.zone_id, site=site, air=air, weather=weather)


def _count_in(zone: Zone, plants: Iterable[Plant]) -> int:
    return sum(plant.zone_id == zone.zone_id for plant in plants)


def _pot(plant: Plant) -> PotSpec:
    volume_ml = 1000.0 * plant.pot_volume_l
    return PotSpec(
        plant_id=plant.plant_id,
        zone_id=plant.zone_id,
        species=species_of(plant.species),
        volume_ml=volume_ml,
        saucer_ml=_SAUCER_SHARE * volume_ml,
        rim_ml=_RIM_SHARE * volume_ml,
        limits=plant.limits,
    )


def _pump(actuator: ActuatorDescriptor) -> PumpSpec:
    if actuator.plant_id is None:
        raise ConfigError(f"actuator {actuator.actuator_id}: plant: a pump needs the plant that it waters")
    return PumpSpec(
        actuator_id=actuator.actuator_id,
        plant_id=actuator.plant_id,
        reservoir=_reservoir_of(actuator),
        flow_ml_s=_number(actuator, "flow_ml_s", PumpSpec().flow_ml_s),
    )


def _reservoirs(pumps: Sequence[ActuatorDescriptor]) -> tuple[ReservoirSpec, ...]:
    """A can holds what the one of its pumps that tells says."""
    contents: dict[str, float] = {}
    for pump in pumps:
        name = _reservoir_of(pump)
        told = "reservoir_ml" in pump.options
        if told or name not in contents:
            contents[name] = _number(pump, "reservoir_ml", ReservoirSpec().content_ml)
    return tuple(ReservoirSpec(name=name, content_ml=content_ml) for name, content_ml in contents.items())


def _reservoir_of(pump: ActuatorDescriptor) -> str:
    return str(pump.options.get("reservoir", pump.actuator_id))


def _lamp(actuator: ActuatorDescriptor) -> LampSpec:
    spec = LampSpec(actuator_id=actuator.actuator_id, zone_id=actuator.zone_id, on_h=0.0, off_h=0.0)
    heat_w = _number(actuator, "power_w", spec.heat_w)  # all of a lamp's electric power ends as heat
    return replace(spec, lux=_number(actuator, "lux", spec.lux), heat_w=heat_w)


def _timer_lamps(rig: Rig, lamps: Sequence[LampSpec]) -> list[LampSpec]:
    lit = {lamp.zone_id for lamp in lamps}
    return [
        LampSpec(actuator_id=timer_lamp_id(zone_id), zone_id=zone_id) for zone_id in rig.zones if zone_id not in lit
    ]


def _fan(actuator: ActuatorDescriptor) -> FanSpec:
    spec = FanSpec(actuator_id=actuator.actuator_id, zone_id=actuator.zone_id)
    return replace(spec, exchange_per_h=_number(actuator, "exchange_per_h", spec.exchange_per_h))


def _heater(actuator: ActuatorDescriptor) -> HeaterSpec:
    spec = HeaterSpec(actuator_id=actuator.actuator_id, zone_id=actuator.zone_id)
    return replace(spec, power_w=_number(actuator, "power_w", spec.power_w))


def _number(actuator: ActuatorDescriptor, name: str, default: float) -> float:
    value = actuator.options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
        raise ConfigError(f"actuator {actuator.actuator_id}: {name}: must be a number from 0 up, not {value!r}")
    return float(value)
