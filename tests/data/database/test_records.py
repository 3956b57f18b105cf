"""Records: each kept once, read newest first in pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dt.data.database.records import PageQuery, Records
from dt.data.database.records_db import RecordsDB
from dt.utils.codec import Message
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, DeadLetter, Prediction
from dt.utils.exceptions import MessageError
from tests.data.readings import NOW


def alert(at: float = 0, state: str = "open", alert_id: str = "a1", **more: object) -> AlertEvent:
    """Return one step of an alert."""
    fields = {
        "alert_id": alert_id,
        "key": "dry:basil",
        "severity": "warning",
        "description": "dry",
        "active": state != "resolved",
        "state": state,
        "by": "rule",
        "timestamp": NOW + at,
        "correlation_id": f"c-{alert_id}",
        "plant_id": "basil",
    }
    return AlertEvent.from_dict({**fields, **more})


def result(at: float = 0) -> ActionResult:
    """Return a result with its command, whose plant it takes over."""
    command = {
        "action_id": f"x{at}",
        "actuator_id": "pump",
        "command": "dose",
        "dose_ml": 50,
        "issuer": "policy",
        "timestamp": NOW + at,
        "correlation_id": "c",
        "plant_id": "basil",
    }
    return ActionResult.from_dict(
        {
            "action_id": f"x{at}",
            "actuator_id": "pump",
            "outcome": "done",
            "timestamp": NOW + at,
            "correlation_id": "c",
            "command": command,
        }
    )


def prediction(at: float = 0) -> Prediction:
    """Return a forecast."""
    return Prediction.from_dict(
        {
            "prediction_id": f"p{at}",
            "plant_id": "basil",
            "model": "rule",
            "version": "1",
            "quantity": "soil_moisture",
            "made_at": NOW + at,
            "times": [NOW],
            "mean": [0.3],
            "bands": {"50": [[0.2, 0.4]]},
            "correlation_id": "c",
        }
    )


def letter(at: float = 0, offset: int | None = None) -> DeadLetter:
    """Return a dead letter."""
    return DeadLetter.from_dict(
        {
            "reason": "undecodable",
            "why": "x",
            "topic": "t",
            "partition": 0,
            "offset": int(at) if offset is None else offset,
            "size_bytes": 1,
            "head_base64": "",
            "sha256": "0",
            "timestamp": NOW + at,
        }
    )


def frame(at: float = 0) -> CameraFrame:
    """Return a picture's description."""
    return CameraFrame.from_dict(
        {"sensor_id": "cam", "zone_id": "box", "timestamp": NOW + at, "correlation_id": "c", "width": 1, "height": 1}
    )


@pytest.fixture
def records(db: RecordsDB) -> Records:
    """Return the records of an empty store."""
    return Records(db)


def bodies(records: Records, table: str, **more: object) -> list[bytes]:
    """Return the items of one page."""
    filters = {name: str(more.pop(name)) for name in list(more) if name not in {"limit", "since", "until", "cursor"}}
    return [bytes(item) for item in records.page(table, PageQuery.from_dict(more), filters).items]


@pytest.mark.parametrize(
    ("table", "make"),
    [
        ("alerts", lambda at: alert(at, alert_id=f"a{at}")),
        ("actions", result),
        ("predictions", prediction),
        ("dead_letters", letter),
        ("frames", frame),
    ],
)
def test_record_is_kept_once_and_read_newest_first(
    records: Records, table: str, make: Callable[[float], Message]
) -> None:
    """Redelivered batches change nothing; a record comes back as its own JSON."""
    made = [make(at) for at in (1, 3, 2)]

    records.keep(made)
    records.keep(made)

    assert bodies(records, table) == [make(at).to_json() for at in (3, 2, 1)]


def test_pages_join_without_gap_or_repetition(records: Records) -> None:
    """Records of one instant are told apart too."""
    records.keep([alert(i // 3, alert_id=f"a{i}") for i in range(10)])
    found, cursor = [], None

    while True:
        page = records.page("alerts", PageQuery(limit=3, cursor=cursor), {})
        found += [bytes(item) for item in page.items]
        cursor = page.next
        if cursor is None:
            break

    assert len(set(found)) == len(found) == 10


def test_what_a_database_cannot_hold_is_the_records_own_fault(db: RecordsDB, records: Records) -> None:
    """A retry would not help: PostgreSQL has no NUL, and a number has 64 bits; all else of the batch comes again."""
    beyond = letter(2)
    object.__setattr__(beyond, "offset", 2**70)  # past the message's own limit
    wrong = [beyond] if db.where.endswith(".db") else [beyond, alert(alert_id="a\0")]

    for message in wrong:
        with pytest.raises(MessageError, match="cannot be kept"):
            records.keep([letter(1), message])

    assert bodies(records, "dead_letters") == []


def test_question_that_the_database_cannot_understand_is_refused(db: RecordsDB, records: Records) -> None:
    """By a client's error, or by an empty answer; never as the database's failure."""
    if db.where.endswith(".db"):
        assert bodies(records, "alerts", plant_id="a\0b") == []
    else:
        with pytest.raises(MessageError):
            bodies(records, "alerts", plant_id="a\0b")
    for cursor in ("x", "1", "1-x", f"{2**70}-1"):
        with pytest.raises(MessageError, match="cursor"):
            bodies(records, "alerts", cursor=cursor)


def test_alert_stands_where_its_last_event_left_it(records: Records) -> None:
    """An older event that comes again does not reopen it."""
    records.keep([alert(0), alert(9, "resolved")])
    records.keep([alert(0)])

    assert bodies(records, "alerts") == [alert(9, "resolved").to_json()]
    assert bodies(records, "alerts", state="open") == []


def test_range_and_filters_narrow_a_page(records: Records) -> None:
    """By plant, also where only the command names it, and by time."""
    records.keep([result(0), result(10)])

    assert len(bodies(records, "actions", plant_id="basil")) == 2
    assert bodies(records, "actions", plant_id="mint") == []
    assert bodies(records, "actions", since=NOW + 1, until=NOW + 11) == [result(10).to_json()]


def test_a_dose_that_is_told_again_with_its_effect_takes_its_own_place(records: Records) -> None:
    """Same action, outcome and instant: one record, the last word."""
    told = replace(result(), effect="seen", expected_rise=0.02, measured_rise=0.019)

    records.keep([result()])
    records.keep([told])

    assert bodies(records, "actions") == [told.to_json()]
