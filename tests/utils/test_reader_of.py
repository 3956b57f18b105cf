"""The quick reader of messages beside `from_json`."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.utils.codec import LARGEST_INTEGER, LONGEST_TEXT, reader_of
from dt.utils.dataclasses import Quality, SensorData, Verdict
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity, Unit

_READING = SensorData(
    sensor_id="soil-1",
    data_type=Quantity.SOIL_MOISTURE,
    value=0.31,
    unit=Unit.VWC,
    timestamp=1_790_000_000.123,
    correlation_id="01a0c450-6c00-7743-bb2e-6c4ef1659767",
    zone_id="shelf",
    sequence=7,
    raw_value=612.0,
    quality=Quality(verdict=Verdict.SUSPECT, check="step", why="rose"),
    caused_by=("a", "b"),
)
_NAMES = [row.name for row in fields(SensorData)]
_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "7", "1e3", "2026-11-25T12:00:00Z", "good", "x" * (LONGEST_TEXT + 1), [], ["a", 1], {}]),
)


@pytest.fixture(scope="module")
def read() -> Any:
    """The quick reader of readings."""
    return reader_of(SensorData)


def test_every_field_is_that_of_the_message(read: Any) -> None:
    """What is exact comes with the same fields of the same types."""
    found = read(_READING.to_json())

    assert not isinstance(found, SensorData)
    assert {name: getattr(found, name) for name in _NAMES} == {name: getattr(_READING, name) for name in _NAMES}
    assert type(found.data_type) is Quantity


@given(name=st.sampled_from([*_NAMES, "unknown"]), value=_ODD, is_missing=st.booleans())
def test_an_odd_message_is_read_or_refused_as_from_json_does(
    read: Any, name: str, value: object, is_missing: bool
) -> None:
    """Texts that are numbers become numbers; what is refused is refused in the same words."""
    body = _READING.to_dict()
    if is_missing:
        body.pop(name, None)
    else:
        body[name] = value
    text = json.dumps(body).encode()

    assert _outcome(read, text) == _outcome(SensorData.from_json, text)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"value": 1e999}'])
def test_what_is_no_message_is_refused_in_the_same_words(read: Any, text: bytes) -> None:
    """Broken JSON, other JSON, other bytes."""
    assert _outcome(read, text) == _outcome(SensorData.from_json, text)


@pytest.mark.parametrize("sequence", [LARGEST_INTEGER, LARGEST_INTEGER + 1, -1])
def test_limits_of_numbers_hold(read: Any, sequence: int) -> None:
    """A strict decoder knows nothing of them."""
    text = json.dumps({**_READING.to_dict(), "sequence": sequence}).encode()

    assert _outcome(read, text) == _outcome(SensorData.from_json, text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("revision", -1),
        ("sensor_id", "air\0t"),
        ("zone_id", "\x1b[2Jbox"),
        ("plant_id", "ba\x7fsil"),
        ("correlation_id", "c\0"),
        ("sensor_id", "sonde d\u2019air\u00a02"),
    ],
)
def test_ids_that_no_store_holds_are_refused_and_odd_ones_are_read(read: Any, field: str, value: object) -> None:
    """Control characters in any spelling; a no-break space is somebody's name."""
    text = json.dumps({**_READING.to_dict(), field: value}).encode()
    is_refused = "\u00a0" not in str(value)

    found = _outcome(read, text)

    assert found == _outcome(SensorData.from_json, text)
    assert isinstance(found, str) is is_refused
    assert not is_refused or str(found).startswith(f"{field}: must ")


def _outcome(reading_by: Any, text: bytes) -> object:
    try:
        found = reading_by(text)
    except MessageError as error:
        return str(error)
    return [(type(getattr(found, name)), getattr(found, name)) for name in _NAMES]
