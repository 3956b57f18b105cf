"""S8: heaters without effect, sensor or limit, and those that heat while they are off."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.utils.dataclasses import Command, Verdict
from dt.utils.quantities import Quantity
from tests.controller.garden import Garden, make_garden
from tests.controller.rooms import dose


@pytest.fixture
def garden(tmp_path: Path) -> Garden:
    """A box at 18 degC."""
    return make_garden(tmp_path)


def _heat(garden: Garden, seconds: float = 1700.0, action_id: str = "h-1") -> str | None:
    """A person's command to heat, and the invariant that refused it."""
    result = garden.room.gate.submit(
        dose(
            garden.room.clock, action_id, actuator_id="heater", plant_id=None, command=Command.ON, dose_ml=None,
            duration_s=seconds,
        )
    )  # fmt: skip
    return None if result is None or result.refusal is None else result.refusal.invariant


def _why_locked(garden: Garden) -> str:
    lock = garden.room.core.locks.of("heater")
    assert lock is not None
    assert lock.invariant == "S8"
    return lock.why


def test_s08_a_heater_that_warms_nothing_goes_off_and_locks_out(garden: Garden) -> None:
    """A quarter of an hour at full power without 0.3 K: it, or the thermometer, is broken."""
    garden.heats_k_s = 0.0
    _heat(garden)

    garden.run(899.0)
    assert garden.level("heater") == 1.0
    garden.run(3.0)

    assert garden.level("heater") == 0.0
    assert "warmed by 0.00 K" in _why_locked(garden)
    assert garden.conditions()["locked_out:heater"].active
    assert _heat(garden, action_id="h-2") == "S8"


def test_a_heater_that_warms_stays_on(garden: Garden) -> None:
    """For as long as it was asked to."""
    _heat(garden, 1200.0)

    garden.run(1190.0)

    assert garden.level("heater") == 1.0
    assert garden.room.core.locks.of("heater") is None


@pytest.mark.parametrize("silent_s", [285.0, 312.0])
def test_s08_a_heater_on_a_silent_sensor_goes_off(garden: Garden, silent_s: float) -> None:
    """Five minutes without a good temperature are too long."""
    _heat(garden)
    garden.run(30.0)

    garden.silent.add("temperature")
    garden.run(silent_s)

    assert (garden.level("heater") == 0.0) is (silent_s > 310.0)
    assert (garden.room.core.locks.of("heater") is not None) is (silent_s > 310.0)


def test_s08_a_heater_on_a_faulty_sensor_goes_off_at_once(garden: Garden) -> None:
    """The first reading that is not good."""
    _heat(garden)
    garden.run(30.0)

    garden.verdict = Verdict.BAD
    garden.run(11.0)

    assert garden.level("heater") == 0.0
    assert "not good" in _why_locked(garden)


def test_s08_a_heater_above_its_cut_off_goes_off(garden: Garden) -> None:
    """35 degC unless the rig says otherwise."""
    _heat(garden)
    garden.run(30.0)

    garden.degc = garden.room_degc = 35.4
    garden.run(11.0)

    assert garden.level("heater") == 0.0
    assert "above its cut-off of 35 degC" in _why_locked(garden)


@pytest.mark.parametrize("state", ["hot", "silent", "faulty"])
def test_s08_no_heater_starts_hot_or_blind(garden: Garden, state: str) -> None:
    """Not for a person either."""
    if state == "hot":
        garden.degc = garden.room_degc = 36.0
    elif state == "silent":
        garden.silent.add("temperature")
        garden.run(320.0)
    else:
        garden.verdict = Verdict.SUSPECT
    garden.run(11.0)

    assert _heat(garden) == "S8"
    assert garden.level("heater") == 0.0


def test_s08_air_that_goes_on_warming_while_the_heater_is_off_locks_it_out(garden: Garden) -> None:
    """A relay that is welded on: software cannot end it, so it shouts."""
    _heat(garden, 60.0)
    garden.run(60.0)

    garden.room_degc = 40.0
    garden.run(40 * 60.0)

    assert "went on warming" in _why_locked(garden)
    assert "supply" in garden.conditions()["locked_out:heater"].advice


def test_the_sun_that_warms_the_air_locks_no_heater_out(garden: Garden) -> None:
    """More light came with it."""
    garden.air[Quantity.LIGHT_INTENSITY] = 500.0
    _heat(garden, 60.0)
    garden.run(700.0)

    garden.air[Quantity.LIGHT_INTENSITY] = 20_000.0
    garden.room_degc = 30.0
    garden.run(40 * 60.0)

    assert garden.room.core.locks.of("heater") is None


def test_a_heater_at_its_balance_in_the_cold_is_not_taken_for_a_dead_one(garden: Garden) -> None:
    """It was proven at its start; that it gets no warmer says nothing."""
    garden.act("heater", "hysteresis", {"quantity": "temperature", "on_at": 25.0, "off_at": 27.0})
    garden.heats_k_s, garden.room_degc, garden.degc = 0.003, 8.0, 10.0

    garden.run(4000.0)

    assert garden.room.core.locks.of("heater") is None
    assert garden.level("heater") == 1.0 or garden.degc > 15.0
