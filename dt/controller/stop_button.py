"""The emergency stop as the controller keeps it: pressed while the guard is away, it is passed on when it is back."""

from __future__ import annotations

import threading

from dt.controller.guard_client import GuardLink
from dt.controller.guard_types import GuardUnreachableError
from dt.utils.logger import get_logger

log = get_logger(__name__)


class StopButton:
    """Nothing can start in between: outputs without a guard are off, and the stop comes before the lease."""

    def __init__(self, guard: GuardLink) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        self._waiting_by: str | None = None

    @property
    def waiting_by(self) -> str | None:
        """Return who pressed it while no guard answered, until one does."""
        return self._waiting_by

    def press(self, by: str) -> bool:
        """Stop everything; True when every output is known to be safe, False when the guard has yet to say so."""
        with self._lock:
            self._waiting_by = self._waiting_by or by
        try:
            return self.deliver()
        except GuardUnreachableError as error:
            log.warning("the emergency stop by %s waits for the guard: %s", by, error)
            return False

    def deliver(self) -> bool:
        """Press what waits; raises GuardUnreachableError, and then it goes on waiting."""
        by = self._waiting_by
        if by is None:
            return True
        is_quiet = self._guard.emergency_stop(by)
        with self._lock:
            self._waiting_by = None
        return is_quiet

    def release(self, by: str) -> None:
        """Release it in a person's name; raises GuardUnreachableError, and then it stays."""
        self._guard.release_stop(by)
        with self._lock:
            self._waiting_by = None
