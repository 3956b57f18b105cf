"""Messaging inside one process, with the habits of the real log, and a seeded chaos mode that shows its worst ones."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from dt.communication.dead_letters import letter_of
from dt.communication.delivery import Delivery
from dt.communication.memory_log import KEPT_BYTES, KEPT_RECORDS, MemoryLog
from dt.communication.messaging import (
    Handler,
    Outgoing,
    Record,
    Start,
    Transformer,
    UnusableRecordsError,
    to_publish,
)
from dt.communication.topics import TOPIC_TABLE, TopicSpec
from dt.utils.clock import Clock, SystemClock
from dt.utils.codec import Message
from dt.utils.exceptions import MessagingError

_FULL_AT = 10_000  # records that the slowest group may lie behind before publishing blocks
_BLOCKS_AT_MOST_S = 30.0


class Chaos:
    """Seeded misfortune: what at-least-once delivery allows, on every fourth occasion."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - misfortune must be repeatable, not secret
        self._lock = threading.Lock()

    def strikes(self, share: float = 0.25) -> bool:
        """Return whether something goes wrong this time."""
        with self._lock:
            return self._random.random() < share

    def shuffle(self, places: list[tuple[str, int]]) -> None:
        """Let partitions overtake each other."""
        with self._lock:
            self._random.shuffle(places)

    def size(self, most: int) -> int:
        """Return the size of the next batch."""
        with self._lock:
            return self._random.randint(1, max(1, most))


class MemoryMessaging:
    """`MessagingService` on a `MemoryLog`; threads of one process are its clients."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        table: Mapping[str, TopicSpec] = TOPIC_TABLE,
        chaos: Chaos | None = None,
        full_at: int = _FULL_AT,
        kept_records: int = KEPT_RECORDS,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._clock = clock or SystemClock()
        self._log = MemoryLog(table, kept_records=kept_records, kept_bytes=kept_bytes)
        self._changed = threading.Condition()
        self._chaos = chaos
        self._full_at = full_at
        self._members: list[MemorySubscription] = []
        self._is_closed = False

    def publish(
        self,
        topic: str,
        value: Message | bytes | None,
        *,
        key: str | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Keep one record; blocks while the slowest group is too far behind."""
        self.publish_batch([to_publish(topic, value, key, headers)])

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        """Keep several records in order; all are checked before the first is kept."""
        repeated = self._chaos is not None and self._chaos.strikes()
        with self._changed:
            self._require_open()
            self._check(batch)
            self._wait_for_room(batch)
            self._append(batch)
            if repeated:  # a producer that lost an answer sends again
                self._append(batch)

    def flush(self, timeout_s: float = 10.0) -> None:
        """Return at once: what was published is kept."""
        del timeout_s
        self._require_open()

    def subscribe(
        self,
        topics: Sequence[str],
        group: str,
        handler: Handler,
        *,
        start: Start = Start.EARLIEST,
        max_batch: int = 1000,
    ) -> MemorySubscription:
        """Give batches to the handler in a thread of its own."""

        def attempt(member: MemorySubscription, records: Sequence[Record]) -> None:
            letters: list[Outgoing] = []
            try:
                handler(records)
            except UnusableRecordsError as error:
                now = self._clock.wall()
                letters = [letter_of(record, why, now) for record, why in error.unusable]
            if self._chaos is not None and self._chaos.strikes():  # the group moved on before the commit
                with suppress(UnusableRecordsError):
                    handler(records)
            self._commit(member, records, letters)

        return self._join(topics, group, start, max_batch, attempt, None)

    def transform(
        self,
        topics: Sequence[str],
        group: str,
        transformer: Transformer,
        *,
        state_topic: str | None = None,
        max_batch: int = 1000,
    ) -> MemorySubscription:
        """Consume, transform and produce; outputs, state and offsets appear together or not at all."""

        def restore() -> None:
            transformer.restore(self.read_all(state_topic) if state_topic else [])

        def attempt(member: MemorySubscription, records: Sequence[Record]) -> None:
            try:
                if self._chaos is not None and self._chaos.strikes():
                    transformer.transform(records)
                    raise MessagingError("the transaction was aborted")
                outputs = transformer.transform(records)
                with self._changed:
                    self._check(outputs)
            except Exception:
                restore()
                raise
            self._commit(member, records, outputs)

        return self._join(topics, group, Start.EARLIEST, max_batch, attempt, restore)

    def read_all(self, topic: str) -> list[Record]:
        """Return what the topic holds, partition by partition."""
        with self._changed:
            found: list[Record] = []
            for place in self._log.partitions_of([topic]):
                found += self._log.read(place, 0, self._log.end(place))
            return found

    def health(self) -> dict[str, object]:
        """Return that the log is here; it lives and dies with the process."""
        return {"connected": not self._is_closed, "kind": "memory"}

    def close(self) -> None:
        """Stop every subscription; further use is refused."""
        for member in list(self._members):
            member.stop()
        with self._changed:
            self._is_closed = True

    def _join(
        self,
        topics: Sequence[str],
        group: str,
        start: Start,
        max_batch: int,
        attempt: _Attempt,
        restore: _Restore | None,
    ) -> MemorySubscription:
        with self._changed:
            self._require_open()
            self._log.join(group, topics, start)
            member = MemorySubscription(self, tuple(topics), group, max_batch, attempt, restore)
            self._members.append(member)
            self._rebalance(group)
        member.begin()
        return member

    def _leave(self, member: MemorySubscription) -> None:
        with self._changed:
            if member in self._members:
                self._members.remove(member)
            self._rebalance(member.group)

    def _rebalance(self, group: str) -> None:
        """Deal the partitions out by number, as the range assignor does, so that topics stay together."""
        members = [member for member in self._members if member.group == group]
        for index, member in enumerate(members):
            member.generation += 1
            member.places = [
                place for place in self._log.partitions_of(member.topics) if place[1] % len(members) == index
            ]
        self._changed.notify_all()

    def _next_batch(self, member: MemorySubscription) -> list[Record]:
        """Return the member's next records in partition order; waits a moment when there are none."""
        with self._changed:
            batch = self._take(member)
            if not batch and not member.is_stopping:
                self._changed.wait(0.2)
                batch = self._take(member)
            return batch

    def _take(self, member: MemorySubscription) -> list[Record]:
        offsets = self._log.groups[member.group].offsets
        places = [place for place in member.places if self._log.end(place) > offsets[place]]
        room = member.max_batch
        if self._chaos is not None:
            self._chaos.shuffle(places)
            room = self._chaos.size(room)
        share = max(1, room // max(1, len(places)))  # of each, so that topics advance together
        batch: list[Record] = []
        for place in places[:room]:
            batch += self._log.read(place, offsets[place], share)
        return batch

    def _commit(self, member: MemorySubscription, records: Sequence[Record], outputs: Sequence[Outgoing]) -> None:
        with self._changed:
            if not member.is_current:  # a transaction of partitions that were dealt out anew: all of it is read again
                return
            offsets = self._log.groups[member.group].offsets
            for record in records:
                place = (record.topic, record.partition)
                if place in member.places:  # another member has it since a rebalance: it will read again
                    offsets[place] = max(offsets[place], record.offset + 1)
            self._append(outputs)

    def _bury(self, member: MemorySubscription, record: Record, error: Exception) -> None:
        self._commit(member, [record], [letter_of(record, error, self._clock.wall())])

    def _check(self, batch: Sequence[Outgoing]) -> None:
        for outgoing in batch:
            self._log.check(outgoing)

    def _append(self, batch: Sequence[Outgoing]) -> None:
        now = self._clock.wall()
        for outgoing in batch:
            self._log.append(outgoing, now)
        if batch:
            self._changed.notify_all()

    def _wait_for_room(self, batch: Sequence[Outgoing]) -> None:
        if not batch:
            return
        has_room = self._changed.wait_for(
            lambda: self._is_closed or self._log.backlog(batch[0]) < self._full_at, _BLOCKS_AT_MOST_S
        )
        self._require_open()
        if not has_room:
            raise MessagingError(f"{batch[0].topic}: readers are {self._full_at} records behind and do not move")

    def _require_open(self) -> None:
        if self._is_closed:
            raise MessagingError("the log is closed")


class MemorySubscription:
    """One member of a group, in a thread of its own."""

    def __init__(
        self,
        messaging: MemoryMessaging,
        topics: tuple[str, ...],
        group: str,
        max_batch: int,
        attempt: _Attempt,
        restore: _Restore | None,
    ) -> None:
        self.topics = topics
        self.group = group
        self.max_batch = max_batch
        self.places: list[tuple[str, int]] = []
        self.generation = 0
        self._messaging = messaging
        self._restore = restore
        self._restored_at = 0
        self._stop = threading.Event()
        self._delivery = Delivery(
            lambda records: attempt(self, records),
            lambda record, error: messaging._bury(self, record, error),
            lambda pause_s: messaging._clock.wait(self._stop, pause_s),
        )
        self._thread = threading.Thread(target=self._run, name=f"read {group}", daemon=True)

    @property
    def is_running(self) -> bool:
        """Return whether the thread still takes records."""
        return self._thread.is_alive() and not self._stop.is_set()

    @property
    def is_assigned(self) -> bool:
        """Return whether this member has partitions."""
        return bool(self.places)

    @property
    def is_stopping(self) -> bool:
        """Return whether `stop` was called."""
        return self._stop.is_set()

    @property
    def is_current(self) -> bool:
        """Return whether a transformer's state is that of the partitions which the member has now."""
        return self._restore is None or self._restored_at == self.generation

    @property
    def last_lag(self) -> int:
        """Return the same as `lag`, which waits for nothing here."""
        return self.lag()

    def lag(self) -> int:
        """Return how many records of this member's partitions are not committed."""
        with self._messaging._changed:
            offsets = self._messaging._log.groups[self.group].offsets
            return sum(self._messaging._log.end(place) - offsets[place] for place in self.places)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Finish the batch in hand and leave the group."""
        self._stop.set()
        with self._messaging._changed:
            self._messaging._changed.notify_all()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        self._messaging._leave(self)

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._restore is not None and self._restored_at != self.generation:
                self._restored_at = self.generation
                self._restore()
            batch = self._messaging._next_batch(self)
            if batch and self.is_current:
                self._delivery.deliver(batch)


_Attempt = Callable[[MemorySubscription, Sequence[Record]], None]
_Restore = Callable[[], None]
