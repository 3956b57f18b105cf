"""Messages: construction, JSON both ways, and what is refused with the field's name."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.utils import dataclasses as messages
from dt.utils.codec import Message
from dt.utils.dataclasses import (
    ActionCommand,
    ActionResult,
    AlertCondition,
    AlertEvent,
    CameraFrame,
    DBIdQuery,
    DBTimestampQuery,
    DeadLetter,
    Grant,
    HealthReport,
    Origin,
    Plant,
    Prediction,
    RegistryRecord,
    SensorData,
    SensorDescriptor,
    Verdict,
)
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity, Unit

GOLDEN = Path(__file__).parent.parent / "golden"
CLASSES: list[type[Message]] = [
    SensorData,
    SensorDescriptor,
    DBTimestampQuery,
    DBIdQuery,
    ActionCommand,
    ActionResult,
    AlertCondition,
    AlertEvent,
    Prediction,
    CameraFrame,
    Plant,
    Grant,
    RegistryRecord,
    HealthReport,
    DeadLetter,
]
READING: dict[str, Any] = {
    "sensor_id": "basil-soil",
    "data_type": "soil_moisture",
    "value": 0.31,
    "unit": "m3/m3",
    "timestamp": 1_800_000_000.125,
    "correlation_id": "5f0c2f0e-7f5b-4a53-9d6b-0d4f3f6a2b11",
    "zone_id": "box",
}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_message_ever_released_still_decodes(path: Path) -> None:
    """A golden example decodes, and what it said is what the message says."""
    cls = getattr(messages, path.name.split(".")[0])

    message = cls.from_json(path.read_bytes())

    told = json.loads(path.read_bytes())
    assert {name: value for name, value in json.loads(message.to_json()).items() if name in told} == told


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_message_has_a_golden_example(cls: type[Message]) -> None:
    """A message without an example could change unseen."""
    assert list(GOLDEN.glob(f"{cls.__name__}.*.json"))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_messages_survive_json_and_dictionaries(cls: type[Message]) -> None:
    """What is encoded decodes to an equal message, by both ways, and has no problems."""
    message = cls.from_json(next(GOLDEN.glob(f"{cls.__name__}.*.json")).read_bytes())

    assert cls.from_json(message.to_json()) == message
    assert cls.from_dict(message.to_dict()) == message
    assert cls.from_json(message.to_json().decode()) == message
    assert cls.validate_json(message.to_json()) == []


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_message_carries_schema_and_origin(cls: type[Message]) -> None:
    """Readers rely on both."""
    assert {"schema", "origin"} <= {field.name for field in fields(cls)}  # type: ignore[arg-type]


def test_numeric_text_and_iso_times_become_numbers() -> None:
    """Outside producers write numbers and times as text."""
    reading = SensorData.from_dict(
        READING | {"value": "0.5", "timestamp": "2027-01-15T08:00:00.1239Z", "sequence": "7"}
    )

    assert reading.value == 0.5
    assert reading.timestamp == 1_800_000_000.124
    assert reading.sequence == 7


def test_iso_times_keep_their_zone() -> None:
    """09:00 at +01:00 is 08:00 UTC."""
    reading = SensorData.from_dict(READING | {"timestamp": "2027-01-15T09:00:00+01:00"})

    assert reading.timestamp == 1_800_000_000.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value", True),
        ("value", "wet"),
        ("value", "nan"),
        ("value", "1_000"),
        ("value", math.nan),
        ("value", math.inf),
        ("value", None),
        ("value", [1]),
        ("value", 10**400),
        ("timestamp", "yesterday"),
        ("timestamp", False),
        ("timestamp", -1),
        ("timestamp", 1e15),
        ("sensor_id", ""),
        ("sensor_id", 7),
        ("sensor_id", "x" * 10_000),
        ("zone_id", None),
        ("data_type", "mood"),
        ("unit", "furlong"),
        ("clock_synced", "yes"),
        ("sequence", 1.5),
        ("sequence", -1),
        ("revision", -1),
        ("sensor_id", "air\0t"),
        ("sensor_id", "air-t\n"),
        ("zone_id", "\x1b[2Jbox"),
        ("plant_id", "ba\x85sil"),
        ("correlation_id", "c\0"),
        ("origin", "dream"),
        ("quality", "good"),
        ("caused_by", "abc"),
    ],
)
def test_wrong_values_are_refused_with_the_field_name(field: str, value: object) -> None:
    """The error's field and text name the offender."""
    with pytest.raises(MessageError) as caught:
        SensorData.from_dict(READING | {field: value})

    assert caught.value.field.startswith(field)
    assert field in str(caught.value)


@pytest.mark.parametrize("field", sorted(READING))
def test_missing_fields_are_refused_with_their_name(field: str) -> None:
    """Nothing is made up."""
    with pytest.raises(MessageError) as caught:
        SensorData.from_dict({name: value for name, value in READING.items() if name != field})

    assert caught.value.field == field


def test_nested_errors_name_the_path() -> None:
    """The verdict of the quality is `quality.verdict`."""
    with pytest.raises(MessageError) as caught:
        SensorData.from_dict(READING | {"quality": {"verdict": "fine"}})

    assert caught.value.field == "quality.verdict"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b'{"value": NaN}', b'"text"', b"12", b"[" * 200_000]
)
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    """Garbage raises MessageError and nothing else, and `validate_json` says so too."""
    with pytest.raises(MessageError):
        SensorData.from_json(text)

    assert SensorData.validate_json(text)


def test_validate_json_lists_every_problem() -> None:
    """A person mends all of them at once."""
    problems = SensorData.validate_json(json.dumps({"sensor_id": 1, "value": True, "unit": "m3/m3"}))

    assert {problem.split(":")[0] for problem in problems} == {
        "data_type",
        "timestamp",
        "correlation_id",
        "zone_id",
        "sensor_id",
        "value",
    }


def test_unknown_fields_are_ignored() -> None:
    """A newer writer may say more."""
    assert SensorData.from_json(json.dumps(READING | {"mood": "fine"})) == SensorData.from_dict(READING)


def test_messages_cannot_be_changed() -> None:
    """Frozen: a message is what was said."""
    reading = SensorData.from_dict(READING)

    with pytest.raises(FrozenInstanceError):
        reading.value = 1.0  # type: ignore[misc]


def test_enumerations_are_their_types_after_any_way_in() -> None:
    """Code compares with the enum's members."""
    reading = SensorData.from_json(json.dumps(READING | {"quality": {"verdict": "bad"}}))

    assert reading.data_type is Quantity.SOIL_MOISTURE
    assert reading.unit is Unit.VWC
    assert reading.origin is Origin.LIVE
    assert reading.quality is not None
    assert reading.quality.verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("command", "missing"), [("dose", "dose_ml"), ("on", "duration_s"), ("level", "level")], ids=str
)
def test_a_command_needs_its_amount(command: str, missing: str) -> None:
    """A dose without millilitres cannot be meant."""
    with pytest.raises(MessageError) as caught:
        ActionCommand.from_dict(
            {
                "action_id": "a",
                "actuator_id": "pump",
                "command": command,
                "issuer": "ada",
                "timestamp": 1.0,
                "correlation_id": "c",
            }
        )

    assert caught.value.field == missing


def test_a_prediction_needs_a_mean_for_each_time() -> None:
    """Series of unequal length are refused."""
    with pytest.raises(MessageError) as caught:
        Prediction.from_dict(
            {
                "prediction_id": "p",
                "plant_id": "basil",
                "model": "line",
                "version": "1",
                "quantity": "soil_moisture",
                "made_at": 1,
                "times": [1.0, 2.0],
                "mean": [0.3],
                "bands": {},
                "correlation_id": "c",
            }
        )

    assert caught.value.field == "mean"


def test_a_query_must_not_end_before_it_begins() -> None:
    """The error names the limit."""
    with pytest.raises(MessageError, match="until"):
        DBTimestampQuery(data_type=Quantity.TEMPERATURE, since=2.0, until=1.0)


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(text: bytes) -> None:
    """A reader catches MessageError alone."""
    try:
        SensorData.from_json(text)
    except MessageError as error:
        assert str(error)


@given(
    st.dictionaries(
        st.sampled_from([*READING, "quality", "sequence", "origin", "caused_by"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=5,
        ),
    )
)
def test_random_objects_never_raise_anything_else(data: dict[str, Any]) -> None:
    """Whatever JSON an outside client sends, it is a message or a MessageError."""
    try:
        reading = SensorData.from_dict(READING | data)
    except MessageError:
        return
    assert SensorData.from_json(reading.to_json()) == reading


@given(st.floats(min_value=0, max_value=4e9))
def test_timestamps_are_rounded_to_the_millisecond(moment: float) -> None:
    """Rounding happens once, on construction."""
    reading = SensorData.from_dict(READING | {"timestamp": moment})

    assert abs(reading.timestamp - moment) <= 0.0005 + 1e-6
    assert reading.timestamp == round(reading.timestamp, 3)


def test_a_number_of_the_wrong_kind_on_the_wire_is_made_right() -> None:
    """`"value": "0.5"` in JSON takes the tolerant way and gives the same message."""
    assert SensorData.from_json(json.dumps(READING | {"value": "0.31"})) == SensorData.from_dict(READING)


def test_id_queries_have_a_limit() -> None:
    """One answer holds at most 100,000 readings."""
    with pytest.raises(MessageError, match="limit"):
        DBIdQuery(sensor_id="a", limit=100_001)


def test_numbers_deep_inside_are_finite_too() -> None:
    """NaN in a series or a calibration would become null in JSON."""
    golden = json.loads((GOLDEN / "Prediction.v1.json").read_text())
    with pytest.raises(MessageError, match="mean"):
        Prediction.from_dict(golden | {"mean": [math.nan, 0.3]})

    sensor = json.loads((GOLDEN / "SensorDescriptor.v1.json").read_text())
    with pytest.raises(MessageError, match="calibration"):
        SensorDescriptor.from_dict(sensor | {"calibration": {"points": [[1, math.inf]]}})


def test_a_reading_is_made_of_its_own_fields_alone() -> None:
    """Its constructor takes what the dataclass declares, with the same defaults, and checks it."""
    made = SensorData(**READING)
    row = {field.name: getattr(made, field.name) for field in fields(made)}

    assert SensorData(**row) == made == SensorData.from_json(json.dumps(READING))
    assert (made.sequence, made.clock_synced, made.origin) == (0, True, Origin.LIVE)
    for wrong in (READING | {"mood": "fine"}, {"sensor_id": "a"}):
        with pytest.raises(TypeError):
            SensorData(**wrong)
    with pytest.raises(MessageError, match="sequence"):
        SensorData(**READING, sequence=-1)


@pytest.mark.parametrize("parents", [[1], ["a", None], "text", {"a": 1}, [["a"]], ("a", 1)])
def test_parents_are_texts(parents: Any) -> None:
    """Whatever else stands in `caused_by` is refused, given as a list or as a tuple."""
    with pytest.raises(MessageError, match="caused_by"):
        SensorData(**READING, caused_by=parents)


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**63, 10**400, 1e308, "1e30"])
def test_whole_number_that_not_every_reader_holds_is_refused_with_the_limit(number: object) -> None:
    """RFC 8259, section 6: beyond 2^53 - 1 a browser rounds, beyond 2^63 a database refuses."""
    data = {**json.loads((GOLDEN / "SensorData.v1.json").read_text("utf-8")), "revision": number}

    with pytest.raises(MessageError, match=r"revision: must be a whole number from -9007199254740991"):
        SensorData.from_json(json.dumps(data))


@pytest.mark.parametrize("field", ["sensor_id", "zone_id", "plant_id"])
def test_a_sensor_is_not_declared_with_control_characters(field: str) -> None:
    """All its readings would be refused."""
    body = {"sensor_id": "a", "zone_id": "box", "data_type": "temperature", "kind": "dht22", "read_interval": 5.0}

    with pytest.raises(MessageError, match=f"{field}: must not have control characters, and has '.x1b' at 1"):
        SensorDescriptor.from_dict({**body, field: "a\x1b[2J"})
