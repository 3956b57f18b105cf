"""What the chips make of the truth: resolution, spread, temperature effects and noise, all seeded.

Chips behind the wire and the history of the demo use the same functions.
"""

# ruff: noqa: S311 - noise of a simulation, no secret

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from dt.simulator.box import Box

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
    """The errors of one set of chips: fixed ones drawn from the seed, noise drawn at every look."""

    box: Box
    noise: random.Random
    probe_gain: float
    probe_offset: float
    temperature_offset_k: float
    humidity_offset_pct: float
    light_gain: float

    @classmethod
    def of(cls, box: Box) -> Senses:
        """Draw a set of chips for a box, the same for the same seed."""
        draw = random.Random(f"{box.spec.seed}:chips")
        return cls(
            box=box,
            noise=random.Random(f"{box.spec.seed}:noise"),
            probe_gain=1.0 + 0.004 * draw.uniform(-1.0, 1.0),
            probe_offset=2.0 * draw.uniform(-1.0, 1.0),
            temperature_offset_k=0.3 * draw.uniform(-1.0, 1.0),
            humidity_offset_pct=1.5 * draw.uniform(-1.0, 1.0),
            light_gain=1.0 + 0.05 * draw.uniform(-1.0, 1.0),
        )

    def expected_counts(self) -> float:
        """What the soil probe would say without noise."""
        box = self.box
        ideal = counts_from_vwc(box.soil.vwc_top)
        return self.probe_gain * ideal + self.probe_offset + _COUNTS_PER_K * (box.soil_degc - _REFERENCE_DEGC)

    def moisture_counts(self) -> int:
        """Take one look with the soil probe; noise grows as soil dries."""
        dryness = max(0.0, 1.0 - self.box.soil.vwc_top / 0.5)
        counts = self.expected_counts() + self.noise.gauss(0.0, 1.2 + 1.8 * dryness)
        return max(0, min(1023, round(counts)))

    def soil_degc(self) -> float:
        """The seesaw's own thermometer: coarse, about a degree off."""
        return self.box.soil_degc + self.noise.gauss(0.0, 0.15)

    def air_degc(self) -> float:
        """The DHT22's temperature, in its steps of 0.1 degC."""
        return round(self.box.air_degc + self.temperature_offset_k + self.noise.gauss(0.0, 0.06), 1)

    def humidity_pct(self) -> float:
        """The DHT22's humidity, in its steps of 0.1 %."""
        value = self.box.humidity_pct + self.humidity_offset_pct + self.noise.gauss(0.0, 0.3)
        return round(max(0.0, min(100.0, value)), 1)

    def light_counts(self, counts_per_lux: float = BH1750_COUNTS_PER_LUX) -> int:
        """The BH1750's counts, saturating at 16 bits."""
        lux = self.box.light_lux * self.light_gain * (1.0 + self.noise.gauss(0.0, 0.008))
        return max(0, min(_MAX_LUX_COUNTS, int(lux * counts_per_lux)))

    def light_lux(self) -> float:
        """Illuminance as the driver computes it in H-resolution mode."""
        return self.light_counts() / BH1750_COUNTS_PER_LUX


def _sigmoid(vwc: float) -> float:
    return 1.0 / (1.0 + math.exp(-(vwc - _MIDDLE_VWC) / _WIDTH_VWC))
