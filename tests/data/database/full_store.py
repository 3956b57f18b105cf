"""A database service with one of everything in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import requests

from dt.communication.frames import frame_headers
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.data.database.app import DatabaseService
from dt.utils.dataclasses import (
    ActionCommand,
    ActionResult,
    AlertEvent,
    CameraFrame,
    DeadLetter,
    Prediction,
)
from tests.data.readings import NOW, make_descriptor, make_reading

TOKEN = {"Authorization": "Bearer test-token"}
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


def fill(
    service: DatabaseService,
    messaging: MemoryMessaging,
    eventually: Callable[[Callable[[], object], str], None],
    token: str = "test-token",
) -> dict[str, str]:
    """Publish one of everything, wait until it is kept, and return ids for the parameters of requests."""
    sha256 = hashlib.sha256(JPEG).hexdigest()
    frame = CameraFrame(
        sensor_id="cam", zone_id="box", timestamp=NOW, correlation_id="c1", width=64, height=48,
        sha256=sha256, url=f"/frames/{sha256}.jpg",
    )  # fmt: skip
    messaging.publish(Topics.CAMERA_IMAGE.raw, JPEG, key="box", headers=frame_headers(frame))
    messaging.publish(Topics.CAMERA_IMAGE.processed, frame, key="box")
    messaging.publish(Topics.ALERTS, alert_event(), key="basil")
    messaging.publish(Topics.PREDICTIONS, prediction(), key="basil")
    messaging.publish(Topics.ACTION_RESULTS, action_result(), key="pump")
    messaging.publish(Topics.DEAD_LETTERS, dead_letter(), key="t")
    for at in range(3):
        reading = make_reading(timestamp=NOW + 60 * at, quality={"verdict": "good"})
        messaging.publish(Topics.TEMPERATURE.processed, reading, key="box")
    base = f"http://127.0.0.1:{service.port}"
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        session.post(f"{base}/bind_sensor", json=make_descriptor().to_dict(), timeout=5).raise_for_status()
        calibration = {"calibration": {"points": [[0, 0.0], [1, 1.0]]}}
        soil = make_descriptor("soil", "soil_moisture").to_dict()
        session.post(f"{base}/bind_sensor", json=soil, timeout=5).raise_for_status()
        session.patch(f"{base}/sensors/soil", json=calibration, timeout=5).raise_for_status()
        session.put(f"{base}/zones/box", json={"name": "Box"}, timeout=5).raise_for_status()
        session.put(f"{base}/plants/basil", json={"zone_id": "box"}, timeout=5).raise_for_status()
        session.put(f"{base}/policies/basil", json={"enabled": False}, timeout=5).raise_for_status()
        note = {"text": "Repotted.", "plant_id": "basil", "note_id": "note-1"}
        session.post(f"{base}/notes", json=note, timeout=5).raise_for_status()

        def is_kept() -> bool:
            tables = ("alerts", "actions", "predictions", "dead_letters", "frames")
            pages = [session.get(f"{base}/{table}", timeout=5).json()["items"] for table in tables]
            readings = session.post(f"{base}/data/id", json={"sensor_id": "air-t"}, timeout=5).json()
            return all(pages) and len(readings) == 3 and session.get(f"{base}/frames/{sha256}.jpg", timeout=5).ok

        eventually(is_kept, "one of everything is kept")
    return {
        "sha256": sha256,
        "sensor_id": "air-t",
        "plant_id": "basil",
        "data_type": "temperature",
        "correlation_id": f"air-t@{NOW}",
        "alert_id": "alert-1",
        "note_id": "note-1",
        "zone_id": "box",
    }


def alert_event(**more: object) -> AlertEvent:
    """Return an open alert."""
    fields = {
        "alert_id": "alert-1", "key": "soil_dry:basil", "severity": "warning", "description": "The soil is dry.",
        "active": True, "state": "open", "by": "alerts", "timestamp": NOW, "correlation_id": f"air-t@{NOW}",
        "plant_id": "basil",
    }  # fmt: skip
    return AlertEvent.from_dict({**fields, **more})


def prediction() -> Prediction:
    """Return a prediction of two hours."""
    bands = dict.fromkeys(("50", "80", "95"), ((0.2, 0.4), (0.2, 0.4)))
    return Prediction(
        prediction_id="p1", plant_id="basil", model="seasonal", version="1", quantity="soil_moisture",
        made_at=NOW, times=(NOW + 3600, NOW + 7200), mean=(0.3, 0.3), bands=bands, correlation_id="cp1",
    )  # fmt: skip


def action_result() -> ActionResult:
    """Return what became of a dose."""
    command = ActionCommand(
        action_id="a1", actuator_id="pump", command="dose", dose_ml=20.0, issuer="person", timestamp=NOW,
        correlation_id="ca1", plant_id="basil",
    )  # fmt: skip
    return ActionResult(
        action_id="a1", actuator_id="pump", outcome="done", delivered_ml=20.0, on_s=4.0, timestamp=NOW + 5,
        correlation_id="ca1", plant_id="basil", command=command,
    )  # fmt: skip


def dead_letter() -> DeadLetter:
    """Return a record that nobody could use."""
    return DeadLetter(
        reason="undecodable", why="$: is not JSON", topic="t", partition=0, offset=1, size_bytes=1,
        head_base64="ew==", sha256="0" * 64, timestamp=NOW,
    )  # fmt: skip
