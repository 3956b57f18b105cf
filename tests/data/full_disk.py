"""A file system with no room, and what a service says of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.utils.dataclasses import AlertCondition


def fill(folder: Path) -> Path:
    """Leave no room on a file system."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return ballast


def conditions(messaging: MemoryMessaging) -> list[bool]:
    """Return what was said of the disk: full or not."""
    return [
        condition.active
        for record in messaging.read_all(Topics.ALERT_CONDITIONS)
        if (condition := AlertCondition.from_json(record.value or b"")).key == "storage_full"
    ]
