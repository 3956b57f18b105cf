"""Waiting for the registry's word on sensors that were just bound."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dt.communication.announcement import wait_until_announced
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock, SystemClock


def test_it_returns_once_every_sensor_is_announced(messaging: MemoryMessaging) -> None:
    """Sensors stand in the registry as `sensor:<id>`."""
    for name in ("a", "b"):
        messaging.publish(Topics.REGISTRY, b"{}", key=f"sensor:{name}")

    assert wait_until_announced(messaging, ["a", "b"], SystemClock())


def test_it_gives_up_after_its_time(messaging: MemoryMessaging, eventually: Callable[..., None]) -> None:
    """A registry that stays silent is said in the log, and the readings go on."""
    clock = ManualClock()
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(wait_until_announced(messaging, ["a"], clock)))
    thread.start()

    def passes() -> bool:
        clock.advance(1.0)
        return bool(answers)

    eventually(passes, "it gave up")
    thread.join(5.0)
    assert answers == [False]
