"""Boxes built and run like the places that real measurements come from: a greenhouse in winter, a pot outdoors."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from zoneinfo import ZoneInfo

from dt.plant.species import species_of
from dt.simulator.box import Box
from dt.simulator.sensing import Senses
from dt.simulator.spec import (
    LAMP,
    OUTDOORS,
    PLANT,
    ZONE,
    AirSpec,
    BoxSpec,
    FanSpec,
    HeaterSpec,
    LampSpec,
    PotSpec,
    SiteSpec,
    WeatherSpec,
    ZoneSpec,
)

_DAY_S = 86_400.0
_SUN_PPFD, _LED_PPFD = 0.0185, 0.0135  # umol m-2 s-1 per lux of sunlight and of a white LED (Apogee)
_BLEISWIJK = SiteSpec(latitude_deg=52.03, longitude_deg=4.53, timezone="Europe/Amsterdam")
_TURIN = SiteSpec(latitude_deg=45.07, longitude_deg=7.69, timezone="Europe/Rome")
# A compartment of 96 m2 and 5 m height under glass. Its screens, half drawn, leave a quarter of the light and turn
# more of it into warmth; leaves and floor exchange much heat with the air.
_GLASS = AirSpec(
    volume_m3=480.0, wall_w_k=380.0, surface_w_k=4500.0, mass_j_k=6e6, exchange_per_h=0.5, window_share=0.25,
    sunlit_m2=160.0, cold_wall_m2=100.0, condensing_m_s=0.0015,
)  # fmt: skip
_CANOPY_L = 110_000.0  # a canopy of 69 m2, taken as one pot
_LIGHT_DEGC, _DARK_DEGC = 19.7, 14.5  # set-points while lamps are on, and in the hours without light
_HEAT_BAND_K, _VENT_BAND_K = 5.0, 5.0
_LIGHT_VENT_K, _DARK_VENT_K = 4.5, 1.0  # above the set-point vents begin to open
_VENT_MOVES = 0.10  # in five minutes, at most
_DAMP_PCT, _DRY_PCT, _DAMP_VENT = 81.0, 75.0, 0.11  # vents open a little against damp, until it is gone


def greenhouse_days(start: datetime, days: int, seed: int) -> list[tuple[float, float, float]]:
    """Return (degC, %, umol/m2/s) every five minutes, from a local time on, after two days of settling."""
    start_s = start.replace(tzinfo=ZoneInfo(_BLEISWIJK.timezone)).astimezone(UTC).timestamp()
    box = Box(_greenhouse(seed), start_s - 2 * _DAY_S)
    senses = Senses.of(box, ZONE, None, "GPIO4")
    computer = _ClimateComputer(box)
    found = []
    while box.now_s < start_s + days * _DAY_S - 1.0:
        if box.now_s > start_s - 1.0:
            found.append((senses.air_degc(), senses.humidity_pct(), _ppfd(box)))
        computer.control()
        box.advance(box.now_s + 300.0)
    return found


def pot_dry_down(start: datetime, count: int, seed: int) -> list[float]:
    """Return counts every twenty minutes of a pot outdoors that was watered to its capacity eight hours before."""
    start_s = start.replace(tzinfo=ZoneInfo(_TURIN.timezone)).astimezone(UTC).timestamp()
    zone = ZoneSpec(
        site=_TURIN,
        weather=WeatherSpec(
            mean_degc=13.5, daily_k=5.0, yearly_k=10.5, spell_k=2.0, draught_k=0.5, vapour_g_m3=10.0, yearly_g_m3=5.0,
            cloud_cover=OUTDOORS.cloud_cover,
        ),
        air=AirSpec(volume_m3=1.0, exchange_per_h=200.0, window_share=0.25),
    )  # fmt: skip
    pot = PotSpec(species=species_of("basil"), volume_ml=5000.0, initial_vwc=0.5, grown_share=0.6)
    box = Box(BoxSpec(zones=(zone,), pots=(pot,), lamps=(), pumps=(), seed=seed), start_s - _DAY_S)
    box.pour(PLANT, start_s - 8 * 3600.0, 1500.0)
    senses = Senses.of(box, ZONE, PLANT, "0x36")
    found = []
    for index in range(count):
        box.advance(start_s + 1200.0 * index)
        found.append(float(median(senses.moisture_counts() for _ in range(3))))  # as the sensor does
    return found


class _ClimateComputer:
    """A grower's thermostat: heating and vents by proportional bands, vents against damp by two points."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._is_damp = False
        self._opening = 0.0

    def control(self) -> None:
        """Set heater and vents for the next five minutes."""
        box, zone = self._box, self._box.zones[ZONE]
        is_lit = zone.is_lamp_on
        wanted = _LIGHT_DEGC if is_lit else _DARK_DEGC
        error = wanted - zone.air_degc
        box.drive("heater", error / _HEAT_BAND_K + 0.35)
        self._is_damp = zone.humidity_pct > (_DRY_PCT if self._is_damp else _DAMP_PCT)
        opening = min(1.0, max(0.0, (-error - (_LIGHT_VENT_K if is_lit else _DARK_VENT_K)) / _VENT_BAND_K))
        self._opening += min(_VENT_MOVES, max(-_VENT_MOVES, opening - self._opening))
        box.drive("vents", max(self._opening, _DAMP_VENT if self._is_damp else 0.0))


def _greenhouse(seed: int) -> BoxSpec:
    lamp = LampSpec(actuator_id=LAMP, lux=16_000.0, heat_w=7000.0, on_h=23.3, off_h=18.4)
    return BoxSpec(
        zones=(ZoneSpec(site=_BLEISWIJK, air=_GLASS, weather=OUTDOORS),),
        pots=(PotSpec(species=species_of("lettuce"), volume_ml=1000.0 * _CANOPY_L, initial_vwc=0.5),),
        pumps=(),
        lamps=(lamp,),
        fans=(FanSpec(actuator_id="vents", exchange_per_h=30.0),),
        heaters=(HeaterSpec(actuator_id="heater", power_w=14_000.0, lag_s=900.0),),
        seed=seed,
    )


def _ppfd(box: Box) -> float:
    zone = box.zones[ZONE]
    return zone.daylight_lux * _SUN_PPFD + (zone.light_lux - zone.daylight_lux) * _LED_PPFD
