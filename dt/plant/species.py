"""Species profiles: what a plant bears and needs. A small table of our own; every row says where its numbers are from.

p: share of the available water that may be used before stress begins, FAO-56 table 22. Kc: mid-season crop coefficient,
FAO-56 table 12. Temperatures: absolute minimum, middle of the optimum and absolute maximum for growth (TMIN, TOPMN and
TOPMX, TMAX of FAO ECOCROP, whose code each row names). Frost: what kills leaves that grow (KTMP or KTMPR of ECOCROP; -1
where it has none, as plants of warm origin freeze slightly below zero: Snyder & de Melo-Abreu 2005, chapter 4). DLI:
the daily light that a grower aims at. Leaf area index: our own estimates for a plant in a pot, no measurement of one;
Karaca & Buyuktas 2021 tell how widely it varies in greenhouses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Species:
    """What one species needs; leaf area index and temperatures bound its growth, frost and heat kill its leaves."""

    name: str
    common_name: str
    depletion_share: float  # p of FAO-56 eq. 84
    crop_factor: float  # Kc of the grown plant
    leaf_area_index: float  # of the grown plant over the ground that it covers
    coldest_degc: float
    best_degc: float
    hottest_degc: float
    frost_degc: float  # leaves freeze below it
    daily_light_mol_m2: float  # DLI, mol m-2 d-1
    source: str


GENERIC = Species(
    name="",
    common_name="pot plant",
    depletion_share=0.40,
    crop_factor=1.05,
    leaf_area_index=2.6,
    coldest_degc=6.0,
    best_degc=22.5,
    hottest_degc=35.0,
    frost_degc=-1.0,
    daily_light_mol_m2=17.0,
    source="medians of the rows below",
)

_ROWS = (
    Species(
        name="Ocimum basilicum",
        common_name="basil",
        depletion_share=0.40,
        crop_factor=1.10,
        leaf_area_index=2.5,
        coldest_degc=7.0,
        best_degc=22.5,
        hottest_degc=36.0,
        frost_degc=-1.0,
        daily_light_mol_m2=13.0,
        source="p and last Kc of mint (same family), FAO-56 tables 22 and 12; ECOCROP 1547; DLI Dou et al. 2018",
    ),
    Species(
        name="Solanum lycopersicum",
        common_name="tomato",
        depletion_share=0.40,
        crop_factor=1.15,
        leaf_area_index=3.0,
        coldest_degc=7.0,
        best_degc=23.5,
        hottest_degc=35.0,
        frost_degc=-1.0,
        daily_light_mol_m2=22.0,
        source="FAO-56 tables 12 and 22; ECOCROP 1379; DLI Dorais 2003",
    ),
    Species(
        name="Lactuca sativa",
        common_name="lettuce",
        depletion_share=0.30,
        crop_factor=1.00,
        leaf_area_index=2.8,
        coldest_degc=5.0,
        best_degc=16.5,
        hottest_degc=30.0,
        frost_degc=-1.0,
        daily_light_mol_m2=17.0,
        source="FAO-56 tables 12 and 22; ECOCROP 1313; DLI Both et al., Cornell CEA handbook",
    ),
    Species(
        name="Capsicum annuum",
        common_name="sweet pepper",
        depletion_share=0.30,
        crop_factor=1.05,
        leaf_area_index=2.6,
        coldest_degc=8.0,
        best_degc=23.5,
        hottest_degc=35.0,
        frost_degc=-1.0,
        daily_light_mol_m2=20.0,
        source="FAO-56 tables 12 and 22; ECOCROP 618; DLI Torres & Lopez, Purdue HO-238-W",
    ),
    Species(
        name="Fragaria x ananassa",
        common_name="strawberry",
        depletion_share=0.20,
        crop_factor=0.85,
        leaf_area_index=2.2,
        coldest_degc=6.0,
        best_degc=17.5,
        hottest_degc=28.0,
        frost_degc=-5.5,
        daily_light_mol_m2=17.0,
        source="FAO-56 tables 12 and 22; ECOCROP 1112; frost: closed buds, Perry & Poling 1985; DLI Purdue HO-238-W",
    ),
    Species(
        name="Mentha spicata",
        common_name="mint",
        depletion_share=0.40,
        crop_factor=1.15,
        leaf_area_index=2.6,
        coldest_degc=4.0,
        best_degc=20.0,
        hottest_degc=36.0,
        frost_degc=-1.0,
        daily_light_mol_m2=12.0,
        source="FAO-56 tables 12 and 22 (mint); ECOCROP 7710; DLI Torres & Lopez, Purdue HO-238-W (herbs)",
    ),
    Species(
        name="Cucumis sativus",
        common_name="cucumber",
        depletion_share=0.50,
        crop_factor=1.00,
        leaf_area_index=3.0,
        coldest_degc=6.0,
        best_degc=25.0,
        hottest_degc=38.0,
        frost_degc=-1.0,
        daily_light_mol_m2=20.0,
        source="FAO-56 tables 12 and 22 (fresh market); ECOCROP 817; DLI Torres & Lopez, Purdue HO-238-W",
    ),
)
SPECIES: Mapping[str, Species] = {row.name: row for row in _ROWS}


def species_of(name: str) -> Species:
    """Return the profile of a Latin or common name; of an unknown one the generic profile.

    >>> species_of("Lactuca sativa").depletion_share, species_of("Basil").name, species_of("tulip").common_name
    (0.3, 'Ocimum basilicum', 'pot plant')
    """
    wanted = name.strip().casefold()
    return next((row for row in _ROWS if wanted in {row.name.casefold(), row.common_name}), GENERIC)


def stress_onset_vwc(species: Species, capacity_vwc: float, wilting_vwc: float) -> float:
    """Return the water content (m3/m3) below which stress begins: TAW less RAW, FAO-56 eq. 82 and 83.

    >>> round(stress_onset_vwc(species_of("lettuce"), 0.55, 0.13), 3)
    0.424
    """
    return wilting_vwc + (1.0 - species.depletion_share) * (capacity_vwc - wilting_vwc)
