"""Water in a pot: two layers, a film on top, a saucer below. What leaves one place arrives in another.

Amounts are millilitres, contents m3/m3, rates ml/s. All flows of a step are bounded by what is there and by what fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dt.simulator.spec import PotSpec

_INFILTRATION_S = 3.0  # time constants
_DRAINAGE_S = 90.0
_LEAK_S = 300.0
_REDISTRIBUTION_S = 3.0 * 3600
_DRAW_UP_S = 5.0 * 3600
_DEPLETION_SHARE = 0.6  # p of FAO-56 eq. 84: stress begins below this share of the available water
_TOP_ROOTS = 0.45


@dataclass(slots=True)
class Soil:
    """The water of one pot and where it went; `step` moves it."""

    pot: PotSpec
    top_ml: float
    bottom_ml: float
    pond_ml: float = 0.0
    saucer_ml: float = 0.0
    poured_ml: float = 0.0
    transpired_ml: float = 0.0
    evaporated_ml: float = 0.0
    spilled_ml: float = 0.0

    @classmethod
    def of(cls, pot: PotSpec) -> Soil:
        """Return a pot wetted evenly."""
        water_ml = pot.volume_ml * pot.initial_vwc
        return cls(pot, water_ml * pot.top_share, water_ml * (1.0 - pot.top_share))

    @property
    def stored_ml(self) -> float:
        """All water that the pot, its film and its saucer hold."""
        return self.top_ml + self.bottom_ml + self.pond_ml + self.saucer_ml

    @property
    def vwc_top(self) -> float:
        """Content of the layer that the probe sits in."""
        return self.top_ml / (self.pot.volume_ml * self.pot.top_share)

    @property
    def vwc_bottom(self) -> float:
        """Content of the lower layer."""
        return self.bottom_ml / (self.pot.volume_ml * (1.0 - self.pot.top_share))

    @property
    def vwc(self) -> float:
        """Mean content of both layers."""
        return (self.top_ml + self.bottom_ml) / self.pot.volume_ml

    def stress(self) -> float:
        """Ks of FAO-56 eq. 84: 1 without stress, 0 at wilting."""
        pot = self.pot
        root_vwc = _TOP_ROOTS * self.vwc_top + (1.0 - _TOP_ROOTS) * self.vwc_bottom
        share = (root_vwc - pot.wilting) / ((1.0 - _DEPLETION_SHARE) * (pot.capacity - pot.wilting))
        return min(1.0, max(0.0, share))

    def evaporation_share(self) -> float:
        """How far the drying face still lets water through, 0..1."""
        share = (self.vwc_top - 0.05) / (self.pot.capacity - 0.05)
        return math.pow(min(1.0, max(0.0, share)), 2.0)

    def step(self, dt_s: float, *, poured_ml: float, transpired_ml: float, evaporated_ml: float) -> None:
        """Let one step pass: what is poured, what plant and air ask for, and what gravity does."""
        self.pond_ml += poured_ml
        self.poured_ml += poured_ml
        self._infiltrate(dt_s)
        self._drain(dt_s)
        self._level_out(dt_s)
        self._transpire(transpired_ml)
        self._evaporate(evaporated_ml)

    def _infiltrate(self, dt_s: float) -> None:
        if self.pond_ml == 0.0:
            return
        room_ml = self.pot.porosity * self.pot.volume_ml * self.pot.top_share - self.top_ml
        flow_ml = min(self.pond_ml * _share(dt_s, _INFILTRATION_S), max(0.0, room_ml))
        if self.pond_ml - flow_ml < 1e-6:
            flow_ml = min(self.pond_ml, max(0.0, room_ml))
        self.pond_ml -= flow_ml
        self.top_ml += flow_ml

    def _drain(self, dt_s: float) -> None:
        pot = self.pot
        bottom_volume = pot.volume_ml * (1.0 - pot.top_share)
        excess_ml = self.top_ml - pot.capacity * pot.volume_ml * pot.top_share
        if excess_ml > 0.0:
            room_ml = max(0.0, pot.porosity * bottom_volume - self.bottom_ml)
            flow_ml = min(excess_ml * _share(dt_s, _DRAINAGE_S), room_ml)
            self.top_ml -= flow_ml
            self.bottom_ml += flow_ml
        excess_ml = self.bottom_ml - pot.capacity * bottom_volume
        if excess_ml > 0.0:
            flow_ml = excess_ml * _share(dt_s, _LEAK_S)
            self.bottom_ml -= flow_ml
            self.saucer_ml += flow_ml
        elif self.saucer_ml > 0.0:
            flow_ml = min(self.saucer_ml, -excess_ml * _share(dt_s, _DRAW_UP_S))
            self.saucer_ml -= flow_ml
            self.bottom_ml += flow_ml
        if self.saucer_ml > pot.saucer_ml:
            self.spilled_ml += self.saucer_ml - pot.saucer_ml
            self.saucer_ml = pot.saucer_ml

    def _level_out(self, dt_s: float) -> None:
        """Suction evens out the layers."""
        pot = self.pot
        between = pot.volume_ml * pot.top_share * (1.0 - pot.top_share)
        flow_ml = (self.vwc_top - self.vwc_bottom) * between * _share(dt_s, _REDISTRIBUTION_S)
        self.top_ml -= flow_ml
        self.bottom_ml += flow_ml

    def _transpire(self, wanted_ml: float) -> None:
        """Roots take from each layer by their density and by the water left in it."""
        pot = self.pot
        top_free = max(0.0, self.top_ml - 0.5 * pot.wilting * pot.volume_ml * pot.top_share)
        bottom_free = max(0.0, self.bottom_ml - 0.5 * pot.wilting * pot.volume_ml * (1.0 - pot.top_share))
        weight = _TOP_ROOTS * top_free + (1.0 - _TOP_ROOTS) * bottom_free
        if weight <= 0.0:
            return
        from_top = min(top_free, wanted_ml * _TOP_ROOTS * top_free / weight)
        from_bottom = min(bottom_free, wanted_ml - from_top)
        self.top_ml -= from_top
        self.bottom_ml -= from_bottom
        self.transpired_ml += from_top + from_bottom

    def _evaporate(self, wanted_ml: float) -> None:
        taken_ml = min(wanted_ml, self.top_ml)
        self.top_ml -= taken_ml
        self.evaporated_ml += taken_ml


def _share(dt_s: float, time_constant_s: float) -> float:
    """Part of a difference that is gone after a step.

    >>> round(_share(60.0, 60.0), 4)
    0.6321
    """
    return -math.expm1(-dt_s / time_constant_s)
