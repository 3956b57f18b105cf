"""What the chips make of the truth: resolution, spread, hysteresis, drift and noise, all seeded and each chip's own.

Chips behind the wire and the history of the demo use the same functions.
"""

# ruff: noqa: S311 - noise of a simulation, no secret

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from dt.simulator.box import Box
from dt.simulator.chip_memory import DiceMemory, checked, dice_memory, dice_state, finite, plain
from dt.simulator.noise import SmoothNoise
from dt.utils.quantities import Quantity

# The seesaw probe reads about 300 in air and 1015 in water (Adafruit STEMMA soil sensor, 4026).
AIR_COUNTS = 300.0
WATER_COUNTS = 1015.0
_MIDDLE_VWC = 0.28
_WIDTH_VWC = 0.10
_COUNTS_PER_K = 0.8
_REFERENCE_DEGC = 20.0
_MOST_COUNTS = 1023  # the touch engine has 10 bits
_DRIFT_COUNTS = 1.5
_DRIFT_PERIOD_S = 20 * 86_400.0
_FRESH_GAP_COUNTS = 30.0  # soil that was pushed aside lets air to the probe, and settles
_SETTLES_S = 6.0 * 3600
# Aosong AM2302: 0.1 resolution, +-0.5 degC, +-2 %, hysteresis +-0.3 %, 0 to 99.9 %.
_SPREAD_DEGC, _SPREAD_PCT = 0.5, 2.0
_MOST_PCT = 99.9
_HYSTERESIS_DEGC, _HYSTERESIS_PCT = 0.05, 0.3
BH1750_COUNTS_PER_LUX = 1.2  # BH1750FVI datasheet, H-resolution mode at the default measurement time
_MAX_LUX_COUNTS = 0xFFFF


def counts_from_vwc(vwc: float) -> float:
    """Return the nominal seesaw counts of a water content in m3/m3, a sigmoid from air to water.

    >>> round(counts_from_vwc(0.0)), round(counts_from_vwc(0.25)), round(counts_from_vwc(1.0))
    (300, 580, 1015)
    """
    low, high = _sigmoid(0.0), _sigmoid(1.0)
    return AIR_COUNTS + (WATER_COUNTS - AIR_COUNTS) * (_sigmoid(vwc) - low) / (high - low)


def vwc_from_counts(counts: float) -> float:
    """Return the water content of nominal counts, the inverse of `counts_from_vwc`.

    >>> round(vwc_from_counts(counts_from_vwc(0.31)), 6)
    0.31
    """
    low, high = _sigmoid(0.0), _sigmoid(1.0)
    share = (min(max(counts, AIR_COUNTS), WATER_COUNTS) - AIR_COUNTS) / (WATER_COUNTS - AIR_COUNTS)
    level = low + share * (high - low)
    return _MIDDLE_VWC + _WIDTH_VWC * math.log(level / (1.0 - level))


def calibration_points(step_vwc: float = 0.05, wettest_vwc: float = 0.75) -> list[tuple[float, float]]:
    """Return (counts, m3/m3) pairs of the nominal curve, for a rig's calibration."""
    steps = round(wettest_vwc / step_vwc)
    return [(round(counts_from_vwc(i * step_vwc), 1), round(i * step_vwc, 4)) for i in range(steps + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How a probe sits: depth 0 in the top layer to 1 in the bottom one, the part of its field in air, since when."""

    depth: float = 0.0
    air_share: float = 0.0
    is_out: bool = False
    inserted_s: float = float("-inf")


class Sways(Protocol):
    """What moves a sensor away from what it should sense."""

    def placed(self, placement: Placement) -> Placement:
        """Return how the probe really sits."""
        ...

    def felt(self, quantity: Quantity, value: float, wetness: float) -> float:
        """Return what is sensed instead, in the chip's unit; wetness 0..1 of the soil."""
        ...


class Steady:
    """Nothing moves the sensor."""

    def placed(self, placement: Placement) -> Placement:
        """Return it as it is."""
        return placement

    def felt(self, quantity: Quantity, value: float, wetness: float) -> float:  # noqa: ARG002 - as the protocol has it
        """Return it as it is."""
        return value


class Play:
    """Hysteresis: the output follows only when the input has passed the play.

    >>> play = Play(0.3)
    >>> [round(play.follow(x), 1) for x in (50.0, 50.2, 51.0, 50.8)]
    [50.0, 50.0, 50.7, 50.7]
    """

    __slots__ = ("_half", "at")

    def __init__(self, half: float) -> None:
        self._half = half
        self.at: float | None = None

    def follow(self, value: float) -> float:
        """Return where the output stands."""
        at = value if self.at is None else self.at
        self.at = min(max(at, value - self._half), value + self._half)
        return self.at


class Spot:
    """Where a chip is: in a zone's air, a probe in a plant's pot as well; without a plant it lies in the air."""

    __slots__ = ("_pot", "_zone", "box")

    def __init__(self, box: Box, zone_id: str | None = None, plant_id: str | None = None) -> None:
        self.box = box
        self._pot = None if plant_id is None else box.pots[plant_id]
        self._zone = next(iter(box.zones.values())) if zone_id is None else box.zones[zone_id]

    @property
    def air_degc(self) -> float:
        """Temperature of the air."""
        return self._zone.air_degc

    @property
    def humidity_pct(self) -> float:
        """Relative humidity of the air."""
        return self._zone.humidity_pct

    @property
    def light_lux(self) -> float:
        """Light at the plants."""
        return self._zone.light_lux

    @property
    def soil_degc(self) -> float:
        """Temperature of the pot's soil."""
        return self._zone.air_degc if self._pot is None else self._pot.soil_degc

    def vwc(self, depth: float) -> float:
        """Water content at a depth, 0 top layer to 1 bottom layer."""
        if self._pot is None:
            return 0.0
        soil = self._pot.soil
        return soil.vwc_top + depth * (soil.vwc_bottom - soil.vwc_top)


@dataclass(frozen=True, slots=True, kw_only=True)
class SensesMemory:
    """What senses need to go on exactly so."""

    noise: DiceMemory
    temperature_at: float | None
    humidity_at: float | None
    inserted_s: float | None


class Senses:
    """One chip's view of its spot: fixed errors drawn from the seed and its name, noise drawn at every look."""

    def __init__(
        self,
        spot: Spot,
        seed: int,
        chip: str = "chip",
        *,
        placement: Placement | None = None,
        sways: Sways | None = None,
    ) -> None:
        draw = random.Random(f"{seed}:{chip}")
        self.spot = spot
        self.seed = seed
        self.sways = sways or Steady()
        self.placement = placement or Placement()
        self.noise = random.Random(f"{seed}:{chip}:noise")
        self.probe_gain = 1.0 + 0.004 * draw.uniform(-1.0, 1.0)
        self.probe_offset = 2.0 * draw.uniform(-1.0, 1.0)
        self.temperature_offset_k = _SPREAD_DEGC * 0.6 * draw.uniform(-1.0, 1.0)
        self.humidity_offset_pct = _SPREAD_PCT * 0.75 * draw.uniform(-1.0, 1.0)
        self.light_gain = 1.0 + 0.05 * draw.uniform(-1.0, 1.0)
        self._drift = SmoothNoise(seed, f"{chip} drift", _DRIFT_PERIOD_S)
        self._temperature_play = Play(_HYSTERESIS_DEGC)
        self._humidity_play = Play(_HYSTERESIS_PCT)

    @classmethod
    def of(cls, box: Box, zone_id: str, plant_id: str | None = None, chip: str = "chip") -> Senses:
        """Return the chip of that name in a zone and, for a probe, in a pot; the same for the same seed and name."""
        return cls(Spot(box, zone_id, plant_id), box.spec.seed, chip)

    @property
    def now_s(self) -> float:
        """The box's time."""
        return self.spot.box.now_s

    def snapshot(self) -> Any:
        """Return what keeps noise, hysteresis and insertion over a restart, as plain JSON."""
        memory = SensesMemory(
            noise=dice_memory(self.noise),
            temperature_at=self._temperature_play.at,
            humidity_at=self._humidity_play.at,
            inserted_s=finite(self.placement.inserted_s),
        )
        return plain(memory)

    def restoring(self, kept: object) -> Callable[[], None]:
        """Check what `snapshot` returned, and return what takes it up; ValueError when it cannot be."""
        memory = checked(kept, SensesMemory)
        state = dice_state(memory.noise)
        inserted_s = float("-inf") if memory.inserted_s is None else memory.inserted_s

        def take() -> None:
            self.noise.setstate(state)
            self._temperature_play.at, self._humidity_play.at = memory.temperature_at, memory.humidity_at
            self.placement = replace(self.placement, inserted_s=inserted_s)

        return take

    def expected_counts(self) -> float:
        """What the soil probe would say without noise and faults."""
        return self._counts(self.placement)

    def moisture_counts(self) -> int:
        """Take one look with the soil probe; noise grows as soil dries."""
        placement = self.sways.placed(self.placement)
        wetness = min(1.0, 0.0 if placement.is_out else self.spot.vwc(placement.depth) / 0.5)
        counts = self._counts(placement) + self.noise.gauss(0.0, 1.2 + 1.8 * (1.0 - wetness))
        counts = self.sways.felt(Quantity.SOIL_MOISTURE, counts, wetness)
        return max(0, min(_MOST_COUNTS, round(counts)))

    def soil_degc(self) -> float:
        """The seesaw's own thermometer: coarse, about a degree off."""
        is_out = self.sways.placed(self.placement).is_out
        value = (self.spot.air_degc if is_out else self.spot.soil_degc) + self.noise.gauss(0.0, 0.15)
        return self.sways.felt(Quantity.SOIL_TEMPERATURE, value, 1.0)

    def air_degc(self) -> float:
        """The DHT22's temperature, in its steps of 0.1 degC."""
        value = self._temperature_play.follow(self.spot.air_degc) + self.temperature_offset_k
        value = self.sways.felt(Quantity.TEMPERATURE, value + self.noise.gauss(0.0, 0.06), 1.0)
        return round(max(-40.0, min(80.0, value)), 1)

    def humidity_pct(self) -> float:
        """The DHT22's humidity, in its steps of 0.1 %."""
        value = self._humidity_play.follow(self.spot.humidity_pct) + self.humidity_offset_pct
        value = self.sways.felt(Quantity.HUMIDITY, value + self.noise.gauss(0.0, 0.3), 1.0)
        return round(max(0.0, min(_MOST_PCT, value)), 1)

    def precise_degc(self, noise_k: float) -> float:
        """A better thermometer's temperature: half the DHT22's spread, no steps."""
        value = self.spot.air_degc + 0.5 * self.temperature_offset_k + self.noise.gauss(0.0, noise_k)
        return self.sways.felt(Quantity.TEMPERATURE, value, 1.0)

    def precise_pct(self, noise_pct: float) -> float:
        """A better hygrometer's humidity: half the DHT22's spread, no steps."""
        value = self.spot.humidity_pct + 0.5 * self.humidity_offset_pct + self.noise.gauss(0.0, noise_pct)
        return self.sways.felt(Quantity.HUMIDITY, value, 1.0)

    def light_counts(self, counts_per_lux: float = BH1750_COUNTS_PER_LUX) -> int:
        """The BH1750's counts, saturating at 16 bits."""
        lux = self.spot.light_lux * self.light_gain * (1.0 + self.noise.gauss(0.0, 0.008))
        lux = self.sways.felt(Quantity.LIGHT_INTENSITY, lux, 1.0)
        return max(0, min(_MAX_LUX_COUNTS, int(lux * counts_per_lux)))

    def light_lux(self) -> float:
        """Illuminance as the driver computes it in H-resolution mode."""
        return self.light_counts() / BH1750_COUNTS_PER_LUX

    def _counts(self, placement: Placement) -> float:
        vwc = 0.0 if placement.is_out else self.spot.vwc(placement.depth) * (1.0 - placement.air_share)
        warmth_k = (self.spot.air_degc if placement.is_out else self.spot.soil_degc) - _REFERENCE_DEGC
        counts = self.probe_gain * counts_from_vwc(vwc) + self.probe_offset + _COUNTS_PER_K * warmth_k
        return counts + _DRIFT_COUNTS * self._drift.at(self.now_s) - self._settling_counts(placement)

    def _settling_counts(self, placement: Placement) -> float:
        """Insertion effect: what a probe reads too low until the soil has closed around it."""
        age_s = self.now_s - placement.inserted_s
        if placement.is_out or age_s > 20.0 * _SETTLES_S:
            return 0.0
        return _FRESH_GAP_COUNTS * math.exp(-max(0.0, age_s) / _SETTLES_S)


def _sigmoid(vwc: float) -> float:
    return 1.0 / (1.0 + math.exp(-(vwc - _MIDDLE_VWC) / _WIDTH_VWC))
