"""Conditions on their way to the log, in order, without ever holding up whoever saw them."""

from __future__ import annotations

from collections import deque

from dt.communication.messaging import MessagingService
from dt.communication.topics import Topics
from dt.utils.dataclasses import AlertCondition
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

_MOST_WAITING = 1000

log = get_logger(__name__)


class ConditionDesk:
    """`say` from any thread; `publish_now` from one."""

    def __init__(self, messaging: MessagingService) -> None:
        self._messaging = messaging
        self._waiting: deque[AlertCondition] = deque(maxlen=_MOST_WAITING)

    @property
    def waiting(self) -> int:
        """Return how many conditions the log has not taken yet."""
        return len(self._waiting)

    def say(self, condition: AlertCondition) -> None:
        """Let people know, soon."""
        if condition.active:
            log.warning("%s", condition.description)
        self._waiting.append(condition)

    def publish_now(self) -> None:
        """Hand over what waits; what the log does not take now waits on."""
        while self._waiting:
            condition = self._waiting[0]
            try:
                self._messaging.publish(Topics.ALERT_CONDITIONS, condition, key=condition.plant_id or condition.zone_id)
            except DTError as error:
                if error.retriable:
                    log.warning("%d conditions wait for the log: %s", self.waiting, error)
                    return
                log.warning("the log will never take the condition %s: %s", condition.key, error)
            self._waiting.popleft()
