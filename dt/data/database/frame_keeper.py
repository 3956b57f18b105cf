"""Thins the pictures in the background: first the record goes, in one transaction with a note of its file, then that.

So a crash at any instant leaves no record without its file, and the note brings the file's end at the next run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dt.data.database.frame_files import FrameFiles
from dt.data.database.frame_records import FrameRecords
from dt.data.database.frame_thinning import FramePolicy, frames_to_remove
from dt.data.database.steadiness import Steadiness
from dt.utils.clock import Clock
from dt.utils.exceptions import StorageError
from dt.utils.kernel_clock import is_clock_synced
from dt.utils.logger import get_logger

EVERY_S = 600.0
_RECORDS_AT_ONCE = 500  # one short transaction each: recording never waits long

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Thinned:
    """What a run removed."""

    records: int = 0
    files: int = 0
    size_bytes: int = 0


class FrameKeeper:
    """Keeps what the policy keeps; every run is idempotent."""

    def __init__(
        self,
        records: FrameRecords,
        files: FrameFiles,
        clock: Clock,
        policy: FramePolicy,
        count: Callable[[Thinned], None] = lambda _thinned: None,
        is_synced: Callable[[], bool] = is_clock_synced,
    ) -> None:
        self._records = records
        self._files = files
        self._clock = clock
        self._policy = policy
        self._count = count
        self._stop = threading.Event()
        self._steadiness = Steadiness(clock, "pictures are thinned", records.newest_before, is_synced)

    def start(self) -> Callable[[], None]:
        """Thin now and every ten minutes in a thread of its own; what is returned ends that."""
        thread = threading.Thread(target=self._run, name="frame thinning", daemon=True)
        thread.start()

        def stop() -> None:
            self._stop.set()
            thread.join(2.0)

        return stop

    def thin(self) -> Thinned:
        """Remove what the policy does not keep, and return how much that was; raises `StorageError`."""
        records = self._remove_records() if self._steadiness.is_steady() else 0
        files, size_bytes = self._remove_files(self._records.files_to_remove())
        thinned = Thinned(records, files, size_bytes)
        if records or files:
            log.info("pictures thinned: %d records, %d files, %.1f MB", records, files, size_bytes / 1e6)
            self._count(thinned)
        return thinned

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.thin()
            except StorageError as error:
                log.warning("pictures could not be thinned: %s", error)
            self._clock.wait(self._stop, EVERY_S)

    def _remove_records(self) -> int:
        now = self._clock.wall()
        old = self._records.older_than(now - 3600.0 * min(self._policy.all_hours, 24.0 * self._policy.hourly_days))
        gone = frames_to_remove(old, now, self._policy)
        for first in range(0, len(gone), _RECORDS_AT_ONCE):
            self._records.remove(gone[first : first + _RECORDS_AT_ONCE])
        return len(gone)

    def _remove_files(self, names: Sequence[str]) -> tuple[int, int]:
        files = size_bytes = 0
        done: list[str] = []
        for name in names:
            try:
                size = self._files.remove(name, lambda name=name: self._records.is_needed(name))  # type: ignore[misc]
            except StorageError as error:
                log.warning("a picture stays for now: %s", error)
                continue
            done.append(name)
            files += bool(size)
            size_bytes += size or 0
        if done:
            self._records.strike(done)
        return files, size_bytes
