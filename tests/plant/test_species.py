"""The table of species: complete, plausible, and every row with its source."""

from __future__ import annotations

import doctest
from dataclasses import fields
from statistics import median

import pytest

from dt.plant import species
from dt.plant.species import GENERIC, SPECIES, Species, species_of, stress_onset_vwc


@pytest.mark.parametrize("row", [*SPECIES.values(), GENERIC], ids=lambda row: row.common_name)
def test_every_row_is_plausible_and_says_where_it_is_from(row: Species) -> None:
    """Shares are shares, temperatures ascend, and nothing stands without a source."""
    assert 0.1 <= row.depletion_share <= 0.7
    assert 0.7 <= row.crop_factor <= 1.3
    assert 1.0 <= row.leaf_area_index <= 6.0
    assert -15.0 <= row.frost_degc <= 0.0 <= row.coldest_degc < row.best_degc < row.hottest_degc <= 45.0
    assert 2.0 <= row.daily_light_mol_m2 <= 40.0
    assert row.source


def test_six_species_or_more_are_known_basil_among_them() -> None:
    """Latin and common names lead to the same row, in any case."""
    assert len(SPECIES) >= 6
    assert species_of("OCIMUM basilicum") is species_of("basil") is SPECIES["Ocimum basilicum"]


def test_unknown_species_are_treated_as_a_pot_plant() -> None:
    """A plant that the table does not know still has a profile."""
    assert species_of("Monstera deliciosa") is GENERIC
    assert species_of("") is GENERIC


def test_pot_plant_is_the_median_of_the_rows() -> None:
    """What is not known is taken for the middle of what is."""
    numbers = [field.name for field in fields(Species) if field.name not in {"name", "common_name", "source"}]

    assert {name: getattr(GENERIC, name) for name in numbers} == {
        name: median(getattr(row, name) for row in SPECIES.values()) for name in numbers
    }


@pytest.mark.parametrize(
    ("name", "code", "temperatures"),
    [
        ("basil", 1547, (7, 18, 27, 36)),
        ("tomato", 1379, (7, 20, 27, 35)),
        ("lettuce", 1313, (5, 12, 21, 30)),
        ("sweet pepper", 618, (8, 17, 30, 35)),
        ("strawberry", 1112, (6, 11, 24, 28)),
        ("mint", 7710, (4, 15, 25, 36)),
        ("cucumber", 817, (6, 18, 32, 38)),
    ],
)
def test_temperatures_are_those_of_ecocrop(name: str, code: int, temperatures: tuple[int, int, int, int]) -> None:
    """TMIN, the middle of TOPMN and TOPMX, and TMAX of the data sheet that the row names."""
    row = species_of(name)
    coldest, best_from, best_to, hottest = temperatures

    assert f"ECOCROP {code};" in row.source
    assert (row.coldest_degc, row.best_degc, row.hottest_degc) == (coldest, 0.5 * (best_from + best_to), hottest)


def test_tolerant_species_bear_drier_soil() -> None:
    """Cucumber (p = 0.5) suffers later than strawberry (p = 0.2)."""
    assert stress_onset_vwc(species_of("cucumber"), 0.55, 0.13) < stress_onset_vwc(species_of("strawberry"), 0.55, 0.13)


def test_examples_are_true() -> None:
    """Each formula gives the value that its docstring shows."""
    assert doctest.testmod(species).failed == 0
