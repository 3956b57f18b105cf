"""The log in lockstep: `MessagingService` on one thread, delivered when asked, in one order that never varies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dt.communication.dead_letters import letter_of
from dt.communication.messaging import (
    Handler,
    Outgoing,
    Record,
    Start,
    Transformer,
    UnknownTopicError,
    UnusableRecordsError,
    to_publish,
)
from dt.communication.topics import TOPIC_TABLE, Topics
from dt.utils.clock import Clock
from dt.utils.codec import Message
from dt.utils.exceptions import DTError, MessagingError

_KEPT_WHOLE = frozenset({Topics.ALERTS, Topics.REGISTRY})  # read from their begin by whoever starts anew
_MOST_ROUNDS = 1000


class LockstepMessaging:
    """Every topic is one ordered run; `drain` hands records over until nobody has any left.

    Who has read a record has no more use for it: only compacted topics, alerts and the registry are kept.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[str, int] = dict.fromkeys(TOPIC_TABLE, 0)
        self._kept: dict[str, list[Record]] = {topic: [] for topic in _KEPT_WHOLE}
        self._latest: dict[str, dict[str | None, Record]] = {
            topic: {} for topic, spec in TOPIC_TABLE.items() if spec.is_compacted and topic not in _KEPT_WHOLE
        }
        self._members: list[LockstepSubscription] = []
        self._readers: dict[str, list[LockstepSubscription]] = {topic: [] for topic in TOPIC_TABLE}
        self.is_away = False

    def publish(
        self,
        topic: str,
        value: Message | bytes | None,
        *,
        key: str | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Keep one record; raises MessagingError while the log is away."""
        self.publish_batch([to_publish(topic, value, key, headers)])

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        """Keep several records in order; all are checked before the first is kept."""
        self._require_here()
        for outgoing in batch:
            if outgoing.topic not in self._ends:
                raise UnknownTopicError(f"{outgoing.topic}: no such topic")
        self._append(batch)

    def flush(self, timeout_s: float = 10.0) -> None:
        """Return at once: what was published is kept."""
        del timeout_s
        self._require_here()

    def subscribe(
        self,
        topics: Sequence[str],
        group: str,
        handler: Handler,
        *,
        start: Start = Start.EARLIEST,
        max_batch: int = 1000,
    ) -> LockstepSubscription:
        """Give batches to the handler whenever `drain` is called."""

        def attempt(records: Sequence[Record]) -> None:
            try:
                handler(records)
            except UnusableRecordsError as error:
                self._append([letter_of(record, why, self._clock.wall()) for record, why in error.unusable])

        member = LockstepSubscription(self, topics, group, max_batch, attempt, None)
        if start is Start.EARLIEST:
            for topic in topics:
                member.waiting += self._kept.get(topic, []) or list(self._latest.get(topic, {}).values())
        return self._join(member)

    def transform(
        self,
        topics: Sequence[str],
        group: str,
        transformer: Transformer,
        *,
        state_topic: str | None = None,
        max_batch: int = 1000,
    ) -> LockstepSubscription:
        """Consume, transform and produce; a batch that fails begins again from the committed state."""

        def restore() -> None:
            transformer.restore(self.read_all(state_topic) if state_topic else [])

        def attempt(records: Sequence[Record]) -> None:
            try:
                outputs = transformer.transform(records)
            except Exception:
                restore()
                raise
            self._append(outputs)

        return self._join(LockstepSubscription(self, topics, group, max_batch, attempt, restore))

    def read_all(self, topic: str) -> list[Record]:
        """Return what is kept of a topic."""
        self._require_here()
        if topic in self._kept:
            return list(self._kept[topic])
        return list(self._latest.get(topic, {}).values())

    def health(self) -> dict[str, object]:
        """Return whether the log is here."""
        return {"connected": not self.is_away, "kind": "lockstep"}

    def close(self) -> None:
        """Stop every subscription."""
        for member in list(self._members):
            member.stop()

    def drain(self) -> int:
        """Hand records over, reader by reader in the order in which they joined, until all is quiet; return how many.

        Raises RuntimeError when readers go on answering each other for ever.
        """
        handed = 0
        for _round in range(_MOST_ROUNDS):
            if self.is_away:
                return handed
            moved = 0
            for member in list(self._members):  # most have nothing, and this is asked thousands of times a day
                if member.waiting or member.is_new:
                    moved += member.deliver()
            if moved == 0:
                return handed
            handed += moved
        msg = f"the log is not quiet after {_MOST_ROUNDS} rounds"
        raise RuntimeError(msg)

    def bury(self, record: Record, error: Exception) -> None:
        """Put aside a record that its reader can never use."""
        self._append([letter_of(record, error, self._clock.wall())])

    def leave(self, member: LockstepSubscription) -> None:
        """Hand this reader nothing more."""
        if member in self._members:
            self._members.remove(member)
            for topic in member.topics:
                self._readers[topic].remove(member)

    def _join(self, member: LockstepSubscription) -> LockstepSubscription:
        self._members.append(member)
        for topic in member.topics:
            self._readers[topic].append(member)
        return member

    def _append(self, batch: Sequence[Outgoing]) -> None:
        now = self._clock.wall()
        for outgoing in batch:
            topic = outgoing.topic
            offset = self._ends[topic]
            self._ends[topic] = offset + 1
            record = Record(topic, 0, offset, outgoing.key, outgoing.value, outgoing.headers, now)
            if topic in self._kept:
                self._kept[topic].append(record)
            elif topic in self._latest:
                self._latest[topic][outgoing.key] = record
            for reader in self._readers[topic]:
                reader.waiting.append(record)

    def _require_here(self) -> None:
        if self.is_away:
            raise MessagingError("the log is away")


class LockstepSubscription:
    """One reader; it takes its records when `drain` is called."""

    def __init__(
        self,
        messaging: LockstepMessaging,
        topics: Sequence[str],
        group: str,
        max_batch: int,
        attempt: Handler,
        restore: Callable[[], None] | None,
    ) -> None:
        self.topics = tuple(str(topic) for topic in topics)
        self.group = group
        self.waiting: list[Record] = []
        self._messaging = messaging
        self._max_batch = max_batch
        self._attempt = attempt
        self._restore = restore
        self._is_stopped = False

    @property
    def is_new(self) -> bool:
        """Return whether it has yet to take up the committed state."""
        return self._restore is not None

    @property
    def is_running(self) -> bool:
        """Return whether records are still being taken."""
        return not self._is_stopped

    @property
    def is_assigned(self) -> bool:
        """Return whether this reader has its topics: always."""
        return True

    @property
    def last_lag(self) -> int:
        """Return the same as `lag`."""
        return self.lag()

    def lag(self) -> int:
        """Return how many records wait."""
        return len(self.waiting)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Take nothing more."""
        del timeout_s
        self._is_stopped = True
        self._messaging.leave(self)

    def deliver(self) -> int:
        """Take one batch, and return how many records; what cannot be read now waits, what never can is put aside."""
        if self._restore is not None:
            restore, self._restore = self._restore, None
            restore()
        if not self.waiting:
            return 0
        batch, self.waiting = self.waiting[: self._max_batch], self.waiting[self._max_batch :]
        try:
            self._attempt(batch)
        except DTError as error:
            if error.retriable:
                self.waiting[:0] = batch
                return 0
            self._one_by_one(batch)
        return len(batch)

    def _one_by_one(self, batch: Sequence[Record]) -> None:
        for record in batch:
            try:
                self._attempt([record])
            except DTError as error:
                self._messaging.bury(record, error)
