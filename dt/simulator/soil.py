"""Water in a pot: two layers, a film on top, a saucer below. What leaves one place arrives in another.

Amounts are millilitres, contents m3/m3, rates ml/s. All flows of a step are bounded by what is there and by what fits.
Redistribution, drainage and draw-up are linear reservoirs (Feddes 1978 has the sinks, Bouma 1981 the quick wetting).
Water in the saucer stands around the pot: what is below its level stays full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

from dt.simulator.spec import PotSpec

_INFILTRATION_S = 3.0  # time constants
_DRAINAGE_S = 90.0
_LEAK_S = 300.0
_REDISTRIBUTION_S = 3.0 * 3600
_DRAW_UP_S = 5.0 * 3600
_TOP_ROOTS = 0.45
_FILM_ML = 1e-6
# Air that roots need, m3/m3: none is taken up with 0.05 or less (anaerobiosis point, Feddes et al. 1978), and growth
# suffers below 0.10 (Grable & Siemer 1968).
_AIRLESS, _AIRY = 0.05, 0.10
_SAUCER_FACE = 1.5  # of the pot's own


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
    top_volume_ml: float = field(init=False)
    bottom_volume_ml: float = field(init=False)
    _stressed_span: float = field(init=False)
    _airy: float = field(init=False)  # water contents between which roots begin to lack air and have none
    _airless: float = field(init=False)
    _standing_per_ml: float = field(init=False)

    def __post_init__(self) -> None:
        """Work out once what the spec says."""
        pot = self.pot
        self.top_volume_ml = pot.volume_ml * pot.top_share
        self.bottom_volume_ml = pot.volume_ml - self.top_volume_ml
        self._stressed_span = (1.0 - pot.species.depletion_share) * (pot.capacity - pot.wilting)
        self._airy = max(pot.capacity, pot.porosity - _AIRY)
        self._airless = max(0.5 * (self._airy + pot.porosity), pot.porosity - _AIRLESS)
        self._standing_per_ml = (pot.porosity - pot.capacity) / (_SAUCER_FACE * self.bottom_volume_ml)

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
        return self.top_ml / self.top_volume_ml

    @property
    def vwc_bottom(self) -> float:
        """Content of the lower layer."""
        return self.bottom_ml / self.bottom_volume_ml

    @property
    def vwc(self) -> float:
        """Mean content of both layers."""
        return (self.top_ml + self.bottom_ml) / self.pot.volume_ml

    @property
    def root_vwc(self) -> float:
        """Content where the roots are."""
        return (
            _TOP_ROOTS * self.top_ml / self.top_volume_ml + (1.0 - _TOP_ROOTS) * self.bottom_ml / self.bottom_volume_ml
        )

    def stress(self) -> float:
        """Ks of FAO-56 eq. 84: 1 without stress, 0 at wilting."""
        return min(1.0, max(0.0, (self.root_vwc - self.pot.wilting) / self._stressed_span))

    def aeration(self) -> float:
        """Feddes' alpha on the wet side by layer and roots: 1 with enough air, 0 when no root has any (1978)."""
        top, bottom = self.top_ml / self.top_volume_ml, self.bottom_ml / self.bottom_volume_ml
        if top <= self._airy and bottom <= self._airy:
            return 1.0
        return _TOP_ROOTS * self._breath(top) + (1.0 - _TOP_ROOTS) * self._breath(bottom)

    def _breath(self, vwc: float) -> float:
        return min(1.0, max(0.0, (self._airless - vwc) / (self._airless - self._airy)))

    def evaporation_share(self) -> float:
        """How far the drying face still lets water through, 0..1 (falling-rate stage, Ritchie 1972)."""
        share = (self.top_ml / self.top_volume_ml - 0.05) / (self.pot.capacity - 0.05)
        return 0.0 if share <= 0.0 else 1.0 if share >= 1.0 else share * share

    def step(self, dt_s: float, *, poured_ml: float, transpired_ml: float, evaporated_ml: float) -> float:
        """Let one step pass: what is poured, what plant and air ask for, what gravity does; return what the air got."""
        level, leak, draw_up = _shares(dt_s)
        if poured_ml or self.pond_ml:
            self.pond_ml += poured_ml
            self.poured_ml += poured_ml
            self._infiltrate(dt_s)
        self._drain(dt_s, leak, draw_up)
        pot = self.pot  # suction evens out the layers
        between_ml = (self.top_ml * (1.0 - pot.top_share) - self.bottom_ml * pot.top_share) * level
        self.top_ml -= between_ml
        self.bottom_ml += between_ml
        return self._transpire(transpired_ml) + self._evaporate(evaporated_ml)

    def _infiltrate(self, dt_s: float) -> None:
        pot = self.pot
        room_ml = max(0.0, pot.porosity * self.top_volume_ml - self.top_ml)
        flow_ml = min(self.pond_ml * _share(dt_s, _INFILTRATION_S), room_ml)
        if self.pond_ml - flow_ml < _FILM_ML:
            flow_ml = min(self.pond_ml, room_ml)
        self.pond_ml -= flow_ml
        self.top_ml += flow_ml
        if self.pond_ml > pot.rim_ml:
            self.spilled_ml += self.pond_ml - pot.rim_ml
            self.pond_ml = pot.rim_ml

    def _drain(self, dt_s: float, leak: float, draw_up: float) -> None:
        pot = self.pot
        excess_ml = self.top_ml - pot.capacity * self.top_volume_ml
        if excess_ml > 0.0:
            room_ml = max(0.0, pot.porosity * self.bottom_volume_ml - self.bottom_ml)
            flow_ml = min(excess_ml * _share(dt_s, _DRAINAGE_S), room_ml)
            self.top_ml -= flow_ml
            self.bottom_ml += flow_ml
        held = pot.capacity
        if self.saucer_ml > 0.0:
            held = min(pot.porosity, held + self._standing_per_ml * self.saucer_ml)
        excess_ml = self.bottom_ml - held * self.bottom_volume_ml
        if excess_ml > 0.0:
            self.bottom_ml -= excess_ml * leak
            self.saucer_ml += excess_ml * leak
            if self.saucer_ml > pot.saucer_ml:
                self.spilled_ml += self.saucer_ml - pot.saucer_ml
                self.saucer_ml = pot.saucer_ml
        elif self.saucer_ml > 0.0:
            flow_ml = min(self.saucer_ml, -excess_ml * draw_up)
            self.saucer_ml -= flow_ml
            self.bottom_ml += flow_ml

    def _transpire(self, wanted_ml: float) -> float:
        """Roots take from each layer by their density and by the water left in it."""
        bound = 0.5 * self.pot.wilting
        top_free = max(0.0, self.top_ml - bound * self.top_volume_ml)
        bottom_free = max(0.0, self.bottom_ml - bound * self.bottom_volume_ml)
        weight = _TOP_ROOTS * top_free + (1.0 - _TOP_ROOTS) * bottom_free
        if weight <= 0.0:
            return 0.0
        from_top = min(top_free, wanted_ml * _TOP_ROOTS * top_free / weight)
        from_bottom = min(bottom_free, wanted_ml - from_top)
        self.top_ml -= from_top
        self.bottom_ml -= from_bottom
        self.transpired_ml += from_top + from_bottom
        return from_top + from_bottom

    def _evaporate(self, wanted_ml: float) -> float:
        taken_ml = min(wanted_ml, self.top_ml)
        self.top_ml -= taken_ml
        self.evaporated_ml += taken_ml
        return taken_ml


@lru_cache(maxsize=256)
def _shares(dt_s: float) -> tuple[float, float, float]:
    """Parts that redistribution, leak and draw-up move in a step."""
    return _share(dt_s, _REDISTRIBUTION_S), _share(dt_s, _LEAK_S), _share(dt_s, _DRAW_UP_S)


def _share(dt_s: float, time_constant_s: float) -> float:
    """Part of a difference that is gone after a step.

    >>> round(_share(60.0, 60.0), 4)
    0.6321
    """
    return -math.expm1(-dt_s / time_constant_s)
