"""The records of an outbox on disk: one thread writes them, and syncs every ten seconds."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence

from dt.collector.outbox_bounds import ORDERS, Change, Limits, Loss, OnLoss
from dt.collector.outbox_file import Kept, OutboxFile, is_corrupt
from dt.collector.outbox_shelf import Shelf, changed
from dt.communication.messaging import Outgoing
from dt.utils.clock import Clock
from dt.utils.logger import get_logger

COMMITS_WITHIN_S = 0.02  # of real time: after that a record waits in memory and its sensor goes on
SYNC_AFTER_S = 9.8  # the oldest unsynced record may be 10 s old, and a sync takes a moment
_CACHE_BYTES = 256 * 1024
_TAKE_OFF_AFTER_S = 1.0
_TAKE_OFF_AT_RANGES = 16
_COUNT_AT_ONCE = 5000
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0
_LOOKS_EVERY_S = 1.0
_REWRITE_AT_ONCE = 500
_FOLD_IDLE_AT_BYTES = 64 * 1024 * 1024  # nothing unsynced waits: the log may grow longer before it is folded in

log = get_logger("dt.collector.outbox")


class DiskShelf(Shelf):
    """A shelf whose records the disk has within a moment, unless it stalls or fails."""

    def __init__(self, clock: Clock, file: OutboxFile, limits: Limits, keep_sent_s: float, on_loss: OnLoss) -> None:
        super().__init__(limits, on_loss)
        self._clock = clock
        self._file = file
        self._keep_sent_s = keep_sent_s
        self._most_in_memory = 2**31  # bytes alone count there
        self._work = threading.Condition(self._lock)
        self._settled_now = threading.Condition(self._lock)
        self._file_lock = threading.Lock()
        self._settled = 0  # what has a number up to this one is on disk, or sent
        self._gone: list[tuple[int, int]] = []
        self._gone_since_s = 0.0
        self._sent: deque[tuple[float, int, int]] = deque()  # given to a log that may forget them
        self._notes: dict[str, str] = {}
        self._changes: list[Change] = []
        self._unsynced_since_s: float | None = None
        self._is_open = False
        self._was_open = False
        self._retry_s, self._retry_at_s = _FIRST_RETRY_S, float("-inf")
        self._is_cut = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Open the file, and write from now on."""
        self._try_to_open()
        self._thread = threading.Thread(target=self._run, name="outbox writer", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Write what waits, durably, and close the file."""
        with self._lock:
            self._is_ending = True
            self._work.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def cut_power(self) -> None:
        """End as a power cut does: what was not synced is gone."""
        with self._lock:
            self._is_cut = self._is_ending = True
            self._work.notify()
        if self._thread is not None:
            self._thread.join(10.0)
            self._thread = None

    def put(self, records: Sequence[Outgoing], mark: str | None = None) -> None:
        """Take records in; returns when the disk has them, unsynced, or after 20 ms."""
        with self._lock:
            self._append(records, mark)
            last = self._next_id - 1
            if self._is_open:
                self._work.notify()
                self._settled_now.wait_for(lambda: self._settled >= last or not self._is_open, COMMITS_WITHIN_S)
            lost = self._room_in_memory() if self._settled < last else []
        self._tell(lost, Loss.FULL)

    def note(self, name: str, text: str) -> None:
        """Keep a short text beside the records, with what is written next."""
        with self._lock:
            self._notes[name] = text
            self._work.notify()

    def noted(self) -> dict[str, str]:
        """Return the notes that an earlier run left."""
        if not self._is_open:
            return {}
        with self._file_lock:
            return self._file.notes()

    def rewrite(self, change: Change) -> None:
        """Give marked records that were not yet given out another body, and take the mark off."""
        with self._lock:
            self._rewrite_memory(change, max(self._cursor, self._committed))
            self._changes.append(change)
            self._work.notify()

    @property
    def unsynced_s(self) -> float:
        """Return how old the oldest record is that a power cut would take; 0 without any."""
        return self._unsynced_s()

    def next_batch(self, most: int, most_bytes: int) -> list[Kept]:
        """Return the next records in order, oldest first; `done` has to be called before the next batch."""
        with self._lock:
            first = self._memory[0].id if self._memory else self._next_id
            is_on_disk = self._is_open and self._cursor + 1 < first
        if is_on_disk:
            batch = self._read(first, most, most_bytes)
            if batch:
                return batch
        with self._lock:
            batch = self._take(most, most_bytes)
            if batch and self._is_open:
                self._cursor = batch[-1].id  # while the disk is ill, what it holds is still to be read
            return batch

    def done(self, batch: Sequence[Kept]) -> None:
        """Let go of records that the log has."""
        with self._lock:
            first, last = batch[0].id, batch[-1].id
            self._in_flight = None
            self._uncount(batch)
            if self._keep_sent_s > 0.0 and self._is_open:
                self._sent.append((self._clock.monotonic(), first, last))
            else:
                self._forget(first, last)
                self._settled = max(self._settled, last)
            self._settled_now.notify_all()
            if len(self._gone) >= _TAKE_OFF_AT_RANGES or self._count == 0:
                self._work.notify()

    def _read(self, before: int, most: int, most_bytes: int) -> list[Kept]:
        try:
            with self._file_lock:
                batch = self._file.read(self._cursor, before, most, most_bytes)
                with self._lock:  # before the writer looks for what to drop
                    self._cursor = batch[-1].id if batch else max(self._cursor, before - 1)
                    self._in_flight = (batch[0].id, batch[-1].id) if batch else None
                return batch
        except (sqlite3.Error, OSError) as error:
            self._fall_ill(error)
            return []

    def _forget(self, first: int, last: int) -> None:
        super()._forget(first, last)
        if not self._gone:
            self._gone_since_s = self._clock.monotonic()
        self._gone.append((first, last))

    # --- The writing thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_cut:
            with self._lock:
                self._work.wait_for(self._has_work, min(_LOOKS_EVERY_S, max(0.05, SYNC_AFTER_S - self._unsynced_s())))
                is_ending = self._is_ending
            if self._is_open or self._try_to_open():
                self._guarded(self._write_once)
            if is_ending:
                break
        self._close()

    def _unsynced_s(self) -> float:
        since_s = self._unsynced_since_s
        return 0.0 if since_s is None else self._clock.monotonic() - since_s

    def _has_work(self) -> bool:
        if self._is_ending:
            return True
        if not self._is_open:
            return False
        is_fresh = bool(self._memory) and self._memory[-1].id > self._committed
        is_uncounted = self._uncounted[0] <= self._uncounted[1]
        return is_fresh or is_uncounted or bool(self._changes) or len(self._gone) >= _TAKE_OFF_AT_RANGES

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            if not self._is_cut:
                step()
        except (sqlite3.Error, OSError) as error:
            self._fall_ill(error)

    def _write_once(self) -> None:
        self._commit_fresh()
        self._apply_changes()
        self._count_more()
        self._make_room()
        self._sync_when_due()
        self._tidy()

    def _commit_fresh(self) -> None:
        with self._lock:
            self._expire_sent()
            fresh = [kept for kept in self._memory if kept.id > self._committed]
            through = self._next_id - 1
            is_due = bool(fresh or self._notes) or self._is_ending or self._take_off_is_due()
            gone, notes = (self._gone, self._notes) if is_due else ([], {})
            if is_due:
                self._gone, self._notes = [], {}
        if fresh or gone or notes:
            try:
                with self._file_lock:
                    self._file.write(fresh, gone=gone, notes=notes.items())
            except BaseException:
                with self._lock:
                    self._gone, self._notes = gone + self._gone, {**notes, **self._notes}
                raise
        with self._lock:
            self._committed = max(self._committed, through)
            self._settled = max(self._settled, through)
            if fresh and self._unsynced_since_s is None:
                self._unsynced_since_s = self._clock.monotonic()
            self._trim()
            self._settled_now.notify_all()

    def _take_off_is_due(self) -> bool:
        if not self._gone:
            return False
        return (
            self._clock.monotonic() - self._gone_since_s >= _TAKE_OFF_AFTER_S or len(self._gone) >= _TAKE_OFF_AT_RANGES
        )

    def _expire_sent(self) -> None:
        now_s = self._clock.monotonic()
        while self._sent and (self._is_ending or now_s - self._sent[0][0] >= self._keep_sent_s):
            _at_s, first, last = self._sent.popleft()
            self._forget(first, last)

    def _trim(self) -> None:
        """Keep of what the disk has only the newest in memory, for a log that is at hand."""
        while self._memory and self._memory_bytes > _CACHE_BYTES and self._memory[0].id <= self._committed:
            self._memory_bytes -= self._memory.popleft().size

    def _apply_changes(self) -> None:
        with self._lock:
            changes, self._changes = self._changes, []
            after = self._held()
            for change in changes:
                self._rewrite_memory(change, after)
        for change in changes:
            while True:
                with self._file_lock:
                    marked = self._file.marked(after, _REWRITE_AT_ONCE)
                    for kept in marked:
                        changed(kept, change)
                    self._file.rewrite(marked)
                if not marked:
                    break
                after = marked[-1].id

    def _count_more(self) -> None:
        with self._lock:
            first, last = self._uncounted
            begin = max(first, self._first_waiting(), last - _COUNT_AT_ONCE + 1)
        if last < first:
            return
        with self._file_lock:
            count, size = self._file.size_of(begin, last)
        with self._lock:
            self._count += count
            self._bytes += size
            self._uncounted = (first, begin - 1) if first < begin <= last else (1, 0)

    def _make_room(self) -> None:
        for order in ORDERS[self._limits.drop]:
            with self._lock:
                if self._uncounted[1] >= self._uncounted[0]:
                    return
                count, size = self._count - self._limits.records, self._bytes - self._limits.bytes
            if count <= 0 and size <= 0:
                return
            with self._file_lock:
                victims = self._chosen(order, max(0, count), max(0, size))
                self._file.write(gone=[(kept.id, kept.id) for kept in victims])
            self._tell(victims, Loss.FULL)

    def _chosen(self, order: str, count: int, size: int) -> list[Kept]:
        """Return what has to go, taken off the memory; what is given out meanwhile stays."""
        with self._lock:
            after = self._held()
        found = self._file.victims(order, after, count, size)
        with self._lock:
            victims = [kept for kept in found if kept.id > self._held()]
            numbers = {kept.id for kept in victims}
            self._uncount(victims)
            self._memory = deque(kept for kept in self._memory if kept.id not in numbers)
            self._memory_bytes = sum(kept.size for kept in self._memory)
        return victims

    def _sync_when_due(self) -> None:
        if self._unsynced_since_s is None:
            return
        if self._count == 0 and not self._sent:
            self._unsynced_since_s = None  # the log has them, which is safer than a disk
        elif self._is_ending or self._unsynced_s() >= SYNC_AFTER_S:
            with self._file_lock:
                if not self._file.fold():
                    self._file.write(notes=[("synced", f"{self._clock.wall():.3f}")], sync=True)
            self._unsynced_since_s = None

    def _tidy(self) -> None:
        with self._lock:
            is_empty = self._count == 0 and not self._gone and not self._memory and self._uncounted[1] < 1
        with self._file_lock:
            if not (is_empty and self._file.shrink()):
                self._file.fold(at_bytes=_FOLD_IDLE_AT_BYTES)

    # --- A disk that is ill ----------------------------------------------------------------------------------------

    def _try_to_open(self) -> bool:
        now_s = self._clock.monotonic()
        if now_s < self._retry_at_s and not self._is_ending:
            return False
        try:
            with self._file_lock:
                first, last = self._file.open()
        except (sqlite3.Error, OSError) as error:
            self._fall_ill(error)
            return False
        with self._lock:
            self._begin(first, last)
        if self.why:
            log.info("the outbox's disk is well again: %s", self._file.path)
        self.why, self._retry_s = "", _FIRST_RETRY_S
        return True

    def _begin(self, first: int, last: int) -> None:
        if not self._was_open:
            shift = max(0, last + 1 - self._next_id, last + 1 - (self._memory[0].id if self._memory else self._next_id))
            for kept in self._memory:
                kept.id += shift
            self._next_id += shift
            self._was_open = True
        self._uncounted = (first, last)
        waiting = [kept for kept in self._memory if kept.id > last]
        self._count, self._bytes = len(waiting), sum(kept.size for kept in waiting)
        self._committed = last
        self._is_open = True

    def _fall_ill(self, error: Exception) -> None:
        if self._is_cut:
            return
        text = f"{self._file.path}: {error}"
        if not self.why:
            log.error("the outbox goes on in memory: %s", text)
        with self._file_lock:
            if isinstance(error, sqlite3.Error) and is_corrupt(error):
                self._replace_corrupt(error)
            self._file.let_go()
        with self._lock:
            self.why = text
            self._is_open = False
            self._retry_at_s = self._clock.monotonic() + self._retry_s
            self._retry_s = min(_LONGEST_RETRY_S, 2.0 * self._retry_s)
            self._settled_now.notify_all()

    def _replace_corrupt(self, error: sqlite3.Error) -> None:
        try:
            saved = self._file.move_aside(error)
            self._file.open()
            self._file.write([kept for kept in saved if kept.id > self._cursor])
        except (sqlite3.Error, OSError) as another:
            log.error("the corrupt outbox is not replaced yet: %s", another)  # noqa: TRY400 - one line for a person

    def _close(self) -> None:
        with self._file_lock:
            if self._is_cut:
                self._file.cut_power()
            else:
                self._file.let_go()
        with self._lock:
            self._is_open = False
            self._settled_now.notify_all()
