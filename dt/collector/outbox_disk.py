"""The records of an outbox on disk: one thread writes them, and syncs every ten seconds."""

from __future__ import annotations

import copy
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from dt.collector.outbox_bounds import ORDERS, Change, Limits, Loss, OnLoss
from dt.collector.outbox_file import OutboxFile, is_corrupt
from dt.collector.outbox_giving import TAKE_OFF_AT_RANGES, GivingShelf
from dt.collector.outbox_record import Kept
from dt.collector.outbox_shelf import changed
from dt.communication.messaging import Outgoing
from dt.utils.clock import Clock
from dt.utils.logger import get_logger

COMMITS_WITHIN_S = 0.02  # of real time: after that a record waits in memory and its sensor goes on
SYNC_AFTER_S = 10.0  # of the oldest unsynced record: no more is lost by a power cut, and no disk syncs more often
_CACHE_BYTES = 256 * 1024
_TAKE_OFF_AFTER_S = 1.0
_COUNT_AT_ONCE = 2000  # while nobody can put
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0
_LOOKS_EVERY_S = 1.0
_TOLD_EVERY_S = 600.0  # a full disk takes the file again and again, and then no record
_REWRITE_AT_ONCE = 500
_FOLD_IDLE_AT_BYTES = 64 * 1024 * 1024  # nothing unsynced waits: the log may grow longer before it is folded in

log = get_logger("dt.collector.outbox")


class DiskShelf(GivingShelf):
    """A shelf whose records the disk has within a moment, unless it stalls or fails."""

    def __init__(self, clock: Clock, file: OutboxFile, limits: Limits, keep_sent_s: float, on_loss: OnLoss) -> None:
        super().__init__(clock, file, limits, keep_sent_s, on_loss)
        self._notes: dict[str, str] = {}
        self._unsynced_since_s: float | None = None
        self._was_open = False
        self._told, self._told_again_at_s = "", 0.0
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

    def forget_sent(self) -> None:
        """Take what was sent off the closed file."""
        sent = [(first, last) for _at_s, first, last in self._sent]
        self._sent.clear()
        if not sent:
            return
        try:
            with self._file_lock:
                self._file.open()
                self._file.write(gone=sent)
                self._file.close()
        except (sqlite3.Error, OSError) as error:
            self._file.let_go()
            log.warning("what was sent already is sent again by the next run: %s", error)

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

    @property
    def unsynced_s(self) -> float:
        """Return how old the oldest record is that a power cut would take; 0 without any."""
        return self._unsynced_s()

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
        return is_fresh or is_uncounted or bool(self._changes) or len(self._gone) >= TAKE_OFF_AT_RANGES

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
            # As they are now: a change in the middle of a row would be written by half.
            fresh = [copy.copy(kept) for kept in self._memory if kept.id > self._committed]
            through = self._next_id - 1
            is_due = bool(fresh or self._notes) or self._is_ending or self._take_off_is_due()
            gone, notes = (self._gone, self._notes) if is_due else ([], {})
            if is_due:
                self._gone, self._notes = [], {}
            self._writing = through
        if fresh or gone or notes:
            try:
                with self._file_lock:
                    self._file.write(fresh, gone=gone, notes=notes.items())
            except Exception:
                with self._lock:
                    self._gone, self._notes = gone + self._gone, {**notes, **self._notes}
                    self._writing = 0
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
            self._clock.monotonic() - self._gone_since_s >= _TAKE_OFF_AFTER_S or len(self._gone) >= TAKE_OFF_AT_RANGES
        )

    def _expire_sent(self) -> None:
        now_s = self._clock.monotonic()
        while self._sent and now_s - self._sent[0][0] >= self._keep_sent_s:
            _at_s, first, last = self._sent.popleft()
            self._forget(first, last)

    def _trim(self) -> None:
        """Keep of what the disk has only the newest in memory, for a log that is at hand."""
        while self._memory and self._memory_bytes > _CACHE_BYTES and self._memory[0].id <= self._committed:
            self._memory_bytes -= self._memory.popleft().size

    def _apply_changes(self) -> None:
        with self._lock:
            changes = list(self._changes)
        for change in changes:
            after = 0
            while (last := self._rewrite_some(change, after)) is not None:
                after = last
            with self._lock:
                self._changes.remove(change)
        if changes:
            self.wake()  # the sender does not read from the disk before

    def _rewrite_some(self, change: Change, after: int) -> int | None:
        """Rewrite marked records on disk beyond a number; return up to which one, None at the end."""
        with self._file_lock:
            marked = self._file.marked(after, _REWRITE_AT_ONCE)
            with self._lock:
                waiting = [kept for kept in marked if not self._is_held(kept.id)]
            for kept in waiting:
                changed(kept, change)
            self._file.rewrite(waiting)
        return marked[-1].id if marked else None

    def _count_more(self) -> None:
        if self._uncounted[1] < self._uncounted[0]:
            return
        with self._file_lock, self._lock:  # nothing may be sent between counting and taking down the count
            first, last = max(self._uncounted[0], self._cursor + 1), self._uncounted[1]
            begin = max(first, last - _COUNT_AT_ONCE + 1)
            sizes = [self._file.size_of(*span) for span in self._not_done(begin, last)]
            self._count += sum(count for count, _size in sizes)
            self._bytes += sum(size for _count, size in sizes)
            self._uncounted = (first, begin - 1) if first < begin <= last else (1, 0)

    def _make_room(self) -> None:
        for order in ORDERS[self._limits.drop]:
            with self._lock:
                if self._uncounted[1] >= self._uncounted[0]:
                    return
                # What is not on the disk yet takes its turn there: others would go in its place.
                fresh = [kept.size for kept in self._memory if kept.id > self._committed]
                count = self._count - len(fresh) - self._limits.records
                size = self._bytes - sum(fresh) - self._limits.bytes
                after = self._held()
            if count <= 0 and size <= 0:
                return
            with self._file_lock:
                victims = self._take_off(self._file.victims(order, after, max(0, count), max(0, size)))
            self._tell(victims, Loss.FULL)

    def _take_off(self, found: Sequence[Kept]) -> list[Kept]:
        """Take records off memory and disk; what is given out meanwhile stays. Back in their place on an error."""
        with self._lock:
            victims = [kept for kept in found if not self._is_held(kept.id)]
            numbers = {kept.id for kept in victims}
            taken = [kept for kept in self._memory if kept.id in numbers]
            self._set_memory(kept for kept in self._memory if kept.id not in numbers)
        try:
            self._file.write(gone=[(number, number) for number in sorted(numbers)])
        except Exception:
            with self._lock:
                self._set_memory(sorted([*self._memory, *taken], key=lambda kept: kept.id))
            raise
        with self._lock:
            self._uncount(victims)
        return victims

    def _set_memory(self, records: Iterable[Kept]) -> None:
        self._memory = deque(records)
        self._memory_bytes = sum(kept.size for kept in self._memory)

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
                self._fill_up(last)
        except (sqlite3.Error, OSError) as error:
            self._fall_ill(error)
            return False
        with self._lock:
            self._begin(first, last)
        if self.why:
            log.info("the outbox's disk is well again: %s", self._file.path)
        self.why, self._retry_s = "", _FIRST_RETRY_S
        return True

    def _fill_up(self, last: int) -> None:
        """Give the file again what memory still has and the file may have lost, being corrupt."""
        if self._was_open:
            with self._lock:
                missing = [
                    copy.copy(k) for k in [*self._flight, *self._memory] if k.id <= last and not self._is_done(k.id)
                ]
            self._file.fill(missing)

    def _begin(self, first: int, last: int) -> None:
        if not self._was_open:
            self._renumber(last)
            self._was_open = True
        self._uncounted = (first, last)
        waiting = [kept for kept in self._memory if kept.id > last and not self._is_done(kept.id)]
        self._count, self._bytes = len(waiting), sum(kept.size for kept in waiting)
        self._committed = last
        self._is_open = True

    def _renumber(self, last: int) -> None:
        """Move numbers given out before the disk was ever open behind what it turns out to hold."""
        lowest = self._memory[0].id if self._memory else self._next_id
        shift = max(0, last + 1 - lowest)
        for kept in self._memory:
            kept.id += shift
        self._next_id += shift
        if self._in_flight:
            self._in_flight = (self._in_flight[0] + shift, self._in_flight[1] + shift)
        # These are numbers of records that never were on the disk; there they are other records' numbers.
        self._gone, self._ahead = [], []
        self._cursor = self._writing = self._settled = 0

    def _fall_ill(self, error: Exception) -> None:
        if self._is_cut:
            return
        text = f"{self._file.path}: {error}"
        now_s = self._clock.monotonic()
        if not self.why and (text != self._told or now_s >= self._told_again_at_s):
            log.error("the outbox goes on in memory: %s", text)
            self._told, self._told_again_at_s = text, now_s + _TOLD_EVERY_S
        with self._file_lock:
            with self._lock:
                self._is_open = False
            if isinstance(error, sqlite3.Error) and is_corrupt(error):
                self._replace_corrupt(error)
            self._file.let_go()
        with self._lock:
            self.why = text
            self._retry_at_s = self._clock.monotonic() + self._retry_s
            self._retry_s = min(_LONGEST_RETRY_S, 2.0 * self._retry_s)
            self._settled_now.notify_all()

    def _replace_corrupt(self, error: sqlite3.Error) -> None:
        try:
            self._file.replace(error)
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
