"""A thread of its own for what has to be looked at again and again, so that it holds up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dt.utils.clock import Clock
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

log = get_logger(__name__)


class Rounds:
    """Calls one function every `every_s` seconds until stopped; what fails is said once and tried again."""

    def __init__(self, name: str, look: Callable[[], object], clock: Clock, every_s: float = 1.0) -> None:
        self.name = name
        self._every_s = every_s
        self._look = look
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.why = ""  # what keeps it from working

    def start(self) -> Callable[[], None]:
        """Begin, and return what ends it."""
        self._thread.start()
        return self.stop

    def stop(self) -> None:
        """End; what is in hand ends in its own time."""
        self._stop.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        while not self._clock.wait(self._stop, self._every_s):
            try:
                self._look()
            except DTError as error:
                if str(error) != self.why:
                    log.warning("%s: %s", self.name, error)
                self.why = str(error)
            else:
                self.why = ""
