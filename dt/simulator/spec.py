"""What a simulated box is made of; every number carries its unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dt.plant.light import PPFD_PER_LUX, LightSource
from dt.plant.species import GENERIC, Species
from dt.simulator.replay import Replay
from dt.utils.dataclasses import PlantLimits

LAMP_LM_PER_W = 146.0  # of a white LED
# The only zone, plant, pump and lamp of `BoxSpec()`.
ZONE, PLANT, PUMP, LAMP = "box", "plant-1", "pump", "lamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSpec:
    """Where a zone stands."""

    latitude_deg: float = 45.07
    longitude_deg: float = 7.69
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse places that are not on Earth."""
        if not -90.0 <= self.latitude_deg <= 90.0 or not -180.0 <= self.longitude_deg <= 180.0:
            msg = f"no place on Earth: {self.latitude_deg}, {self.longitude_deg}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherSpec:
    """What surrounds a zone: means, and the spread of the courses of a day, of a year and of spells of days.

    The defaults are a heated room behind a window; `OUTDOORS` a temperate climate. Days are often clear or overcast and
    seldom in between: a year of them sums to about 1,400 kWh/m2 at 45 degrees north, as measured in Turin (PVGIS), and
    half of the day's hours are sunny.
    """

    mean_degc: float = 20.5
    daily_k: float = 1.9
    yearly_k: float = 0.0
    spell_k: float = 1.3
    draught_k: float = 0.35
    vapour_g_m3: float = 9.2
    yearly_g_m3: float = 0.0
    daily_g_m3: float = 0.3
    damp_g_m3: float = 1.4
    cloud_cover: float = 0.57
    yearly_clouds: float = 0.10  # more in the middle of winter, less in that of summer
    cloudy_days: float = 0.70
    passing_clouds: float = 0.20
    broken_clouds: float = 0.35  # of the sun that gaps between clouds let through or take, from minute to minute


OUTDOORS = WeatherSpec(
    mean_degc=10.5, daily_k=4.0, yearly_k=8.0, spell_k=3.0, draught_k=0.5, vapour_g_m3=8.0, yearly_g_m3=3.0,
    daily_g_m3=0.2, damp_g_m3=1.3,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AirSpec:
    """A zone's air and walls: the heat that they hold and let through, air exchange, and what the sun brings in."""

    volume_m3: float = 0.12
    wall_w_k: float = 4.0
    surface_w_k: float = 12.0  # between the air and what stands in it
    mass_j_k: float = 8000.0
    exchange_per_h: float = 25.0
    vent_above_degc: float | None = None  # vents that open by themselves, fully after `vent_band_k`
    vent_band_k: float = 4.0
    vent_exchange_per_h: float = 0.0
    window_share: float = 0.14
    sunlit_m2: float = 0.25
    absorbed_share: float = 0.7
    cold_wall_m2: float = 1.4
    condensing_m_s: float = 0.0025  # mass transfer to a wall by free convection

    def __post_init__(self) -> None:
        """Refuse air that physics has no answer for."""
        for name in ("volume_m3", "wall_w_k", "surface_w_k", "mass_j_k", "exchange_per_h", "vent_band_k"):
            require_positive(self, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSpec:
    """Air that its plants share, where it stands, and what is outside."""

    zone_id: str = ZONE
    site: SiteSpec = field(default_factory=SiteSpec)
    air: AirSpec = field(default_factory=AirSpec)
    weather: WeatherSpec | Replay = field(default_factory=WeatherSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class PotSpec:
    """One pot with its plant; water contents in m3/m3.

    Pot capacity 0.50-0.65 and wilting 0.12-0.20 of potting soils: Baas 2004.
    """

    plant_id: str = PLANT
    zone_id: str = ZONE
    species: Species = GENERIC
    volume_ml: float = 2000.0
    top_share: float = 0.4
    porosity: float = 0.75
    capacity: float = 0.55
    wilting: float = 0.13
    grown_share: float = 0.85  # of the grown plant's leaf area, at the start
    saucer_ml: float = 300.0
    rim_ml: float = 200.0  # water that stands on the soil before it runs over the rim
    initial_vwc: float = 0.40
    limits: PlantLimits = field(default_factory=PlantLimits)

    def __post_init__(self) -> None:
        """Refuse a pot that holds nothing, or holds more than its pores."""
        require_positive(self, "volume_ml")
        if not 0.0 < self.wilting < self.capacity < self.porosity <= 1.0 or not 0.0 < self.top_share < 1.0:
            msg = f"{self.plant_id}: wilting, capacity and porosity must ascend within 0..1, top_share lie in between"
            raise ValueError(msg)
        if not 0.0 <= self.initial_vwc <= self.porosity:
            msg = f"{self.plant_id}: initial_vwc must be from 0 to {self.porosity:g}, not {self.initial_vwc:g}"
            raise ValueError(msg)
        if not 0.0 < self.grown_share <= 1.0:
            msg = f"{self.plant_id}: grown_share must be more than 0 and at most 1, not {self.grown_share:g}"
            raise ValueError(msg)

    @property
    def ground_m2(self) -> float:
        """Ground that the grown plant covers, growing with the pot's face."""
        return 0.030 * math.pow(self.volume_ml / 1000.0, 2.0 / 3.0)

    @property
    def surface_m2(self) -> float:
        """Face of the soil that leaves leave bare."""
        return 0.0126 * math.pow(self.volume_ml / 1000.0, 2.0 / 3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservoirSpec:
    """A can that pumps draw from."""

    name: str = PUMP
    content_ml: float = 5000.0

    def __post_init__(self) -> None:
        """Refuse less than nothing."""
        if not 0.0 <= self.content_ml < math.inf:
            msg = f"reservoir {self.name}: content_ml must not be below 0, not {self.content_ml:g}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpSpec:
    """A pump: nominal flow, the spread of real ones, seconds to prime, and flow lost when the can is nearly empty.

    What the hardware notes ask for: a supply with a timer of its own that cuts off after `supply_timer_s` until the
    pump is switched off, and a siphon break.
    """

    actuator_id: str = PUMP
    plant_id: str = PLANT
    reservoir: str = PUMP
    flow_ml_s: float = 25.0
    spread: float = 0.10
    priming_s: float = 0.4
    head_loss: float = 0.15
    supply_timer_s: float = math.inf
    has_siphon_break: bool = False

    def __post_init__(self) -> None:
        """Refuse a pump that never moves water, or does at once."""
        require_positive(self, "priming_s")
        require_positive(self, "flow_ml_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class LampSpec:
    """A grow lamp, lux at the plants, and the local hours of its timer plug; 0 and 0: never.

    A white LED has about 300 lux per W/m2 of light and 146 lm per W at the wall: 12 W light 0.25 m2 with 7,000 lux.
    """

    actuator_id: str = LAMP
    zone_id: str = ZONE
    lux: float = 7000.0
    lux_per_w_m2: float = 300.0
    umol_per_lux: float = PPFD_PER_LUX[LightSource.COOL_WHITE]
    heat_w: float = 12.0
    radiant_share: float = 0.5  # of its heat that warms surfaces instead of air (Katzin et al. 2021)
    warm_up_s: float = 90.0
    on_h: float = 16.0
    off_h: float = 21.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FanSpec:
    """A fan: air changes that it adds at full speed."""

    actuator_id: str
    zone_id: str = ZONE
    exchange_per_h: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaterSpec:
    """A heater: its power, and the time constant of its hot mass."""

    actuator_id: str
    zone_id: str = ZONE
    power_w: float = 40.0
    lag_s: float = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySpec:
    """A switch with nothing behind it that the box would feel."""

    actuator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSpec:
    """A whole box: zones, pots and devices, each under the id that the rig gives it."""

    zones: tuple[ZoneSpec, ...] = field(default_factory=lambda: (ZoneSpec(),))
    pots: tuple[PotSpec, ...] = field(default_factory=lambda: (PotSpec(),))
    reservoirs: tuple[ReservoirSpec, ...] = field(default_factory=lambda: (ReservoirSpec(),))
    pumps: tuple[PumpSpec, ...] = field(default_factory=lambda: (PumpSpec(),))
    lamps: tuple[LampSpec, ...] = field(default_factory=lambda: (LampSpec(),))
    fans: tuple[FanSpec, ...] = ()
    heaters: tuple[HeaterSpec, ...] = ()
    relays: tuple[RelaySpec, ...] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse doubles, and parts that hang on something that is not there."""
        zones = _unique("zone", [zone.zone_id for zone in self.zones])
        plants = _unique("plant", [pot.plant_id for pot in self.pots])
        cans = _unique("reservoir", [can.name for can in self.reservoirs])
        placed: list[LampSpec | FanSpec | HeaterSpec] = [*self.lamps, *self.fans, *self.heaters]
        devices: list[PumpSpec | LampSpec | FanSpec | HeaterSpec | RelaySpec] = [*self.pumps, *placed, *self.relays]
        _unique("device", [device.actuator_id for device in devices])
        for zone_id in (*(pot.zone_id for pot in self.pots), *(device.zone_id for device in placed)):
            _require_known("zone", zone_id, zones)
        for pump in self.pumps:
            _require_known("plant", pump.plant_id, plants)
            _require_known("reservoir", pump.reservoir, cans)


def require_positive(spec: object, name: str) -> None:
    """Refuse what must be more than nothing."""
    value = getattr(spec, name)
    if not 0.0 < value < math.inf:
        msg = f"{name} must be more than 0, not {value:g}"
        raise ValueError(msg)


def _unique(what: str, names: Sequence[str]) -> set[str]:
    if len(set(names)) != len(names):
        msg = f"a {what} stands there twice: {', '.join(sorted(names))}"
        raise ValueError(msg)
    return set(names)


def _require_known(what: str, name: str, known: set[str]) -> None:
    if name not in known:
        msg = f"no {what} {name!r}; there are: {', '.join(sorted(known)) or 'none'}"
        raise ValueError(msg)
