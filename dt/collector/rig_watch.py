"""The rig file while the collector runs: a change is taken over, a bad one refused while the old rig goes on."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

from dt.utils.clock import Clock
from dt.utils.exceptions import ConfigError
from dt.utils.logger import get_logger
from dt.utils.rig import Rig, parse_rig

_LOOKS_EVERY_S = 2.0

log = get_logger("dt.collector.rig")


class RigWatch:
    """Looks at the file's content every two seconds, and at once when asked to."""

    def __init__(self, path: Path, check: Callable[[Rig], None], follow: Callable[[Rig], None], clock: Clock) -> None:
        self._path = path
        self._check = check
        self._follow = follow
        self._clock = clock
        self._stat: tuple[int, int, int] | None = None
        self._text: str | None = None  # of the rig that holds
        self._refused_text: str | None = None
        self._loaded_at = clock.wall()
        self._read_end, self._write_end = -1, -1
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self.refusal = ""

    def start(self) -> None:
        """Remember the file as it is, and begin."""
        self._stat, self._text = self._now()
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._thread = threading.Thread(target=self._run, name="rig watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._is_stopping = True
        self.look_soon()
        if self._thread is not None:
            self._thread.join(2.0)
            ends, self._read_end, self._write_end = (self._read_end, self._write_end), -1, -1
            for end in ends:
                os.close(end)
            self._thread = None

    def look_soon(self) -> None:
        """Have the file looked at now; takes no lock, so that a signal handler may call it."""
        if self._write_end >= 0:
            os.write(self._write_end, b"!")

    def look(self, *, whatever_stat: bool = False) -> bool:
        """Take the file over if its content changed; return whether it was."""
        try:
            stat, text = self._now(None if whatever_stat else self._stat)
            self._stat = stat
            if text is None or text == self._refused_text:
                return False
            if text == self._text:
                self.refusal, self._refused_text = "", None
                return False
            self._refused_text = text
            rig = parse_rig(text, self._path)
            self._check(rig)
            self._follow(rig)
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            self._refuse(str(error))
            return False
        log.info("%s is taken over: %d sensors", self._path, len(rig.sensors))
        self.refusal, self._refused_text, self._text = "", None, text
        self._loaded_at = self._clock.wall()
        return True

    def health(self) -> dict[str, object]:
        """Return which file holds, since when, and why a newer one does not."""
        return {"file": str(self._path), "loaded_at": self._loaded_at, "refused": self.refusal}

    def _run(self) -> None:
        while not self._is_stopping:
            ready, _, _ = select.select([self._read_end], [], [], _LOOKS_EVERY_S)
            if ready:
                os.read(self._read_end, 4096)
            if not self._is_stopping:
                self.look(whatever_stat=bool(ready))

    def _refuse(self, why: str) -> None:
        if why != self.refusal:
            log.error("the changed rig is refused, the old one goes on: %s", why)
        self.refusal = why

    def _now(self, known: tuple[int, int, int] | None = None) -> tuple[tuple[int, int, int], str | None]:
        """Return what tells one state of the file from another, and its text unless that is known."""
        found = self._path.stat()
        stat = (found.st_mtime_ns, found.st_size, found.st_ino)
        return stat, None if stat == known else self._path.read_text("utf-8")
