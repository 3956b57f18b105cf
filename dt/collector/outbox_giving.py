"""What a shelf on disk gives to the sender: in order from the disk, past it while the disk is ill."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence

from dt.collector.outbox_bounds import Change, Limits, OnLoss
from dt.collector.outbox_file import OutboxFile
from dt.collector.outbox_record import Kept
from dt.collector.outbox_shelf import Shelf
from dt.utils.clock import Clock

TAKE_OFF_AT_RANGES = 16


class GivingShelf(Shelf):
    """The sender's side; `DiskShelf` adds the writer's. The lock on the file is taken before the one on the shelf."""

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
        self._ahead: list[tuple[int, int]] = []  # done beyond the cursor, past what an ill disk kept to itself
        self._gone: list[tuple[int, int]] = []
        self._gone_since_s = 0.0
        self._sent: deque[tuple[float, int, int]] = deque()  # given to a log that may forget them
        self._flight: list[Kept] = []
        self._changes: list[Change] = []
        self._is_open = False

    def next_batch(self, most: int, most_bytes: int) -> list[Kept]:
        """Return the next records in order, oldest first; `done` has to be called before the next batch."""
        while True:
            with self._lock:
                if not self._is_open or self._at_hand() == self._cursor + 1:
                    return self._take(most, most_bytes)
                if self._changes:
                    return []  # what the disk has is to be corrected first
            batch = self._read(most, most_bytes)
            if batch:
                return batch

    def done(self, batch: Sequence[Kept]) -> None:
        """Let go of records that the log has."""
        with self._lock:
            first, last = batch[0].id, batch[-1].id
            self._in_flight, self._flight = None, []
            self._uncount(batch)
            self._mark_done(first, last)
            if self._keep_sent_s > 0.0 and self._is_open:
                self._sent.append((self._clock.monotonic(), first, last))
            else:
                self._forget(first, last)
                self._settled = max(self._settled, last)
            self._settled_now.notify_all()
            if len(self._gone) >= TAKE_OFF_AT_RANGES or self._count == 0:
                self._work.notify()

    def give_back(self) -> None:
        """Put what `next_batch` gave out last back in its place."""
        super().give_back()
        with self._lock:
            self._flight = []

    def rewrite(self, change: Change) -> None:
        """Give marked records that were not yet given out another body, and take the mark off."""
        with self._lock:
            self._rewrite_memory(change)
            self._changes.append(change)
            self._work.notify()

    def _fall_ill(self, error: Exception) -> None:
        """Go on in memory."""
        raise NotImplementedError

    def _read(self, most: int, most_bytes: int) -> list[Kept]:
        """Return what the disk has before the next record at hand; without any, the cursor moves up to that one."""
        try:
            with self._file_lock:
                with self._lock:
                    after, before = self._cursor, self._at_hand()
                    if not self._is_open or before == after + 1:
                        return []
                batch = self._file.read(after, before, most, most_bytes)
                with self._lock:
                    self._move_cursor(batch[0].id - 1 if batch else before - 1)
                    self._give(batch)
                return batch
        except (sqlite3.Error, OSError) as error:
            self._fall_ill(error)
            return []

    def _take(self, most: int, most_bytes: int) -> list[Kept]:
        """Take a run without holes: what is missing in between may be on the disk."""
        batch: list[Kept] = []
        total = 0
        for kept in self._memory:
            if self._is_done(kept.id):
                continue
            total += kept.size
            if batch and (total > most_bytes or len(batch) == most or kept.id != batch[-1].id + 1):
                break
            batch.append(kept)
        self._give(batch)
        return batch

    def _give(self, batch: list[Kept]) -> None:
        self._in_flight = (batch[0].id, batch[-1].id) if batch else None
        self._flight = batch

    def _at_hand(self) -> int:
        """Return the first number beyond the cursor that need not be asked of the disk."""
        in_memory = next((kept.id for kept in self._memory if kept.id > self._cursor), self._next_id)
        return min(in_memory, self._ahead[0][0]) if self._ahead else in_memory

    def _mark_done(self, first: int, last: int) -> None:
        if first <= self._cursor + 1:
            self._move_cursor(last)
        elif self._ahead and self._ahead[-1][1] + 1 == first:
            self._ahead[-1] = (self._ahead[-1][0], last)
        else:
            self._ahead.append((first, last))

    def _move_cursor(self, number: int) -> None:
        self._cursor = max(self._cursor, number)
        while self._ahead and self._ahead[0][0] <= self._cursor + 1:
            self._cursor = max(self._cursor, self._ahead.pop(0)[1])

    def _is_done(self, number: int) -> bool:
        return number <= self._cursor or any(first <= number <= last for first, last in self._ahead)

    def _is_held(self, number: int) -> bool:
        in_flight = self._in_flight is not None and self._in_flight[0] <= number <= self._in_flight[1]
        return in_flight or self._is_done(number)

    def _not_done(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Return the parts of a range, beyond the cursor, that were not done ahead."""
        for begin, end in self._ahead:
            if first < begin and first <= last:
                yield first, min(last, begin - 1)
            first = max(first, end + 1)
        if first <= last:
            yield first, last

    def _forget(self, first: int, last: int) -> None:
        super()._forget(first, last)
        if not self._gone:
            self._gone_since_s = self._clock.monotonic()
        if self._gone and self._gone[-1][1] + 1 == first and not self._is_open:
            self._gone[-1] = (self._gone[-1][0], last)
        else:
            self._gone.append((first, last))
