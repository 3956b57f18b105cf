"""Which readings make the moisture estimate: fresh ones, and since the pump ran."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.controller.moisture import MoistureBook
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import Origin, SensorData
from dt.utils.quantities import Unit
from tests.controller.rooms import reading


@pytest.fixture
def book(clock: ManualClock) -> MoistureBook:
    """A book without readings."""
    return MoistureBook(clock)


def _see(book: MoistureBook, clock: ManualClock, *values: float) -> None:
    for value in values:
        clock.advance(10.0)
        book.see(reading(clock.wall(), value))


def test_s04_readings_of_hours_ago_are_no_part_of_the_estimate(book: MoistureBook, clock: ManualClock) -> None:
    """Two of yesterday and one of now are one reading."""
    _see(book, clock, 0.2, 0.2, 0.2, 0.2)
    clock.advance(36_000.0)
    _see(book, clock, 0.24)

    estimate = book.estimate("basil")

    assert (estimate.good, estimate.median) == (1, 0.24)


def test_s04_only_readings_since_the_pump_ran_count_as_good(book: MoistureBook, clock: ManualClock) -> None:
    """What was read before the last dose says nothing of what the soil needs now."""
    _see(book, clock, 0.2, 0.2, 0.2, 0.3)

    estimate = book.estimate("basil", since_s=15.0)

    assert estimate.good == 2


def test_s04_the_same_reading_again_is_no_second_reading(book: MoistureBook, clock: ManualClock) -> None:
    """A redelivered or an older one does not count."""
    one, two = reading(clock.wall(), 0.2), reading(clock.wall() + 1.0, 0.2)
    clock.advance(2.0)
    for again in (one, two, two, one):
        book.see(again)

    assert book.estimate("basil").good == 2


def test_a_reading_of_a_wrong_clock_does_not_shut_out_later_ones(book: MoistureBook, clock: ManualClock) -> None:
    """The machine began in 2049 and then learnt the time: its readings of 2049 are forgotten."""
    now = clock.wall()
    clock.set_wall(now + 1e9)
    _see(book, clock, 0.5, 0.5, 0.5)
    clock.set_wall(now)
    _see(book, clock, 0.2, 0.2, 0.2)

    assert book.estimate("basil").median == 0.2


@pytest.mark.parametrize(
    "wrong",
    [
        replace(reading(0.0, 0.2), late=True),
        replace(reading(0.0, 0.2), origin=Origin.BACKFILL),
        replace(reading(0.0, 0.2), origin=Origin.REPLAY),
        replace(reading(0.0, 0.2), origin=Origin.SIMULATED),
        replace(reading(0.0, 0.2), unit=Unit.COUNT),
        replace(reading(0.0, 0.2), quality=None),
        replace(reading(0.0, 0.2), plant_id=None),
    ],
)
def test_s04_late_replayed_unjudged_and_foreign_readings_say_nothing(
    book: MoistureBook, clock: ManualClock, wrong: SensorData
) -> None:
    """Each of them alone is reason enough."""
    for _ in range(3):
        clock.advance(1.0)
        book.see(replace(wrong, timestamp=clock.wall()))

    assert book.estimate("basil").good == 0


@pytest.mark.parametrize("age_s", [901.0, -6.0])
def test_s04_readings_that_arrive_late_or_from_the_future_say_nothing(
    book: MoistureBook, clock: ManualClock, age_s: float
) -> None:
    """A backlog without the mark of one is still a backlog."""
    book.see(reading(clock.wall() - age_s, 0.2))

    assert book.estimate("basil").good == 0


def test_made_up_plants_push_no_plant_out_that_gives_readings(book: MoistureBook, clock: ManualClock) -> None:
    """The book is bounded: whoever was silent longest is forgotten."""
    for number in range(3000):
        book.see(replace(reading(clock.wall(), 0.5), plant_id=f"stranger-{number}"))
        if number % 500 == 0:
            _see(book, clock, 0.2)

    assert book.estimate("basil").median == 0.2
    assert book.estimate("stranger-0").good == 0
    assert len(book._seen) <= 1000


@given(values=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5))
def test_s04_the_estimate_is_the_median_and_half_the_range(values: list[float]) -> None:
    """Of one to five readings, even numbers too."""
    clock = ManualClock()
    book = MoistureBook(clock)
    _see(book, clock, *values)

    estimate = book.estimate("basil")

    assert (estimate.median, estimate.good) == (statistics.median(values), len(values))
    assert estimate.spread == (max(values) - min(values)) / 2
