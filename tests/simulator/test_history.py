"""The past that the demo shows: every reading, quickly, and a thirsty present at any time of day."""

from __future__ import annotations

import time

import pytest

from dt.simulator.box import Box
from dt.simulator.history import history, prepare_demo_box
from dt.simulator.sensing import Senses, vwc_from_counts
from dt.simulator.spec import BoxSpec, PotSpec
from dt.utils.quantities import Quantity, Unit

NOW = 1_800_014_400.0
DAY = 86_400.0


def test_fourteen_days_come_in_well_under_two_seconds() -> None:
    """20,160 minutes of four quantities, evenly spaced, the last one before now."""
    spec = BoxSpec()
    began = time.process_time()

    samples = list(history(prepare_demo_box(spec, NOW - 14 * DAY, NOW), NOW - 14 * DAY, NOW))

    assert time.process_time() - began < 2.0
    assert len(samples) == 14 * 1440
    assert [s.timestamp for s in samples] == [NOW - 14 * DAY + 60.0 * i for i in range(14 * 1440)]


@pytest.mark.parametrize("hour", [4, 13, 22])
def test_soil_arrives_just_below_the_dry_limit(hour: int) -> None:
    """Whatever the time of day, the probe stands at most 0.012 m3/m3 below the limit now, and above it days ago."""
    until = NOW + hour * 3600.0 + 17.3
    box = prepare_demo_box(BoxSpec(seed=hour), until - 6 * DAY, until)
    samples = list(history(box, until - 6 * DAY, until, every_s=600.0))

    measured = vwc_from_counts(Senses.of(box).expected_counts())

    assert 0.238 < measured < 0.249
    assert max(vwc_from_counts(s.soil_moisture_counts) for s in samples) > 0.33
    assert box.now_s == until


@pytest.mark.parametrize("days", [0.1, 1.0])
def test_short_past_ends_just_below_the_limit_too(days: float) -> None:
    """A demo of a few hours begins with a pot that is already nearly dry."""
    box = prepare_demo_box(BoxSpec(), NOW - days * DAY, NOW)

    box.advance(NOW)

    assert 0.238 < vwc_from_counts(Senses.of(box).expected_counts()) < 0.249


def test_another_limit_is_met_too() -> None:
    """The limit of the plant in the rig counts, not a number in the code."""
    spec = BoxSpec(pot=PotSpec(volume_ml=1000.0))
    box = prepare_demo_box(spec, NOW - 8 * DAY, NOW, dry_vwc=0.32)

    box.advance(NOW)

    assert vwc_from_counts(Senses.of(box).expected_counts()) == pytest.approx(0.314, abs=0.003)


def test_same_seed_gives_the_same_history() -> None:
    """A demo with a seed can be repeated to the digit."""

    def made(seed: int) -> list[object]:
        box = prepare_demo_box(BoxSpec(seed=seed), NOW - 0.5 * DAY, NOW)
        return list(history(box, NOW - 0.5 * DAY, NOW, every_s=900.0))

    assert made(5) == made(5)
    assert made(5) != made(6)


def test_readings_have_the_chips_resolution() -> None:
    """Whole counts, tenths of a degree and of a percent, and the units that the collector publishes."""
    [sample] = history(Box(BoxSpec(), NOW), NOW, NOW + 60.0)

    readings = {quantity: (value, unit) for quantity, value, unit in sample.readings()}

    assert readings[Quantity.SOIL_MOISTURE][0] == int(readings[Quantity.SOIL_MOISTURE][0])
    assert readings[Quantity.SOIL_MOISTURE][1] is Unit.COUNT
    assert round(readings[Quantity.TEMPERATURE][0], 1) == readings[Quantity.TEMPERATURE][0]
    assert readings[Quantity.HUMIDITY][1] is Unit.PERCENT
    assert readings[Quantity.LIGHT_INTENSITY][1] is Unit.LUX


def test_box_lives_on_where_its_history_ended() -> None:
    """The history leaves no gap before the live readings."""
    box = prepare_demo_box(BoxSpec(), NOW - DAY, NOW)

    last = list(history(box, NOW - DAY, NOW))[-1]

    assert (last.timestamp, box.now_s) == (NOW - 60.0, NOW)
