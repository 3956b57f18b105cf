"""The emergency stop as the controller keeps it: pressed while the guard is away, it is passed on when it is back."""

from __future__ import annotations

import threading

from dt.controller.guard_client import GuardLink
from dt.controller.guard_types import GuardUnreachableError
from dt.utils.logger import get_logger

log = get_logger(__name__)


class StopButton:
    """Nothing can start in between: without a guard nothing does, and the stop comes before the lease."""

    def __init__(self, guard: GuardLink) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        self._delivering = threading.Lock()  # each press reaches the guard once: a second could follow its release
        self._by: str | None = None
        self._presses = self._delivered = 0

    @property
    def waiting_by(self) -> str | None:
        """Return who pressed it while no guard answered, until one does."""
        with self._lock:
            return self._by if self._presses > self._delivered else None

    def press(self, by: str) -> bool:
        """Stop everything; True when every output is known to be safe, False when the guard has yet to say so."""
        with self._lock:
            if self._presses == self._delivered:
                self._by = by
            self._presses += 1
        try:
            with self._delivering:
                return self._deliver()
        except GuardUnreachableError as error:
            log.warning("the emergency stop by %s waits for the guard: %s", by, error)
            return False

    def deliver(self) -> bool:
        """Press what waits, and return whether every output is safe; False at once while another thread presses it.

        Raises GuardUnreachableError, and then it goes on waiting.
        """
        if not self._delivering.acquire(blocking=False):
            return False
        try:
            return self._deliver()
        finally:
            self._delivering.release()

    def _deliver(self) -> bool:
        with self._lock:
            by, presses = self._by, self._presses
            if presses == self._delivered or by is None:
                return True
        is_quiet = self._guard.emergency_stop(by)
        with self._lock:
            self._delivered = presses
        return is_quiet

    def release(self, by: str) -> None:
        """Release it in a person's name; raises GuardUnreachableError, and then it stays."""
        with self._lock:
            presses = self._presses
        self._guard.release_stop(by)
        with self._lock:
            self._delivered = max(self._delivered, presses)
