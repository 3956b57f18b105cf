"""How a plant grows, wilts, recovers, and dies of thirst, wet roots, frost or heat: leaf area, turgor, damage."""

from __future__ import annotations

from dataclasses import dataclass

from dt.simulator.air import cover_of
from dt.simulator.spec import PotSpec

# In endless light. It makes 0.07 per day in 14 h of 315 umol m-2 s-1, where young herbs grow by 0.11 to 0.37 (Poorter &
# Remkes 1990): a plant in its pot is older.
_GROWTH_PER_S = 0.20 / 86_400.0
_HALF_LIGHT = 200.0  # umol m-2 s-1 for half of the best (rectangular hyperbola, Thornley & Johnson 1990)
_TURGOR_FROM_KS = 0.5  # leaves begin to hang when half of the stress scale is used up
_WILTING_S, _RECOVERY_S = 3.0 * 3600, 1.5 * 3600
_DEATH_S = 3.0 * 86_400.0  # below the permanent wilting point
_BREATH_S = 4.0 * 3600  # roots without air: leaves close within hours (Jackson & Drew 1984)
_SUFFOCATING = 0.5  # of the air that they need; below it roots die, all within days (Drew 1997)
_DROWNING_S = 3.0 * 86_400.0
_FREEZING_PER_K_S = 0.45 / 1800.0  # half an hour kills 10 % to 90 % over some 2 K (Snyder & de Melo-Abreu 2005, ch. 4)
_SCORCHING_PER_K3_S = 0.25e-3 / 3600.0  # 10 K above the limit half is dead in two hours (tomato, 45 degC: Camejo 2005)
_HANGING_SHARE = 0.55  # of the canopy that hanging leaves still show from above
CLOSED_SHARE = 0.03  # of transpiration through closed stomata: minimum conductance (Duursma et al. 2019)


@dataclass(slots=True)
class Growth:
    """Leaves of one plant: area index over its ground, turgor 0..1, and damage 0..1 that does not heal.

    Dead leaves stay on the plant and hang; `oxygen` 0..1 is what its roots have had in the last hours.
    """

    pot: PotSpec
    leaf_area_index: float
    turgor: float = 1.0
    damage: float = 0.0
    cover: float = 0.0
    oxygen: float = 1.0

    @classmethod
    def of(cls, pot: PotSpec) -> Growth:
        """Return a plant of the size that the spec gives it."""
        index = pot.grown_share * pot.species.leaf_area_index
        return cls(pot, index, cover=cover_of(index))

    @property
    def leaf_area_m2(self) -> float:
        """Area of the leaves that live."""
        return self.leaf_area_index * self.pot.ground_m2 * (1.0 - self.damage)

    @property
    def visible_cover(self) -> float:
        """Share of the ground that a camera above sees covered; hanging leaves show less."""
        return self.cover * (_HANGING_SHARE + (1.0 - _HANGING_SHARE) * self.turgor)

    def openness(self, stress: float) -> float:
        """Return the share of an unstressed plant's transpiration that passes its leaves."""
        return (CLOSED_SHARE + (1.0 - CLOSED_SHARE) * stress) * (1.0 - self.damage)

    def step(
        self, dt_s: float, photons_umol_m2_s: float, air_degc: float, stress: float, aeration: float, root_vwc: float
    ) -> None:
        """Let one step pass: logistic growth by light, warmth and water (Verhulst 1838); turgor follows stress."""
        rate = photons_umol_m2_s / (photons_umol_m2_s + _HALF_LIGHT) * stress
        if rate > 0.0:
            self._grow(dt_s, rate * warmth_factor(self.pot, air_degc))
        upright = min(1.0, stress / _TURGOR_FROM_KS) * (1.0 - self.damage)
        lag_s = _RECOVERY_S if upright > self.turgor else _WILTING_S
        self.turgor += (upright - self.turgor) * dt_s / (lag_s + dt_s)
        self.oxygen += (aeration - self.oxygen) * dt_s / (_BREATH_S + dt_s)
        self._suffer(dt_s, air_degc, root_vwc)

    def _suffer(self, dt_s: float, air_degc: float, root_vwc: float) -> None:
        """What thirst, lack of air, frost and heat kill in a step."""
        species, rate = self.pot.species, 0.0
        if root_vwc < self.pot.wilting:
            rate += 1.0 / _DEATH_S
        if self.oxygen < _SUFFOCATING:
            rate += (1.0 - self.oxygen / _SUFFOCATING) / _DROWNING_S
        if air_degc > species.hottest_degc:
            rate += _SCORCHING_PER_K3_S * (air_degc - species.hottest_degc) ** 3
        elif air_degc < species.frost_degc:
            rate += _FREEZING_PER_K_S * (species.frost_degc - air_degc)
        if rate > 0.0:
            self.damage = min(1.0, self.damage + rate * dt_s)

    def _grow(self, dt_s: float, rate: float) -> None:
        most = self.pot.species.leaf_area_index
        index = self.leaf_area_index
        self.leaf_area_index = index + _GROWTH_PER_S * dt_s * rate * (1.0 - self.damage) * index * (1.0 - index / most)
        self.cover = cover_of(self.leaf_area_index)


def warmth_factor(pot: PotSpec, air_degc: float) -> float:
    """Return how far warmth lets a species grow: 0 at its limits, 1 at its best, straight in between (Sinclair 1994).

    >>> warmth_factor(PotSpec(), 22.5), warmth_factor(PotSpec(), 5.0), round(warmth_factor(PotSpec(), 28.75), 2)
    (1.0, 0.0, 0.5)
    """
    species = pot.species
    if air_degc <= species.best_degc:
        factor = (air_degc - species.coldest_degc) / (species.best_degc - species.coldest_degc)
    else:
        factor = (species.hottest_degc - air_degc) / (species.hottest_degc - species.best_degc)
    return max(0.0, factor)
