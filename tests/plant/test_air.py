"""Humid air against published tables and its own laws."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.plant import air, calibration

TEMPERATURES = st.floats(-30.0, 60.0)
HUMIDITIES = st.floats(1.0, 100.0)


@pytest.mark.parametrize("module", [air, calibration])
def test_examples_in_the_docstrings_hold(module: object) -> None:
    """Every formula carries a known value."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("temperature_c", "kpa"), [(1.0, 0.657), (10.0, 1.228), (20.0, 2.338), (30.0, 4.243), (40.0, 7.376)]
)
def test_saturation_pressure_meets_the_table_of_fao_56(temperature_c: float, kpa: float) -> None:
    """FAO-56 annex 2, table 2.3, to its three decimals."""
    assert air.saturation_vapour_pressure_kpa(temperature_c) == pytest.approx(kpa, abs=0.0006)


@given(TEMPERATURES, HUMIDITIES)
def test_pressure_and_deficit_add_up_to_saturation(temperature_c: float, humidity: float) -> None:
    """What is there and what is missing make the whole."""
    total = air.vapour_pressure_kpa(temperature_c, humidity) + air.vapour_pressure_deficit_kpa(temperature_c, humidity)

    assert total == pytest.approx(air.saturation_vapour_pressure_kpa(temperature_c))


@given(TEMPERATURES, HUMIDITIES)
def test_air_at_its_dew_point_is_saturated(temperature_c: float, humidity: float) -> None:
    """The dew point inverts the saturation curve and never lies above the air's temperature."""
    dew = air.dew_point_c(temperature_c, humidity)

    assert dew <= temperature_c + 1e-9
    assert air.saturation_vapour_pressure_kpa(dew) == pytest.approx(air.vapour_pressure_kpa(temperature_c, humidity))


def test_dry_air_has_no_dew_point() -> None:
    """No vapour, no dew: refused and not a number from nowhere."""
    with pytest.raises(ValueError, match="no dew point"):
        air.dew_point_c(20.0, 0.0)
