"""Waiting until the registry has told everybody of sensors that were just bound."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from dt.communication.messaging import MessagingService
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.logger import get_logger

_LOOKS_EVERY_S = 0.1

log = get_logger(__name__)


def wait_until_announced(
    messaging: MessagingService, sensor_ids: Iterable[str], clock: Clock, within_s: float = 10.0
) -> bool:
    """Return True once every sensor stands in `dt.registry`, False (and a warning) when that takes too long.

    A reading that overtakes its sensor's record would be judged as one of an unknown sensor.
    """
    wanted = {f"sensor:{sensor_id}" for sensor_id in sensor_ids}
    deadline = clock.monotonic() + within_s
    while missing := wanted - {record.key for record in messaging.read_all(Topics.REGISTRY)}:
        if clock.monotonic() > deadline:
            log.warning("the registry has not told of %s", ", ".join(sorted(missing)))
            return False
        clock.wait(threading.Event(), _LOOKS_EVERY_S)
    return True
