"""How much of each quantity is too much: one row per quantity and unit, with where each number comes from.

Sources: WMO = Zahumensky (2004), Guidelines on quality control procedures for data from automatic weather stations
(WMO-No. 488 annex), limits of a minute's change. ISMN = Dorigo et al. (2013), doi 10.2136/vzj2012.0097. Baas = Baas
(2004), potting soils. AM2302, BH1750 = datasheets. Where it says chosen, the number is a round one: several times what
ordinary sensors show of it between a reading a second and one an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dt.utils.quantities import Quantity, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """One row, in the unit of its key; None where the gate has nothing to say of this quantity."""

    plausible: tuple[float, float] | None = None  # outside: possible, but not where plants live
    rise_per_min: float | None = None  # faster: a step; grows with the square root of the minutes between readings
    fall_per_min: float | None = None
    step_most: float = 0.0  # the limit grows no further than this
    step_held_s: float = 0.0  # how long a level is doubted that was reached by a step
    spike: float | None = None  # smaller ones are no spikes
    noise: float | None = None  # mean second difference below which noise never counts as grown
    noise_most: float | None = None  # above which it does, whatever it was before
    noise_pause_s: float = 0.0  # with longer pauses the weather of the place looks like noise
    stuck_s: float | None = None  # the shortest time that is suspicious
    dark: float | None = None  # at or below this value it is night: the same value for hours says nothing
    slow_rise: float | None = None  # a rise that took hours and is larger than this is not water
    pair: float | None = None  # two sensors of one air may differ by this much more than they usually do


_AIR = Thresholds(
    plausible=(-25.0, 60.0),  # chosen: greenhouse to frost; the chip itself goes from -40 to 80 (AM2302)
    rise_per_min=3.0,  # WMO: 3 degC
    fall_per_min=3.0,
    step_most=20.0,  # chosen: a desert's day
    step_held_s=24 * 3600.0,
    spike=2.0,  # chosen: twice the AM2302's spread of +-0.5 degC, and as much again
    noise=0.5,  # chosen: five of the AM2302's steps
    noise_most=1.5,  # chosen: no air near plants trembles so from one reading to the next
    noise_pause_s=120.0,  # about the time in which a vent changes a greenhouse's air
    stuck_s=3600.0,  # WMO asks for 0.1 degC of change within 60 min
    pair=3.0,  # chosen: six times the AM2302's spread, sun on one of the two included
)
_HUMIDITY = Thresholds(
    plausible=(2.0, 100.0),  # chosen: the driest desert air; an all-zero frame says 0
    rise_per_min=15.0,  # WMO: 15 %
    fall_per_min=15.0,
    step_most=50.0,
    step_held_s=24 * 3600.0,
    spike=8.0,  # chosen: four times the AM2302's spread of +-2 %
    noise=2.5,
    noise_most=5.0,
    noise_pause_s=120.0,
    stuck_s=3600.0,  # WMO asks for 1 % of change within 60 min
    pair=12.0,
)
_SOIL_DEGC = Thresholds(
    plausible=(-10.0, 55.0),  # chosen: frost to full sun on a black pot
    rise_per_min=3.0,  # WMO has 1 degC for open ground; cold water on a pot is faster
    fall_per_min=3.0,
    step_most=15.0,
    step_held_s=24 * 3600.0,
    spike=2.0,
    noise=0.6,  # the seesaw's own thermometer is coarse
    noise_most=1.5,
    noise_pause_s=900.0,
    stuck_s=3 * 3600.0,
    pair=4.0,
)
_SOIL = Thresholds(
    plausible=(0.01, 0.85),  # ISMN C01 below 0; Baas: peat is saturated at 0.85 to 0.95
    rise_per_min=0.6,  # water comes at once; more than from wilting to saturation in one step is none (Baas)
    fall_per_min=0.06,  # chosen: drainage after a watering is slower
    step_most=0.6,
    step_held_s=48 * 3600.0,  # longer than of air: pumps follow this quantity
    spike=0.03,  # chosen: three times a capacitive probe's +-0.01
    noise=0.008,  # chosen: eight steps of a 10-bit probe
    noise_most=0.04,
    noise_pause_s=1200.0,
    stuck_s=3 * 3600.0,
    slow_rise=0.025,  # chosen: five times the temperature error of a good capacitive probe over a day
)
_WETNESS = Thresholds(  # relative: a probe's whole range is one, so everything is about twice as large
    plausible=(0.0, 1.0),
    rise_per_min=0.9,
    fall_per_min=0.15,
    step_most=0.9,
    step_held_s=48 * 3600.0,
    spike=0.06,
    noise=0.015,
    noise_most=0.1,
    noise_pause_s=1200.0,
    stuck_s=3 * 3600.0,
    slow_rise=0.06,
)
_LIGHT = Thresholds(  # clouds and switches make every step and noise possible; a flash in the dark is a spike
    spike=1000.0,
    stuck_s=2 * 3600.0,
    dark=10.0,  # chosen: a room at dusk; BH1750: a few counts of its coarse mode
)
_PPFD = Thresholds(spike=20.0, stuck_s=2 * 3600.0, dark=5.0)  # quantum sensors have zero offsets of some umol

NONE = Thresholds()

THRESHOLDS: Mapping[tuple[Quantity, Unit], Thresholds] = {
    (Quantity.TEMPERATURE, Unit.DEGREE_CELSIUS): _AIR,
    (Quantity.HUMIDITY, Unit.PERCENT): _HUMIDITY,
    (Quantity.SOIL_TEMPERATURE, Unit.DEGREE_CELSIUS): _SOIL_DEGC,
    (Quantity.SOIL_MOISTURE, Unit.VWC): _SOIL,
    (Quantity.SOIL_MOISTURE, Unit.FRACTION): _WETNESS,
    (Quantity.LIGHT_INTENSITY, Unit.LUX): _LIGHT,
    (Quantity.LIGHT_INTENSITY, Unit.PPFD): _PPFD,
}


def thresholds_of(quantity: Quantity, unit: Unit) -> Thresholds:
    """Return the row of a quantity; an empty one for counts and pictures."""
    return THRESHOLDS.get((quantity, unit), NONE)
