"""Light for plants: photons of 400 to 700 nm from lux, and their daily sum."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class LightSource(StrEnum):
    """What shines."""

    SUNLIGHT = "sunlight"
    COOL_WHITE = "cool_white"
    HPS = "hps"


# Apogee Instruments, "Conversion - PPFD to Lux": umol m-2 s-1 per lux.
PPFD_PER_LUX: Mapping[LightSource, float] = {
    LightSource.SUNLIGHT: 0.0185,
    LightSource.COOL_WHITE: 0.0135,
    LightSource.HPS: 0.0122,
}

_MOL_PER_UMOL = 1e-6


def ppfd_from_lux(lux: float, source: LightSource) -> float:
    """Return the photon flux in umol m-2 s-1 (Apogee: 108,000 lux of sunlight are 2,000).

    >>> round(ppfd_from_lux(108_000.0, LightSource.SUNLIGHT))
    1998
    """
    return lux * PPFD_PER_LUX[source]


def light_integral_mol_m2(before: float, after: float, seconds: float) -> float:
    """Return the photons in mol m-2 between two PPFD values by the trapezium rule.

    >>> round(light_integral_mol_m2(1.0, 1.0, 3600.0), 4), round(light_integral_mol_m2(0.0, 400.0, 8 * 3600.0), 2)
    (0.0036, 5.76)
    """
    return 0.5 * (before + after) * seconds * _MOL_PER_UMOL
