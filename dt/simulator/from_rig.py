"""From the rig to the box: any number of zones, plants, pumps, lamps, fans and heaters, under the rig's own ids."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dt.plant.species import species_of
from dt.simulator.replay import Replay
from dt.simulator.spec import (
    LAMP_LM_PER_W,
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
# What an option of an actuator may be: less or more is a wrong unit.
_LIMITS: Mapping[str, tuple[float, float]] = {
    "flow_ml_s": (0.01, 1000.0),  # as the guard has it
    "reservoir_ml": (0.0, 1e6),
    "lux": (0.0, 200_000.0),  # twice the midday sun
    "power_w": (0.0, 5000.0),
    "exchange_per_h": (0.0, 2000.0),
}
_SHOWN_DIGITS = 40
_SAUCER_SHARE, _RIM_SHARE = 0.15, 0.10  # of the pot's volume


def box_spec(rig: Rig, seed: int = 1, weather: Replay | None = None) -> BoxSpec:
    """Return the box that a rig describes, in synthetic weather or in one that is replayed around all its zones.

    ConfigError names the entry that no box can have.
    """
    around = WeatherSpec() if weather is None else weather
    devices = [actuator for actuator in rig.actuators if actuator.kind in OUTPUT_KINDS]
    pumps = [actuator for actuator in devices if actuator.kind == "pump"]
    zones = {zone.zone_id: _zone(zone, _count_in(zone, rig.plants.values()), around) for zone in rig.zones.values()}
    lamps = [_lamp(actuator, zones[actuator.zone_id]) for actuator in devices if actuator.kind in LAMPS]
    try:
        return BoxSpec(
            zones=tuple(zones.values()),
            pots=tuple(_pot(plant) for plant in rig.plants.values()),
            reservoirs=_reservoirs(pumps),
            pumps=tuple(_pump(actuator) for actuator in pumps),
            lamps=(*lamps, *_timer_lamps(zones.values(), lamps)),
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
    """A can holds what one of its pumps says, or what all that say it agree on."""
    told: dict[str, tuple[str, float]] = {}
    for pump in pumps:
        if "reservoir_ml" not in pump.options:
            continue
        name, content_ml = _reservoir_of(pump), _number(pump, "reservoir_ml", 0.0)
        first, before_ml = told.setdefault(name, (pump.actuator_id, content_ml))
        if content_ml != before_ml:
            amounts = f"{before_ml:g} by {first} and {content_ml:g} by {pump.actuator_id}"
            raise ConfigError(f"actuator {pump.actuator_id}: reservoir_ml: reservoir {name} is given as {amounts}")
    usual_ml = ReservoirSpec().content_ml
    names = dict.fromkeys(map(_reservoir_of, pumps))
    return tuple(ReservoirSpec(name=name, content_ml=told.get(name, ("", usual_ml))[1]) for name in names)


def _reservoir_of(pump: ActuatorDescriptor) -> str:
    return str(pump.options.get("reservoir", pump.actuator_id))


def _lamp(actuator: ActuatorDescriptor, zone: ZoneSpec) -> LampSpec:
    """A lamp of so many watts lights the zone's ground with so many lux, and the other way round."""
    spec = LampSpec(actuator_id=actuator.actuator_id, zone_id=actuator.zone_id, on_h=0.0, off_h=0.0)
    lux_per_w = LAMP_LM_PER_W / zone.air.sunlit_m2
    lux = spec.lux
    if "lux" not in actuator.options and "power_w" in actuator.options:
        lux = _number(actuator, "power_w", 0.0) * lux_per_w
    lux = _number(actuator, "lux", lux)
    heat_w = _number(actuator, "power_w", lux / lux_per_w)  # all of a lamp's electric power ends as heat
    return replace(spec, lux=lux, heat_w=heat_w)


def _timer_lamps(zones: Iterable[ZoneSpec], lamps: Sequence[LampSpec]) -> list[LampSpec]:
    lit = {lamp.zone_id for lamp in lamps}
    return [_timer_lamp(zone) for zone in zones if zone.zone_id not in lit]


def _timer_lamp(zone: ZoneSpec) -> LampSpec:
    spec = LampSpec(actuator_id=timer_lamp_id(zone.zone_id), zone_id=zone.zone_id)
    return replace(spec, heat_w=spec.lux * zone.air.sunlit_m2 / LAMP_LM_PER_W)


def _fan(actuator: ActuatorDescriptor) -> FanSpec:
    spec = FanSpec(actuator_id=actuator.actuator_id, zone_id=actuator.zone_id)
    return replace(spec, exchange_per_h=_number(actuator, "exchange_per_h", spec.exchange_per_h))


def _heater(actuator: ActuatorDescriptor) -> HeaterSpec:
    spec = HeaterSpec(actuator_id=actuator.actuator_id, zone_id=actuator.zone_id)
    return replace(spec, power_w=_number(actuator, "power_w", spec.power_w))


def _number(actuator: ActuatorDescriptor, name: str, default: float) -> float:
    """Return a number of the rig, or what it is by default; ConfigError names actuator, option and limits."""
    value = actuator.options.get(name)
    if value is None:
        return default
    least, most = _LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        limits = f"must be a number from {least:g} to {most:g}"
        raise ConfigError(f"actuator {actuator.actuator_id}: {name}: {limits}, not {str(value)[:_SHOWN_DIGITS]}")
    return float(value)
