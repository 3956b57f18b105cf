"""What ends the doubt that a step begins: the sensor's own way back, its release, or others of the same air."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from dt.utils.dataclasses import SensorData
from tests.data.processing.series import checks_of, series

FALL, STUCK_MIN = 3.13, 150


def beside(own: list[float], other: list[float]) -> list[SensorData]:
    """Return two thermometers of one air, a reading each minute."""
    pairs = zip(series(own, "air-t"), series(other, "air-t2"), strict=True)
    return [reading for pair in pairs for reading in pair]


def weather(hours_before: int, hours_after: int) -> list[float]:
    """Return an air that wanders, and falls by 3.13 degC within 150 minutes in between."""
    dice, level, truth = random.Random(3), 22.0, []
    for minute in range(-60 * hours_before, STUCK_MIN + 60 * hours_after):
        level += -FALL / STUCK_MIN if 0 <= minute < STUCK_MIN else dice.gauss(0.0, 0.01)
        truth.append(level)
    return truth


def measured(truth: list[float], digits: int, off: float = 0.0, seed: int = 1) -> list[float]:
    """Return what a good thermometer shows."""
    dice = random.Random(seed)
    return [round(level + off + dice.gauss(0.0, 0.05), digits) for level in truth]


@pytest.mark.parametrize(("hours_before", "digits"), [(6, 1), (12, 2), (30, 1)])
def test_a_sensor_that_fell_and_stood_still_is_well_again_beside_its_neighbour(hours_before: int, digits: int) -> None:
    """It steps, stands still while the air comes after it, and goes on from there: no change is a way back."""
    truth, begin = weather(hours_before, 8), 60 * hours_before
    own = measured(truth, digits, seed=2)
    own[begin : begin + STUCK_MIN] = [round(own[begin - 1] - FALL, digits)] * STUCK_MIN

    found = checks_of(beside(own, measured(truth, digits)))

    assert set(found[:begin]) == {""}
    assert set(found[begin : begin + STUCK_MIN]) <= {"step", "stuck"}
    assert ("stuck" in found) is (hours_before >= 24)
    assert len([check for check in found[begin + STUCK_MIN :] if check]) <= 31
    assert set(found[begin + STUCK_MIN + 31 :]) == {""}


@pytest.mark.parametrize(("hours_before", "off"), [(1, -3.5), (9, 3.5), (30, 6.0)])
def test_a_sensor_that_stays_off_its_neighbour_stays_doubted(hours_before: int, off: float) -> None:
    """What its distance has become since the step must not pass for what it usually is."""
    truth, begin = measured([22.0] * (60 * hours_before + 23 * 60), 2, seed=4), 60 * hours_before
    own = [level + (off if minute >= begin else 0.0) for minute, level in enumerate(measured(truth, 2, seed=2))]

    found = checks_of(beside(own, truth))

    assert Counter(found[begin:])["step"] == 23 * 60


def test_a_step_of_the_air_itself_is_believed_once_all_have_shown_it() -> None:
    """A window was opened: half an hour later nobody doubts both thermometers for it."""
    truth = [22.0] * 1200 + [15.0] * 600

    found = checks_of(beside(measured(truth, 1), measured(truth, 1, off=0.6, seed=2)))

    assert found[1200] == "step"
    assert set(found[1231:]) == {""}


def test_a_sensor_that_comes_free_on_its_first_day_made_no_step() -> None:
    """The plateau was too early to be named; that the value leaps from it to where the air went is no fault."""
    truth, begin = weather(12, 8), 60 * 12
    own = measured(truth, 2)
    own[begin : begin + STUCK_MIN] = [own[begin - 1]] * STUCK_MIN

    found = checks_of(series(own))

    assert set(found[begin + STUCK_MIN :]) == {""}


def test_a_plateau_that_the_air_comes_across_is_not_believed() -> None:
    """It stands where the others pass by for more than half an hour: it has not moved since."""
    truth = [22.0 - max(0, minute - 1200) * FALL / 400 for minute in range(1600)]
    own = measured(truth, 2, seed=2)
    own[1200:] = [own[1199] - FALL] * 400

    found = checks_of(beside(own, measured(truth, 2)))

    assert set(found[1200:]) == {"step", "stuck"}
