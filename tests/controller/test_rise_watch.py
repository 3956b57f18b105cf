"""S7: a rise that no pump made is told, however soon it is over; what a dose makes is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.utils.dataclasses import AlertCondition, Severity
from tests.controller.garden import Garden, make_garden

_KEY = "soil_rise:basil-pump"


@pytest.fixture
def garden(tmp_path: Path) -> Garden:
    """A box whose soil is dry and quiet."""
    garden = make_garden(tmp_path)
    garden.run(1200.0)
    return garden


def _told(garden: Garden) -> AlertCondition | None:
    condition = garden.conditions().get(_KEY)
    return condition if condition is not None and condition.active else None


@pytest.mark.parametrize(("litres", "severity"), [(0.1, Severity.INFO), (0.4, Severity.WARNING)])
def test_s07_a_can_that_a_stuck_relay_emptied_at_once_is_told(
    garden: Garden, litres: float, severity: Severity
) -> None:
    """Within minutes, and with more weight above the upper limit; after hours it is over."""
    garden.moisture["basil"] += litres
    garden.run(600.0)

    told = _told(garden)
    assert told is not None
    assert told.severity is severity
    assert "basil-pump was off" in told.description
    assert "relay" in told.advice
    garden.run(7 * 3600.0, quiet_step_s=20.0)
    assert _told(garden) is None


def test_what_a_dose_raises_and_what_warmth_does_is_no_rise_by_itself(garden: Garden) -> None:
    """The effect watch looks at the one, and the other takes hours."""
    garden.act("basil-pump", "soil_water_deficit")
    garden.run(2 * 3600.0)
    assert garden.moisture["basil"] > 0.3
    assert _KEY not in garden.conditions()

    def warm() -> None:
        garden.moisture["mint"] += 0.02 * 20.0 / 3600.0

    garden.on_step = warm
    garden.run(3 * 3600.0, quiet_step_s=20.0)
    assert "soil_rise:mint-pump" not in garden.conditions()
