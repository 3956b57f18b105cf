"""How a plant grows, wilts, recovers, and dies of thirst: leaf area, turgor, damage."""

from __future__ import annotations

from dataclasses import dataclass

from dt.simulator.air import cover_of
from dt.simulator.spec import PotSpec

_GROWTH_PER_S = 0.16 / 86_400.0  # relative growth rate of young leafy crops, 0.1-0.3 per day (Poorter & Remkes 1990)
_HALF_LIGHT_W_M2 = 45.0  # of the light response: about 200 umol m-2 s-1 of PAR
_TURGOR_FROM_KS = 0.5  # leaves begin to hang when half of the stress scale is used up
_WILTING_S, _RECOVERY_S = 3.0 * 3600, 1.5 * 3600
_DEATH_S = 3.0 * 86_400.0  # below the permanent wilting point
_HANGING_SHARE = 0.55  # of the canopy that hanging leaves still show from above
CLOSED_SHARE = 0.03  # of transpiration through closed stomata: minimum conductance (Duursma et al. 2019)


@dataclass(slots=True)
class Growth:
    """Leaves of one plant: area index over its ground, turgor 0..1, and damage 0..1 that does not heal."""

    pot: PotSpec
    leaf_area_index: float
    turgor: float = 1.0
    damage: float = 0.0
    cover: float = 0.0

    @classmethod
    def of(cls, pot: PotSpec) -> Growth:
        """Return a plant of the size that the spec gives it."""
        index = pot.grown_share * pot.species.leaf_area_index
        return cls(pot, index, cover=cover_of(index))

    @property
    def leaf_area_m2(self) -> float:
        """Area of all leaves."""
        return self.leaf_area_index * self.pot.ground_m2

    @property
    def visible_cover(self) -> float:
        """Share of the ground that a camera above sees covered; hanging leaves show less."""
        return self.cover * (_HANGING_SHARE + (1.0 - _HANGING_SHARE) * self.turgor)

    def openness(self, stress: float) -> float:
        """Return the share of an unstressed plant's transpiration that passes its leaves."""
        return (CLOSED_SHARE + (1.0 - CLOSED_SHARE) * stress) * (1.0 - self.damage)

    def step(self, dt_s: float, light_w_m2: float, air_degc: float, stress: float, root_vwc: float) -> None:
        """Let one step pass: logistic growth by light, warmth and water (Verhulst 1838); turgor follows stress."""
        rate = light_w_m2 / (light_w_m2 + _HALF_LIGHT_W_M2) * stress
        if rate > 0.0:
            self._grow(dt_s, rate * warmth_factor(self.pot, air_degc))
        upright = min(1.0, stress / _TURGOR_FROM_KS) * (1.0 - self.damage)
        lag_s = _RECOVERY_S if upright > self.turgor else _WILTING_S
        self.turgor += (upright - self.turgor) * dt_s / (lag_s + dt_s)
        if root_vwc < self.pot.wilting:
            self.damage = min(1.0, self.damage + dt_s / _DEATH_S)

    def _grow(self, dt_s: float, rate: float) -> None:
        most = self.pot.species.leaf_area_index
        index = self.leaf_area_index
        self.leaf_area_index = index + _GROWTH_PER_S * dt_s * rate * (1.0 - self.damage) * index * (1.0 - index / most)
        self.cover = cover_of(self.leaf_area_index)


def warmth_factor(pot: PotSpec, air_degc: float) -> float:
    """Return how far warmth lets a species grow: 0 at its limits, 1 at its best, straight in between (Sinclair 1994).

    >>> warmth_factor(PotSpec(), 23.0), warmth_factor(PotSpec(), 5.0), round(warmth_factor(PotSpec(), 30.5), 2)
    (1.0, 0.0, 0.5)
    """
    species = pot.species
    if air_degc <= species.best_degc:
        factor = (air_degc - species.coldest_degc) / (species.best_degc - species.coldest_degc)
    else:
        factor = (species.hottest_degc - air_degc) / (species.hottest_degc - species.best_degc)
    return max(0.0, factor)
