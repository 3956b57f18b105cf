"""From any link of a chain to all that led to it and all that came of it."""

from __future__ import annotations

import pytest

from dt.data.database.records import Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.trace import Event, Traces
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame
from tests.data.readings import NOW, make_reading


@pytest.fixture
def traces(file: SQLiteFile, db: RecordsDB) -> Traces:
    """Return traces of a dry pot: reading r1 -> alert -> command -> result, and air t1 + h1 -> vpd -> other alert."""
    storage, records = SQLStorage(file), Records(db)
    storage.insert(
        [
            make_reading("soil", "soil_moisture", 0.1, correlation_id="r1"),
            make_reading("soil", "soil_moisture", 0.1, correlation_id="r2", timestamp=NOW + 5),
            make_reading("air-t", correlation_id="t1"),
            make_reading("air-h", "humidity", 30.0, correlation_id="h1"),
            make_reading("box/vpd", "vpd", 1.9, correlation_id="v1", caused_by=["t1", "h1"]),
        ]
    )
    command = {
        "action_id": "x1",
        "actuator_id": "pump",
        "command": "dose",
        "dose_ml": 50,
        "issuer": "policy",
        "timestamp": NOW + 2,
        "correlation_id": "r1",
        "caused_by": ["a1"],
    }
    done = {**command, "outcome": "done", "timestamp": NOW + 3, "command": command}
    del done["dose_ml"], done["issuer"]
    frame = {"sensor_id": "cam", "zone_id": "box", "timestamp": NOW, "correlation_id": "f1", "width": 1, "height": 1}
    records.keep(
        [
            alert("a1", "r1", NOW + 1),
            ActionResult.from_dict(done),
            alert("a2", "v2", NOW - 60, caused_by=["v1"]),  # its machine's clock is a minute behind
            CameraFrame.from_dict(frame),
        ]
    )
    return Traces(storage, records)


def alert(alert_id: str, correlation_id: str, timestamp: float, **more: object) -> AlertEvent:
    """Return an open alert."""
    fields = {
        "alert_id": alert_id,
        "key": alert_id,
        "severity": "warning",
        "description": "dry",
        "active": True,
        "state": "open",
        "by": "rule",
        "timestamp": timestamp,
        "correlation_id": correlation_id,
    }
    return AlertEvent.from_dict({**fields, **more})


def words(events: list[Event]) -> list[str]:
    """Return kinds and ids."""
    return [f"{event.kind} {event.id}" for event in events]


def test_reading_leads_to_alert_command_and_result(traces: Traces) -> None:
    """One id from the sensor to the pump, causes before effects, and nothing that merely came later."""
    assert words(traces.trace("r1")) == ["reading soil", "alert a1", "command x1", "result x1"]


@pytest.mark.parametrize("start", ["t1", "h1", "v1", "v2"])
def test_derived_chain_is_whole_from_every_link(traces: Traces, start: str) -> None:
    """Ids of their own are joined by caused_by, up and down; a clock that is behind turns nothing round."""
    found = words(traces.trace(start))

    assert sorted(found[:2]) == ["reading air-h", "reading air-t"]
    assert found[2:] == ["derived box/vpd", "alert a2"]


def test_picture_has_a_trace(traces: Traces) -> None:
    """Pictures are readings too."""
    assert [event.kind for event in traces.trace("f1")] == ["frame"]


def test_unknown_id_has_no_events(traces: Traces) -> None:
    """Nothing is invented."""
    assert traces.trace("never") == []


def test_circle_of_causes_ends(file: SQLiteFile, db: RecordsDB) -> None:
    """Ids that name each other must not turn for ever."""
    storage = SQLStorage(file)
    storage.insert(
        [make_reading("a", correlation_id="1", caused_by=["2"]), make_reading("b", correlation_id="2", caused_by=["1"])]
    )

    assert len(Traces(storage, Records(db)).trace("1")) == 2
