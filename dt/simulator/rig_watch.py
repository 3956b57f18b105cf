"""Follows `rig.toml`: what appears in it is wired, what vanishes is taken off; a bad file changes nothing."""

from __future__ import annotations

import threading

from dt.simulator.board import BoxWire
from dt.simulator.wiring import wiring
from dt.utils.clock import Clock
from dt.utils.exceptions import ConfigError
from dt.utils.logger import get_logger
from dt.utils.rig import Rig, load_rig

_LOOKS_EVERY_S = 1.0

log = get_logger("dt.simulator.rig_watch")


class RigWatch:
    """Looks at the file once a second."""

    def __init__(self, rig: Rig, wire: BoxWire, clock: Clock) -> None:
        self._path = rig.path
        self._wire = wire
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen = self._look()
        self.refused = ""

    def start(self) -> None:
        """Begin to look."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="rig watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def follow(self) -> None:
        """Take up the file when it has changed; a bad one is refused, with its line, and the old wiring stays."""
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._wire.rewire(wiring(load_rig(self._path)))
        except ConfigError as error:
            self.refused = str(error)
            log.warning("the wiring stays as it was: %s", error)
        except Exception as error:  # the watch must outlive whatever a file makes its readers do
            self.refused = f"{type(error).__name__}: {error}"
            log.exception("the wiring stays as it was")
        else:
            self.refused = ""
            log.info("the box is wired as %s says now", self._path)

    def _run(self) -> None:
        while not self._clock.wait(self._stop, _LOOKS_EVERY_S):
            self.follow()

    def _look(self) -> tuple[float, bytes]:
        """Content beside the time: an editor may write twice within the clock's resolution."""
        try:
            return self._path.stat().st_mtime, self._path.read_bytes()
        except OSError:
            return 0.0, b""
