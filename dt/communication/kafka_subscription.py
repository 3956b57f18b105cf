"""A member of a consumer group in a thread of its own: reads, delivers, commits, and begins anew after any trouble."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import KafkaError, KafkaTimeoutError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata

from dt.communication.delivery import Delivery
from dt.communication.kafka_clients import Clients
from dt.communication.kafka_errors import FENCED, MissingTopicError
from dt.communication.kafka_options import KafkaOptions
from dt.communication.messaging import Record, Start
from dt.utils.clock import Clock
from dt.utils.exceptions import MessagingError
from dt.utils.logger import get_logger

_POLL_MS = 200
_LAG_WITHIN_S = 0.4
_LAG_EVERY_S = 1.0
_COUNTS_WITHIN_MS = 1_000  # the broker answers behind the fetch that waits for records, half a second later at worst
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_LOOKS_EVERY_S = 0.5  # for a broker that is away
_TAKEN_AT = attrgetter("timestamp")

log = get_logger(__name__)

_T = TypeVar("_T")
Offsets = dict[TopicPartition, OffsetAndMetadata]


class Work(Protocol):
    """What a member does with its records; called in its thread alone."""

    def assigned(self, consumer: Any) -> None:
        """Prepare for the partitions that the member has now."""
        ...

    def attempt(self, records: Sequence[Record]) -> None:
        """Handle a batch, all or nothing, or idempotently."""
        ...

    def bury(self, record: Record, error: Exception) -> None:
        """Keep a record that nobody can use as a dead letter, durably."""
        ...

    def handled(self, consumer: Any, records: Sequence[Record], should_end: Callable[[], bool]) -> None:
        """Commit the offsets of a batch that was dealt with."""
        ...

    def close(self) -> None:
        """Let go of what the work itself opened."""
        ...


class KafkaSubscription:
    """A running member of a group; survives broker outages and rebalances."""

    def __init__(
        self,
        clients: Clients,
        topics: Sequence[str],
        group: str,
        identity: str,
        max_batch: int,
        start: Start,
        work: Work,
        clock: Clock,
    ) -> None:
        self.group = group
        self.identity = identity
        self._clients = clients
        self._options = clients.options
        self._topics = [clients.options.prefix + topic for topic in topics]
        self._max_batch = max_batch
        self._start = start
        self._work = work
        self._clock = clock
        self._stop = threading.Event()
        self._members = _Membership()
        self._settled_generation = -1
        self._told = ""
        self._lost: KafkaError | None = None
        self._lag = _Question()
        self._counts_lag_at: float | None = None  # nobody watches it yet
        self._consumer: Any = None
        self._delivery = Delivery(work.attempt, work.bury, self._rest)
        self._thread = threading.Thread(target=self._run, name=f"read {group}", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Return whether records are still being taken."""
        return self._thread.is_alive() and not self._stop.is_set()

    @property
    def is_assigned(self) -> bool:
        """Return whether the group has given this member partitions, and it is ready for them."""
        return self._members.has_partitions and self._settled_generation == self._members.generation

    @property
    def last_lag(self) -> int:
        """Return at once what `lag` was when the reader last had time to count: every second from the first call on."""
        if self._counts_lag_at is None:
            self._counts_lag_at = self._clock.monotonic()
        return self._lag.last

    def lag(self) -> int:
        """Return how many records of this member's partitions are not committed; the last answer where none comes."""
        return self._lag.ask(_LAG_WITHIN_S) if self.is_running and self.is_assigned else self._lag.last

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the batch in hand is dealt with, and leave the group."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stop.is_set():
            began = self._clock.monotonic()
            try:
                self._read()
            except FENCED as error:
                log.error(  # noqa: TRY400 - a person's doing, no fault of the program
                    "%s: another process is instance %s (INSTANCE): %s", self.group, self._options.instance, error
                )
                break
            except Exception as error:  # noqa: BLE001 - whatever the client met, the stream must go on
                self._tell(error)
            lasted_s = self._clock.monotonic() - began
            pause_s = _FIRST_PAUSE_S if lasted_s > _LONGEST_PAUSE_S else min(2 * pause_s, _LONGEST_PAUSE_S)
            self._clock.wait(self._stop, pause_s)
        self._members.forget()
        self._work.close()

    def _tell(self, error: Exception) -> None:
        """Log why reading begins anew: the same reason once, and where it came from when nobody expected it."""
        text = f"{type(error).__name__}: {error}"
        if text != self._told:
            expected = isinstance(error, (KafkaError, MessagingError, OSError))
            log.warning("reading %s begins anew: %s", self.group, text, exc_info=None if expected else error)
        self._told = text

    def _read(self) -> None:
        consumer = connected(self._options, self._stop.is_set, self._clock, self._make_consumer)
        if consumer is None:
            return
        self._consumer = consumer
        try:
            while not self._stop.is_set():
                self._step(consumer)
        finally:
            self._consumer = None
            consumer.close(autocommit=False, timeout_ms=1_000)
        self._leave()

    def _make_consumer(self) -> Any:
        self._members.forget()
        self._lost = None
        self._settled_generation = -1
        consumer = self._clients.member(self.group, self.identity, self._start)
        consumer.subscribe(topics=self._topics, listener=self._members)
        # Partitions have to be known before the group is joined, or it would share out nothing.
        missing = set(self._topics) - consumer.topics()
        if missing:
            consumer.close(autocommit=False, timeout_ms=1_000)
            raise MissingTopicError(f"{', '.join(sorted(missing))}: not there yet; see make kafka-topics")
        return consumer

    def _step(self, consumer: Any) -> None:
        polled = consumer.poll(timeout_ms=_POLL_MS)
        consumer.ensure_identity()
        generation = self._members.generation
        if self._settled_generation != generation:
            self._work.assigned(consumer)
            self._settled_generation = generation
        if polled:
            records = self._merged(polled)
            self._lag.last = len(records)  # at least, while the handler is at work
            self._deliver(consumer, records)
        if self._lost is not None:
            raise MessagingError(f"lost its place while it waited: {self._lost}") from self._lost
        if self._lag.is_asked:
            with suppress(KafkaTimeoutError):  # a broker that does not answer is no reason to begin reading anew
                self._lag.answer(_behind(consumer, _ends_of))
        elif self._counts_lag_at is not None and self._clock.monotonic() >= self._counts_lag_at:
            self._lag.last = _behind(consumer, _known_ends_of)
            self._counts_lag_at = self._clock.monotonic() + _LAG_EVERY_S

    def _deliver(self, consumer: Any, records: list[Record]) -> None:
        """Deal with everything that was fetched, batch by batch; what is dropped will be fetched again."""
        for first in range(0, len(records), self._max_batch):
            batch = records[first : first + self._max_batch]
            if self._should_drop() or not self._delivery.deliver(batch):
                return
            self._work.handled(consumer, batch, self._should_drop)

    def _merged(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> list[Record]:
        """Return records in the order in which the log took them; within a partition its order always holds."""
        cut, record_of = len(self._options.prefix), self._clients.record_of
        runs = [[record_of(raw, cut) for raw in run] for run in polled.values()]
        if len(runs) == 1:
            return runs[0]
        records = list(chain.from_iterable(runs))
        # The broker's clock may have been set back within a run: what came later counts as no earlier.
        taken_at = list(chain.from_iterable(accumulate(map(_TAKEN_AT, run), max) for run in runs))
        return [records[place] for place in sorted(range(len(records)), key=taken_at.__getitem__)]

    def _should_drop(self) -> bool:
        return self._stop.is_set() or self._members.generation != self._settled_generation

    def _rest(self, pause_s: float) -> bool:
        """Wait as a living member of the group; True when the batch in hand is no longer to be delivered."""
        consumer = self._consumer
        if consumer is None or self._should_drop():
            return True
        until = self._clock.monotonic() + pause_s
        try:
            consumer.pause(*consumer.assignment())
            while self._clock.monotonic() < until and not self._should_drop():
                if consumer.poll(timeout_ms=20):
                    raise RebalanceInProgressError("records of other partitions came, which nobody takes now")
            consumer.resume(*consumer.assignment())
        except KafkaError as error:
            self._lost = error
            self._members.forget()
        return self._should_drop()

    def _leave(self) -> None:
        """Give the partitions back at once; the client itself never does so for a member with a static identity."""
        if not self._options.is_reachable():
            return
        try:
            admin = KafkaAdminClient(**self._options.client("leave"))
            try:
                member = MemberToRemove(group_instance_id=self.identity)
                admin.remove_group_members(f"{self._options.prefix}{self.group}", [member])
            finally:
                admin.close()
        except KafkaError as error:
            log.info("%s could not leave its group, which notices by itself: %s", self.group, error)


class _Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # the client has no types
    """Counts the group's changes as this member sees them."""

    def __init__(self) -> None:
        self.generation = 0
        self.has_partitions = False

    def on_partitions_revoked(self, revoked: object) -> None:
        """Note that the batch in hand belongs to nobody now."""
        del revoked
        self.forget()

    def on_partitions_assigned(self, assigned: Sequence[object]) -> None:
        """Note what the member has from now on."""
        self.generation += 1
        self.has_partitions = bool(assigned)

    def forget(self) -> None:
        """Have no partitions."""
        self.generation += 1
        self.has_partitions = False


class _Question:
    """A number that one thread asks for and another works out when it has time."""

    def __init__(self) -> None:
        self.last = 0
        self._asked = threading.Event()
        self._answered = threading.Event()

    @property
    def is_asked(self) -> bool:
        """Return whether someone waits."""
        return self._asked.is_set()

    def ask(self, timeout_s: float) -> int:
        """Return a fresh answer, or the last one when it takes too long."""
        self._answered.clear()
        self._asked.set()
        self._answered.wait(timeout_s)
        return self.last

    def answer(self, value: int) -> None:
        """Give it to who waits."""
        self.last = value
        self._asked.clear()
        self._answered.set()


def connected(options: KafkaOptions, should_end: Callable[[], bool], clock: Clock, make: Callable[[], _T]) -> _T | None:
    """Return what `make` makes once the broker answers, however long that takes; None when told to end."""
    nobody = threading.Event()
    pause_s = _FIRST_PAUSE_S
    is_told = False
    while not should_end():
        if options.is_reachable():
            try:
                return make()
            except KafkaError as error:
                log.warning("the broker at %s answers, but not well: %s", ",".join(options.servers), error)
        elif not is_told:
            log.warning("no broker at %s; waiting for it", ",".join(options.servers))
            is_told = True
        clock.wait(nobody, pause_s)
        pause_s = min(pause_s * 2, _LOOKS_EVERY_S)
    return None


def offsets_after(records: Sequence[Record], prefix: str) -> Offsets:
    """Return what to commit once these records are dealt with."""
    last: dict[tuple[str, int], int] = {}
    for record in records:
        last[record.topic, record.partition] = record.offset
    return {
        TopicPartition(prefix + topic, number): OffsetAndMetadata(offset + 1, "", -1)
        for (topic, number), offset in last.items()
    }


def _behind(consumer: Any, ends_of: Callable[[Any, Sequence[TopicPartition]], Mapping[TopicPartition, int]]) -> int:
    places = list(consumer.assignment())
    if not places:
        return 0
    ends = ends_of(consumer, places)
    return sum(max(0, ends[place] - (consumer.position(place, timeout_ms=_COUNTS_WITHIN_MS) or 0)) for place in places)


def _ends_of(consumer: Any, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    found: Mapping[TopicPartition, int] = consumer.end_offsets(places, timeout_ms=_COUNTS_WITHIN_MS)
    return found


def _known_ends_of(consumer: Any, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    return {place: consumer.highwater(place) or 0 for place in places}
