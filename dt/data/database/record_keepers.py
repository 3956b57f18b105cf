"""How each message of the log becomes rows; writing one again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from dt.data.database.records_db import insert_into
from dt.data.database.tables import (
    ACTIONS,
    ALERT_EVENTS,
    ALERTS,
    CADENCE_CHANGES,
    CAUSES,
    DEAD_LETTERS,
    FRAMES,
    GAP_NOTICES,
    PREDICTIONS,
)
from dt.utils.codec import Message
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, DeadLetter, GapCause, GapNotice, Prediction


def ms(timestamp: float) -> int:
    """Return an instant in whole milliseconds."""
    return round(timestamp * 1000)


def causes_of(message: Message) -> list[str]:
    """Return the correlation ids that a record names as its parents, its own left out."""
    parents = list(getattr(message, "caused_by", ()))
    if isinstance(message, ActionResult) and message.command is not None:
        parents += [*message.command.caused_by, message.command.correlation_id]
    own = getattr(message, "correlation_id", "")
    return [parent for parent in dict.fromkeys(parents) if parent != own]


def keep_causes(connection: Connection, parents: Sequence[str], child: str) -> None:
    """Keep which ids led to one."""
    if parents:
        rows = [{"parent": parent, "child": child} for parent in parents]
        connection.execute(insert_into(connection, CAUSES).on_conflict_do_nothing(), rows)


def _keep_alert(connection: Connection, event: AlertEvent) -> None:
    row = {
        "alert_id": event.alert_id,
        "timestamp_ms": ms(event.timestamp),
        "state": str(event.state),
        "correlation_id": event.correlation_id,
        "body": event.to_json().decode(),
    }
    connection.execute(insert_into(connection, ALERT_EVENTS).values(**row).on_conflict_do_nothing())
    now = insert_into(connection, ALERTS).values(**row, plant_id=event.plant_id, zone_id=event.zone_id)
    taken = {name: now.excluded[name] for name in ("timestamp_ms", "state", "correlation_id", "body")}
    newer = now.excluded.timestamp_ms >= ALERTS.c.timestamp_ms
    connection.execute(now.on_conflict_do_update(index_elements=["alert_id"], set_=taken, where=newer))
    keep_causes(connection, causes_of(event), event.correlation_id)


def _keep_action(connection: Connection, result: ActionResult) -> None:
    command = result.command
    row = {
        "action_id": result.action_id,
        "outcome": str(result.outcome),
        "timestamp_ms": ms(result.timestamp),
        "actuator_id": result.actuator_id,
        "plant_id": result.plant_id or (command.plant_id if command is not None else None),
        "correlation_id": result.correlation_id,
        "body": result.to_json().decode(),
    }
    now = insert_into(connection, ACTIONS).values(**row)  # a dose is told again once its effect is known
    key = ["action_id", "outcome", "timestamp_ms"]
    connection.execute(now.on_conflict_do_update(index_elements=key, set_={"body": now.excluded.body}))
    keep_causes(connection, causes_of(result), result.correlation_id)


def _keep_prediction(connection: Connection, prediction: Prediction) -> None:
    row = {
        "prediction_id": prediction.prediction_id,
        "timestamp_ms": ms(prediction.made_at),
        "plant_id": prediction.plant_id,
        "quantity": str(prediction.quantity),
        "correlation_id": prediction.correlation_id,
        "body": prediction.to_json().decode(),
    }
    connection.execute(insert_into(connection, PREDICTIONS).values(**row).on_conflict_do_nothing())
    keep_causes(connection, causes_of(prediction), prediction.correlation_id)


def keep_letters(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Keep dead letters in one statement: of all records, they alone come in floods."""
    rows = [
        {
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
            "sha256": letter.sha256,
            "timestamp_ms": ms(letter.timestamp),
            "reason": str(letter.reason),
            "body": letter.to_json().decode(),
        }
        for letter in letters
    ]
    if rows:
        connection.execute(insert_into(connection, DEAD_LETTERS).on_conflict_do_nothing(), rows)


def _keep_frame(connection: Connection, frame: CameraFrame) -> None:
    row = {
        "sensor_id": frame.sensor_id,
        "timestamp_ms": ms(frame.timestamp),
        "zone_id": frame.zone_id,
        "plant_id": frame.plant_id,
        "sha256": frame.sha256 or "",
        "correlation_id": frame.correlation_id,
        "body": frame.to_json().decode(),
        "flagged": bool(frame.flags),
    }
    new = insert_into(connection, FRAMES).values(**row)
    taken = {name: new.excluded[name] for name in ("sha256", "correlation_id", "body", "flagged")}
    connection.execute(new.on_conflict_do_update(index_elements=["sensor_id", "timestamp_ms"], set_=taken))


def _keep_gap(connection: Connection, notice: GapNotice) -> None:
    """Keep what is known of a gap; of one that grows the longest notice stays."""
    if notice.cause is GapCause.CADENCE:
        _keep_cadence(connection, notice)
        return
    row = {
        "sensor_id": notice.sensor_id,
        "boot_id": notice.boot_id,
        "cause": str(notice.cause),
        "place": place_of(notice.first_sequence, ms(notice.since)),
        "first_sequence": notice.first_sequence,
        "last_sequence": notice.last_sequence,
        "since_ms": ms(notice.since),
        "until_ms": ms(notice.until),
        "why": notice.why,
    }
    new = insert_into(connection, GAP_NOTICES).values(**row)
    taken = {name: new.excluded[name] for name in ("last_sequence", "until_ms", "why")}
    longer = new.excluded.until_ms >= GAP_NOTICES.c.until_ms
    once = ["sensor_id", "boot_id", "cause", "place"]
    connection.execute(new.on_conflict_do_update(index_elements=once, set_=taken, where=longer))


def place_of(first_sequence: int | None, since_ms: int) -> int:
    """Return what tells two notices of one cause apart."""
    return -since_ms if first_sequence is None else first_sequence


def _keep_cadence(connection: Connection, notice: GapNotice) -> None:
    key = {"sensor_id": notice.sensor_id, "boot_id": notice.boot_id, "first_sequence": notice.first_sequence}
    new = insert_into(connection, CADENCE_CHANGES).values(**key, since_ms=ms(notice.since), step_s=notice.step_s)
    taken = {name: new.excluded[name] for name in ("since_ms", "step_s")}
    connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=taken))


KEEPERS: Mapping[type[Message], Callable[[Connection, Any], None]] = {
    AlertEvent: _keep_alert,
    ActionResult: _keep_action,
    Prediction: _keep_prediction,
    DeadLetter: lambda connection, letter: keep_letters(connection, [letter]),
    CameraFrame: _keep_frame,
    GapNotice: _keep_gap,
}
