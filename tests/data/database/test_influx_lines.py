"""Line protocol: what a line says of a reading, and what it cannot hold."""

from __future__ import annotations

import doctest

import pytest

from dt.data.database import influx_charts, influx_keeping, influx_lines, influx_rollups, influx_server
from dt.data.database.influx_charts import parts_of
from dt.data.database.influx_lines import LATEST_MS, LineWriter, UnkeepableError, field_names
from dt.data.database.influx_rollups import HOUR_MS, LEVELS
from dt.utils.dataclasses import SensorData
from dt.utils.ids import new_correlation_id
from tests.data.readings import NOW, make_reading

HOUR, FIVE_MINUTES, MINUTE = LEVELS


def line(reading: SensorData) -> str:
    """Return a reading's line."""
    return LineWriter().line(reading, round(reading.timestamp * 1000))


@pytest.mark.parametrize(
    "module",
    [influx_charts, influx_keeping, influx_lines, influx_rollups, influx_server],
    ids=lambda module: module.__name__,
)
def test_examples_in_docstrings_hold(module: object) -> None:
    """Every example in the documentation is true."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_an_ordinary_reading_is_a_short_line() -> None:
    """Its id keeps only what its own instant does not tell; what is as usual is left out."""
    reading = make_reading(
        raw_value=21.5,
        quality={"verdict": "good"},
        boot_id="b1",
        sequence=7,
        correlation_id="01a3185c-5000-7abc-8000-000000000001",
    )

    assert line(reading) == (
        "temperature,sensor_id=air-t,unit=degC,zone_id=box value=21.5,sequence=7i,"
        'id_high=31420i,id_low=-9223372036854775807i,boot_id="b1" 1800000000000'
    )


def test_a_bad_reading_has_its_number_in_a_field_of_its_own() -> None:
    """So that a mean over `value` counts no spike."""
    bad = make_reading(value=999.0, quality={"verdict": "bad", "check": "range", "why": 'more than "80"'})

    assert field_names(line(bad)) >= {"bad_value", "check", "why"}
    assert "value" not in field_names(line(bad))
    assert r'why="more than \"80\""' in line(bad)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"timestamp": LATEST_MS / 1000 + 1}, "timestamp: must be at most 9223372037"),
        ({"sensor_id": "a\u2028vpd value=1"}, "sensor_id: must have no control characters"),
        ({"zone_id": "shelf\\"}, "zone_id: must have no control characters and no backslash at its end"),
    ],
)
def test_what_the_server_cannot_hold_is_refused_before_it_is_sent(fields: dict[str, object], why: str) -> None:
    """With the field's name and its limit; nothing of it reaches another line."""
    with pytest.raises(UnkeepableError, match=why):
        line(make_reading(**fields))  # type: ignore[arg-type]


def test_readings_of_one_sensor_share_what_they_have_in_common_alone() -> None:
    """A remembered beginning never stands before another reading's values."""
    writer = LineWriter()
    variants = [
        make_reading(boot_id=boot, quality=quality, late=late, correlation_id=new_correlation_id(NOW))
        for boot in ("b1", "b2")
        for quality in (None, {"verdict": "good"}, {"verdict": "suspect", "check": "spike"})
        for late in (False, True)
    ]

    again = [writer.line(reading, 1_800_000_000_000) for reading in (*variants, *variants)]

    assert again[: len(variants)] == again[len(variants) :] == [line(reading) for reading in variants]
    assert len(set(again)) == len(variants)


def test_a_range_is_read_by_the_widest_rollups_and_raw_at_its_ends() -> None:
    """Every millisecond once, nothing twice."""
    since, until = HOUR_MS - 90_500, 4 * HOUR_MS + 301_000

    parts = parts_of(since, until, LEVELS, 10 * HOUR_MS, ())

    assert parts[0][1] == since
    assert parts[-1][2] == until
    assert [left[2] for left in parts[:-1]] == [right[1] for right in parts[1:]]
    assert [part[0] for part in parts] == [None, MINUTE, HOUR, FIVE_MINUTES, None]


def test_what_waits_or_is_not_settled_yet_is_read_raw() -> None:
    """A chart is right at once, though roll-ups come later."""
    parts = parts_of(0, 6 * HOUR_MS, [HOUR], 5 * HOUR_MS + 1, [2])

    assert parts == [
        (HOUR, 0, 2 * HOUR_MS),
        (None, 2 * HOUR_MS, 3 * HOUR_MS),
        (HOUR, 3 * HOUR_MS, 5 * HOUR_MS),
        (None, 5 * HOUR_MS, 6 * HOUR_MS),
    ]
