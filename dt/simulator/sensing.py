"""What the chips make of the truth: resolution, spread, temperature effects and noise, all seeded.

Chips behind the wire and the history of the demo use the same functions.
"""

# ruff: noqa: S311 - noise of a simulation, no secret

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from dt.simulator.box import Box
from dt.simulator.pot import Pot
from dt.simulator.zone import ZoneBox

# The seesaw probe reads about 300 in air and 1015 in water (Adafruit STEMMA soil sensor, 4026).
AIR_COUNTS = 300.0
WATER_COUNTS = 1015.0
_MIDDLE_VWC = 0.28
_WIDTH_VWC = 0.10
_COUNTS_PER_K = 0.8
_REFERENCE_DEGC = 20.0
_MAX_LUX_COUNTS = 0xFFFF
BH1750_COUNTS_PER_LUX = 1.2  # BH1750FVI datasheet, H-resolution mode at the default measurement time


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


@dataclass(slots=True)
class Senses:
    """What one chip senses, and its errors: fixed ones drawn from seed and chip, noise drawn at every look."""

    box: Box
    zone: ZoneBox
    pot: Pot | None  # that the chip sticks in
    noise: random.Random
    probe_gain: float
    probe_offset: float
    temperature_offset_k: float
    humidity_offset_pct: float
    light_gain: float

    @classmethod
    def of(cls, box: Box, zone_id: str, plant_id: str | None = None, chip: str = "chip") -> Senses:
        """Draw the chip of that name in a zone and, for a probe, in a pot; the same for the same seed and name."""
        draw = random.Random(f"{box.spec.seed}:{chip}")
        return cls(
            box=box,
            zone=box.zones[zone_id],
            pot=None if plant_id is None else box.pots[plant_id],
            noise=random.Random(f"{box.spec.seed}:{chip}:noise"),
            probe_gain=1.0 + 0.004 * draw.uniform(-1.0, 1.0),
            probe_offset=2.0 * draw.uniform(-1.0, 1.0),
            temperature_offset_k=0.3 * draw.uniform(-1.0, 1.0),
            humidity_offset_pct=1.5 * draw.uniform(-1.0, 1.0),
            light_gain=1.0 + 0.05 * draw.uniform(-1.0, 1.0),
        )

    def expected_counts(self) -> float:
        """What the soil probe would say without noise."""
        ideal = counts_from_vwc(self.vwc)
        return self.probe_gain * ideal + self.probe_offset + _COUNTS_PER_K * (self.true_soil_degc - _REFERENCE_DEGC)

    @property
    def vwc(self) -> float:
        """Water content around the probe; one that sticks in no pot hangs in air."""
        return 0.0 if self.pot is None else self.pot.soil.vwc_top

    @property
    def true_soil_degc(self) -> float:
        """Temperature around the probe."""
        return self.zone.air_degc if self.pot is None else self.pot.soil_degc

    def moisture_counts(self) -> int:
        """Take one look with the soil probe; noise grows as soil dries."""
        dryness = max(0.0, 1.0 - self.vwc / 0.5)
        counts = self.expected_counts() + self.noise.gauss(0.0, 1.2 + 1.8 * dryness)
        return max(0, min(1023, round(counts)))

    def soil_degc(self) -> float:
        """The seesaw's own thermometer: coarse, about a degree off."""
        return self.true_soil_degc + self.noise.gauss(0.0, 0.15)

    def air_degc(self) -> float:
        """The DHT22's temperature, in its steps of 0.1 degC."""
        return round(self.zone.air_degc + self.temperature_offset_k + self.noise.gauss(0.0, 0.06), 1)

    def humidity_pct(self) -> float:
        """The DHT22's humidity, in its steps of 0.1 %."""
        value = self.zone.humidity_pct + self.humidity_offset_pct + self.noise.gauss(0.0, 0.3)
        return round(max(0.0, min(100.0, value)), 1)

    def light_counts(self, counts_per_lux: float = BH1750_COUNTS_PER_LUX) -> int:
        """The BH1750's counts, saturating at 16 bits."""
        lux = self.zone.light_lux * self.light_gain * (1.0 + self.noise.gauss(0.0, 0.008))
        return max(0, min(_MAX_LUX_COUNTS, int(lux * counts_per_lux)))

    def light_lux(self) -> float:
        """Illuminance as the driver computes it in H-resolution mode."""
        return self.light_counts() / BH1750_COUNTS_PER_LUX


def _sigmoid(vwc: float) -> float:
    return 1.0 / (1.0 + math.exp(-(vwc - _MIDDLE_VWC) / _WIDTH_VWC))
