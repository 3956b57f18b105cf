"""The records of an outbox that wait in memory: taken in, given out in order, let go."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from dt.collector.outbox_bounds import NOTICES, Change, Drop, Limits, Loss, OnLoss
from dt.collector.outbox_record import Kept, size_of
from dt.communication.messaging import Outgoing
from dt.utils.logger import get_logger

log = get_logger("dt.collector.outbox")


class Shelf:
    """Keeps records in memory alone; `DiskShelf` keeps them on disk too. `done` follows every batch, or `give_back`."""

    def __init__(self, limits: Limits, on_loss: OnLoss) -> None:
        self._limits = limits
        self._on_loss = on_loss
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._memory: deque[Kept] = deque()
        self._memory_bytes = 0
        self._most_in_memory = limits.records
        self._next_id = 1
        self._committed = 0  # what has a number up to this one is on disk, or gone
        self._cursor = 0  # what has a number up to this one is done with
        self._in_flight: tuple[int, int] | None = None  # first and last number of what was given out and is not done
        self._writing = 0  # what has a number up to this one may be on its way to the disk
        self._uncounted = (1, 0)  # numbers of an earlier run whose sizes are not known yet
        self._count = 0
        self._bytes = 0
        self._has_arrived = False
        self._is_ending = False
        self.why = ""
        self.dropped = 0

    def start(self) -> None:
        """Begin."""

    def stop(self, timeout_s: float) -> None:
        """End within the time."""
        del timeout_s
        self._is_ending = True

    def cut_power(self) -> None:
        """End as a power cut does."""
        self.stop(0.0)

    def put(self, records: Sequence[Outgoing], mark: str | None = None) -> None:
        """Take records in."""
        with self._lock:
            self._append(records, mark)
            lost = self._room_in_memory()
        self._tell(lost, Loss.FULL)

    def __len__(self) -> int:
        with self._lock:
            first, last = self._uncounted
            return max(0, self._count) + max(0, last - max(first, self._cursor + 1) + 1)

    @property
    def bytes(self) -> int:
        """Return the bytes that wait, as far as they are counted."""
        return self._bytes

    @property
    def in_memory(self) -> int:
        """Return how many records the disk does not have."""
        with self._lock:
            return sum(kept.id > self._committed for kept in self._memory)

    @property
    def unsynced_s(self) -> float:
        """Return how old the oldest record is that a power cut would take from the disk; 0 without any."""
        return 0.0

    def note(self, name: str, text: str) -> None:
        """Keep a short text where records outlive the process."""

    def noted(self) -> dict[str, str]:
        """Return the notes that an earlier run left."""
        return {}

    def rewrite(self, change: Change) -> None:
        """Give marked records that were not yet given out another body, and take the mark off."""
        with self._lock:
            self._rewrite_memory(change)

    def wait(self, timeout_s: float) -> None:
        """Return when something has arrived since the last wait, or the time has passed."""
        with self._lock:
            self._arrived.wait_for(lambda: self._has_arrived, timeout_s)
            self._has_arrived = False

    def wake(self) -> None:
        """Let `wait` return."""
        with self._lock:
            self._has_arrived = True
            self._arrived.notify()

    def next_batch(self, most: int, most_bytes: int) -> list[Kept]:
        """Return the next records in order, oldest first."""
        with self._lock:
            return self._take(most, most_bytes)

    def done(self, batch: Sequence[Kept]) -> None:
        """Let go of records that the log has."""
        with self._lock:
            self._in_flight = None
            self._uncount(batch)
            self._cursor = batch[-1].id
            self._forget(batch[0].id, batch[-1].id)

    def give_back(self) -> None:
        """Put what `next_batch` gave out last back in its place: it may be dropped or corrected again."""
        with self._lock:
            self._in_flight = None

    def _append(self, records: Sequence[Outgoing], mark: str | None) -> None:
        for record in records:
            kept = Kept(self._next_id, record, size_of(record), self._limits.is_bulky(record), mark)
            self._next_id += 1
            self._memory.append(kept)
            self._count += 1
            self._bytes += kept.size
            self._memory_bytes += kept.size
        self._has_arrived = True
        self._arrived.notify()

    def _held(self) -> int:
        """Return up to which number records are done with or given out."""
        return max(self._cursor, self._in_flight[1] if self._in_flight else 0)

    def _is_held(self, number: int) -> bool:
        """Return whether a record is done with or given out."""
        return number <= self._held()

    def _take(self, most: int, most_bytes: int) -> list[Kept]:
        batch: list[Kept] = []
        total = 0
        for kept in self._memory:
            if kept.id <= self._cursor:
                continue
            total += kept.size
            if batch and (total > most_bytes or len(batch) == most):
                break
            batch.append(kept)
        self._in_flight = (batch[0].id, batch[-1].id) if batch else None
        return batch

    def _forget(self, first: int, last: int) -> None:
        del first
        while self._memory and self._memory[0].id <= last:
            self._memory_bytes -= self._memory.popleft().size

    def _uncount(self, records: Sequence[Kept]) -> None:
        first, last = self._uncounted
        for kept in records:
            if not first <= kept.id <= last:
                self._count -= 1
                self._bytes -= kept.size

    def _rewrite_memory(self, change: Change) -> None:
        for kept in self._memory:
            if not self._is_held(kept.id):
                changed(kept, change)

    def _room_in_memory(self) -> list[Kept]:
        """Take out what memory cannot hold, in the order that `drop` says; what is given out already stays."""
        lost: list[Kept] = []
        most_bytes = min(self._limits.memory_bytes, self._limits.bytes)
        while len(self._memory) > self._most_in_memory or self._memory_bytes > most_bytes:
            if self._memory[0].id <= self._committed:  # the disk has it, and gives it out when it is well
                self._memory_bytes -= self._memory.popleft().size
                continue
            victim = self._victim_in_memory()
            if victim is None:
                break
            self._memory.remove(victim)
            self._memory_bytes -= victim.size
            self._uncount([victim])
            lost.append(victim)
        return lost

    def _victim_in_memory(self) -> Kept | None:
        free = [kept for kept in self._memory if kept.id > self._writing and not self._is_held(kept.id)]
        if self._limits.drop is Drop.PICTURES:
            free = [kept for kept in free if kept.bulky] or free
        free = [kept for kept in free if kept.record.topic not in NOTICES] or free
        if not free:
            return None
        return free[-1] if self._limits.drop is Drop.NEWEST else free[0]

    def _tell(self, lost: Sequence[Kept], why: Loss) -> None:
        if lost:
            if why is Loss.FULL:
                self.dropped += len(lost)
                if (self.dropped - len(lost)) // 1000 < self.dropped // 1000 or self.dropped == len(lost):
                    log.error("the outbox is full: %d records were dropped, %s first", self.dropped, self._limits.drop)
            self._on_loss([kept.record for kept in lost], why)


def changed(kept: Kept, change: Change) -> None:
    """Apply a change to a marked record."""
    if kept.mark is not None:
        kept.record, kept.mark = change(kept.record, kept.mark) or kept.record, None
