"""Counts to values, and which calibrations are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.plant.calibration import parse_calibration, require_calibration
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import MessageError

SOIL = {"version": 3, "points": [[320, 0.02], [600, 0.25], [1000, 0.60]]}


@pytest.mark.parametrize(("count", "value"), [(320, 0.02), (600, 0.25), (1000, 0.60)])
def test_measured_points_are_met_exactly(count: float, value: float) -> None:
    """What a person measured stands."""
    assert parse_calibration(SOIL).apply(count) == pytest.approx(value)


@given(st.floats(0.0, 2000.0), st.floats(0.0, 2000.0))
def test_more_counts_never_mean_less_water(low: float, high: float) -> None:
    """Straight lines through rising points rise everywhere, beyond the ends too."""
    soil = parse_calibration(SOIL)

    assert soil.apply(min(low, high)) <= soil.apply(max(low, high)) + 1e-12


def test_counts_beyond_the_points_are_not_covered() -> None:
    """Extrapolation is possible, and known as such."""
    soil = parse_calibration(SOIL)

    assert [soil.covers(count) for count in (319, 320, 1000, 1001)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "calibration.points"),
        ({"points": [[1, 2]]}, "calibration.points"),
        ({"points": [[1, 2], [1, 3]]}, "calibration.points"),
        ({"points": [[2, 2], [1, 3]]}, "calibration.points"),
        ({"points": [["a", 2], [1, 3]]}, "calibration.points"),
        ({"points": "no"}, "calibration.points"),
        ({"version": "x", "points": [[1, 2], [2, 3]]}, "calibration.version"),
    ],
)
def test_unusable_calibrations_are_refused_by_field(data: dict[str, Any], field: str) -> None:
    """The error says which part is wrong."""
    with pytest.raises(MessageError) as refused:
        parse_calibration(data)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"calibration": {"points": [[300, 1e300], [700, -5]]}}, "calibration.points", "from 0 to 1 m3/m3"),
        ({"calibration": {"points": [[300, 0.1], [700, -0.1]]}}, "calibration.points", "from 0 to 1 m3/m3"),
        ({"calibration": {"points": [[-1, 0.1], [700, 0.2]]}}, "calibration.points", "from 0 to 65535"),
        ({"calibration": {"points": [[0, 0.1], [1e6, 0.2]]}}, "calibration.points", "from 0 to 65535"),
        ({"calibration": {**SOIL, "version": -1}}, "calibration.version", "from 0 to 2147483647"),
        ({"data_type": "temperature"}, "calibration", "not for temperature"),
        ({"kind": "mqtt", "options": {"unit": "%"}}, "calibration", "this sensor's unit is %"),
    ],
)
def test_calibration_must_suit_its_sensor(changes: dict[str, Any], field: str, says: str) -> None:
    """Counts that a converter can give, values that the quantity can have, and a quantity that is counted."""
    sensor = {"sensor_id": "s", "zone_id": "box", "data_type": "soil_moisture", "kind": "seesaw", "read_interval": 1}

    with pytest.raises(MessageError, match=says) as refused:
        require_calibration(SensorDescriptor.from_dict({**sensor, "calibration": SOIL, **changes}))

    assert refused.value.field == field


@pytest.mark.parametrize("options", [{}, {"unit": "count"}])
def test_calibration_of_counts_is_taken(options: dict[str, str]) -> None:
    """Falling ones too: some probes count less the wetter it is."""
    falling = {"points": [[0, 1.0], [65_535, 0.0]]}
    sensor = {"sensor_id": "s", "zone_id": "box", "data_type": "soil_moisture", "kind": "mqtt", "read_interval": 1}

    require_calibration(SensorDescriptor.from_dict({**sensor, "calibration": falling, "options": options}))
    require_calibration(SensorDescriptor.from_dict({**sensor, "options": options}))
