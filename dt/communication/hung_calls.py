"""Calls into a library that may never come back: each is left to a thread of its own, and not too many of them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from kafka.errors import KafkaTimeoutError

from dt.utils.logger import get_logger

_MOST_LEFT = 8  # a thread and a client each, some megabytes

log = get_logger(__name__)


def _end_process() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class HungCalls:
    """Makes calls with a limit of time; when too many hang, the process is ended, and its supervisor begins another."""

    def __init__(self, most: int = _MOST_LEFT, end: Callable[[], None] = _end_process) -> None:
        self._most = most
        self._end = end
        self._left: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Return how many calls hang."""
        with self._lock:
            self._left = [thread for thread in self._left if thread.is_alive()]
            return len(self._left)

    def within(self, limit_s: float, call: Callable[[], object]) -> None:
        """Return when the call does, or raise what it raises; KafkaTimeoutError after the limit."""
        failures: list[Exception] = []

        def run() -> None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - raised again by who waits
                failures.append(error)

        thread = threading.Thread(target=run, name="kafka offsets", daemon=True)
        thread.start()
        thread.join(limit_s)
        if thread.is_alive():
            self._leave(thread)
            raise KafkaTimeoutError(f"the group's coordinator does not answer within {limit_s:g} s")
        if failures:
            raise failures[0]

    def _leave(self, thread: threading.Thread) -> None:
        with self._lock:
            self._left.append(thread)
        count = self.count
        if count >= self._most:
            log.error("%d calls to the log never came back: the service ends, to be started anew", count)
            self._end()
