"""Batches stand back while someone waits for an answer.

A request wants the interpreter a dozen times, and a thread that is at work on thousands of records lets go of it only
after `sys.setswitchinterval` each time. So that thread asks between small pieces whether it had better wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

_YOUNG_S = 0.03  # a request that takes longer is no quick question, and batches go on beside it
_WAITS_PER_WORK = 3.0  # whoever gives way still gets a quarter of the time, however many ask


class Precedence:
    """Counts requests under way; `give_way` is for the one thread that works in batches."""

    def __init__(self, young_s: float = _YOUNG_S) -> None:
        self._young_s = young_s
        self._young_until_s: dict[Hashable, float] = {}
        self._lock = threading.Lock()
        self._is_free = threading.Event()
        self._is_free.set()
        self._works_since_s = time.monotonic()

    @property
    def is_asked(self) -> bool:
        """Return whether someone has begun to wait for an answer, and nobody knows yet that it takes long."""
        return not self._is_free.is_set()

    def begin(self, request: Hashable) -> None:
        """Note that an answer is waited for."""
        with self._lock:
            self._young_until_s[request] = time.monotonic() + self._young_s
            self._is_free.clear()

    def end(self, request: Hashable) -> None:
        """Note that it was given; a request that never began is none."""
        with self._lock:
            self._young_until_s.pop(request, None)
            now = time.monotonic()
            if all(until_s <= now for until_s in self._young_until_s.values()):
                self._is_free.set()

    def give_way(self) -> None:
        """Wait for young requests to end, for at most three times as long as was worked since the last wait."""
        if not self.is_asked:
            return
        now = time.monotonic()
        with self._lock:
            young_s = max(self._young_until_s.values(), default=0.0) - now
        wait_s = min(young_s, _WAITS_PER_WORK * (now - self._works_since_s))
        if wait_s > 0.0:
            self._is_free.wait(wait_s)
            self._works_since_s = time.monotonic()
