"""Doctests of the utilities, clocks, ids and units."""

from __future__ import annotations

import doctest
import threading

import pytest

from dt.communication import messaging
from dt.utils import ids, not_finite, quantities, rig, secrets
from dt.utils.clock import ManualClock
from dt.utils.codec import parse_json
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity, Unit, to_canonical


@pytest.mark.parametrize(
    "module", [ids, not_finite, quantities, rig, messaging, secrets], ids=lambda module: module.__name__
)
def test_examples_in_docstrings_hold(module: object) -> None:
    """Every example in the documentation is true."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_a_manual_clock_wakes_who_waits() -> None:
    """Waiting ends when the clock is moved past the time-out, not before."""
    clock = ManualClock()
    done: list[bool] = []
    waiter = threading.Thread(target=lambda: done.append(clock.wait(threading.Event(), 60.0)))
    waiter.start()

    clock.advance(59.0)
    waiter.join(0.1)
    waited_on = waiter.is_alive()
    clock.advance(1.0)
    waiter.join(5.0)

    assert waited_on
    assert done == [False]


def test_a_jump_of_the_wall_clock_leaves_the_monotonic_one() -> None:
    """As NTP does it."""
    clock = ManualClock(wall=100.0, monotonic=5.0)

    clock.set_wall(0.0)

    assert (clock.wall(), clock.monotonic()) == (0.0, 5.0)


def test_a_relative_wetness_is_no_water_content() -> None:
    """A fraction of the probe's range stays one."""
    assert to_canonical(Quantity.SOIL_MOISTURE, 0.42, Unit.FRACTION) == (0.42, Unit.FRACTION)


def test_a_unit_of_another_quantity_is_refused() -> None:
    """The error lists the units that there are."""
    with pytest.raises(MessageError, match=r"unit: lux is no unit of temperature; use one of degC, degF"):
        to_canonical(Quantity.TEMPERATURE, 1.0, Unit.LUX)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b'{"read_interval": NaN}', "read_interval"),
        (b'{"calibration": {"points": [[1, 0.5], [2, Infinity]]}}', "calibration.points[1][1]"),
        (b'{"value": 1e999}', "value"),
        (b"NaN", "$"),
        (b'{"\\ud800": NaN}', "?"),
        (b'{"value": NaN', "$"),
        (b'{"value": 1' + b"0" * 5000 + b"}", "$"),
        (b"[" * 100_000, "$"),
        (b"\xff", "$"),
    ],
)
def test_number_that_is_none_is_refused_by_field(text: bytes, field: str) -> None:
    """RFC 8259 has no word for NaN and infinities, and other languages write them."""
    with pytest.raises(MessageError) as refused:
        parse_json(text)

    assert refused.value.field == field
