"""S7: water that nobody asked for, told from rain and a person's can."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.controller.garden import Garden, make_garden

_KEY = "water_without_pump:basil-pump"


@pytest.fixture
def garden(tmp_path: Path) -> Garden:
    """A box whose soil is dry and quiet."""
    garden = make_garden(tmp_path)
    garden.run(1200.0)
    return garden


def _trickle(garden: Garden, per_h: float) -> None:
    last_s = garden.room.clock.monotonic()

    def step() -> None:
        nonlocal last_s
        now_s = garden.room.clock.monotonic()
        garden.moisture["basil"] += per_h * (now_s - last_s) / 3600.0
        last_s = now_s

    garden.on_step = step


def _is_told(garden: Garden) -> bool:
    return (condition := garden.conditions().get(_KEY)) is not None and condition.active


def test_s07_water_that_goes_on_while_the_pump_is_off_is_told(garden: Garden) -> None:
    """A siphon or a welded relay: after half an hour of it, and no pump is locked out for it."""
    _trickle(garden, 0.2)
    garden.run(1500.0)
    assert not _is_told(garden)

    garden.run(1500.0)

    assert _is_told(garden)
    assert "supply" in garden.conditions()[_KEY].advice
    assert garden.room.core.locks.all() == []
    garden.on_step = lambda: None
    garden.run(1300.0)
    assert not _is_told(garden)


def test_s07_water_that_nobody_asked_for_above_the_upper_limit_is_told_at_once(garden: Garden) -> None:
    """It is on its way to the floor."""
    garden.moisture["basil"] = 0.42
    garden.run(1200.0)

    _trickle(garden, 0.4)
    garden.run(800.0)

    assert _is_told(garden)


@pytest.mark.parametrize("litres", [0.1, 0.3])
def test_a_persons_can_is_no_leak(garden: Garden, litres: float) -> None:
    """It raises the soil at once, and then no more."""
    garden.moisture["basil"] += litres
    garden.run(600.0)
    assert not _is_told(garden)
    garden.run(3 * 3600.0, quiet_step_s=20.0)

    assert _KEY not in garden.conditions()


def test_the_warmth_of_a_day_is_no_leak(garden: Garden) -> None:
    """F12: 8 K in the morning read as 0.04 m3/m3."""
    _trickle(garden, 0.012)

    garden.run(4 * 3600.0, quiet_step_s=20.0)

    assert not _is_told(garden)


def test_what_a_dose_raises_is_no_leak(garden: Garden) -> None:
    """The effect watch looks at that."""
    garden.act("basil-pump", "soil_water_deficit")

    garden.run(2 * 3600.0)

    assert garden.moisture["basil"] > 0.3
    assert not _is_told(garden)
