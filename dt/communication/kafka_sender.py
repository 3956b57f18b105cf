"""Records on their way to the broker: a bounded queue, one thread, and no record forgotten before it is durable."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureRecordMetadata

from dt.communication.kafka_errors import REFUSALS, RecordRefusedError
from dt.utils.exceptions import MessagingError
from dt.utils.logger import get_logger

LIMIT_BYTES = 32 * 1024 * 1024
LIMIT_RECORDS = 100_000
_BLOCKS_AT_MOST_S = 30.0
_SILENCE_S = 3.0
_JOIN_TIMEOUT_S = 1.0

log = get_logger(__name__)


class Sendable(NamedTuple):
    """A record in the client's own terms."""

    topic: str
    value: bytes | None
    key: bytes | None
    headers: list[tuple[str, bytes]]
    size: int


class Connect(Protocol):
    """Makes a producer."""

    def __call__(self, should_end: Callable[[], bool]) -> KafkaProducer | None:
        """Return a connected producer, however long it takes, or None when it should end."""
        ...


class RecordSender:
    """Sends what is put, in order, through broker outages and refused records.

    An idempotent producer fails every send after one refused record: it is then made anew, what was not acknowledged is
    sent again, and the refused record alone is left out and reported by `flush`.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        limit_bytes: int = LIMIT_BYTES,
        limit_records: int = LIMIT_RECORDS,
        blocks_at_most_s: float = _BLOCKS_AT_MOST_S,
    ) -> None:
        self._connect = connect
        self._limit_bytes = limit_bytes
        self._limit_records = limit_records
        self._blocks_at_most_s = blocks_at_most_s
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._settled = threading.Condition(self._lock)
        self._queue: list[Sendable] = []
        self._unacknowledged: deque[tuple[FutureRecordMetadata, Sendable]] = deque()
        self._armed: FutureRecordMetadata | None = None
        self._pending = 0
        self._pending_bytes = 0
        self._put = 0
        self._done = 0
        self._refused: list[str] = []
        self._is_closing = False
        self._gives_up = False
        self._is_silent = False
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> int:
        """Return how many records are not yet durable."""
        return self._pending

    def put(self, batch: Sequence[Sendable]) -> None:
        """Queue records; blocks while too many wait, and raises MessagingError when that lasts."""
        if not batch:
            return
        size = sum(item.size for item in batch)
        with self._lock:
            if not self._has_room() and not self._settled.wait_for(self._has_room, self._blocks_at_most_s):
                raise MessagingError(f"the broker does not take records: {self._pending} are waiting")
            if self._is_closing:
                raise MessagingError("the connection to the log is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="kafka sender", daemon=True)
                self._thread.start()
            self._queue.extend(batch)
            self._put += len(batch)
            self._pending += len(batch)
            self._pending_bytes += size
            self._work.notify()

    def flush(self, timeout_s: float) -> None:
        """Return when all that was put is durable; raises MessagingError with what was refused or still waits."""
        with self._lock:
            target = self._put
            settled = self._settled.wait_for(lambda: self._done >= target, timeout_s)
            refused, self._refused = self._refused, []
            waiting = target - self._done
        if refused:
            kind = RecordRefusedError if settled else MessagingError  # the rest may still need another flush
            raise kind(f"{len(refused)} records were refused, the first: {refused[0]}")
        if not settled:
            raise MessagingError(f"{waiting} records are not yet durable after {timeout_s} s")

    def settle(self, timeout_s: float) -> bool:
        """Return whether all that was put so far was taken or refused within the time."""
        with self._lock:
            target = self._put
            return self._settled.wait_for(lambda: self._done >= target, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Send what waits, for at most this long, and end."""
        self.settle(timeout_s)
        with self._lock:
            self._is_closing = True
            self._gives_up = self._pending > 0
            if self._gives_up:
                log.error("%d records could not be sent before the end", self._pending)
            self._work.notify_all()
            self._settled.notify_all()
        if self._thread is not None:
            self._thread.join(_JOIN_TIMEOUT_S)

    def _has_room(self) -> bool:
        fits = self._pending_bytes < self._limit_bytes and self._pending < self._limit_records
        return fits or self._is_closing

    def _should_end(self) -> bool:
        return self._gives_up or (self._is_closing and self._pending == 0)

    def _run(self) -> None:
        while not self._should_end():
            producer = self._connect(self._should_end)
            if producer is None:
                return
            error: Exception | None = None
            try:
                self._pump(producer)
            except KafkaError as failure:
                error = failure
            finally:
                let_go(producer)
            if error is not None:
                self._begin_anew(error)

    def _pump(self, producer: KafkaProducer) -> None:
        """Send and reap until the end; a failed record's error ends this producer."""
        while not self._should_end():
            self._reap()
            with self._lock:
                if not self._queue and not self._head_is_done() and not self._should_end():
                    self._tell_of_silence(is_silent=not self._work.wait(_SILENCE_S) and bool(self._unacknowledged))
                batch, self._queue = self._queue, []
            self._send(producer, batch)

    def _tell_of_silence(self, *, is_silent: bool) -> None:
        """Log when the broker begins and ceases to leave records unanswered; the client reconnects by itself."""
        if is_silent and not self._is_silent:
            log.warning("the broker does not answer; %d records wait for it", self._pending)
        elif self._is_silent and not is_silent:
            log.info("the broker answers again")
        self._is_silent = is_silent

    def _send(self, producer: KafkaProducer, batch: Sequence[Sendable]) -> None:
        for index, item in enumerate(batch):
            try:
                future = self._send_one(producer, item)
            except Exception:
                self._put_back(batch[index:])
                raise
            if future is not None:
                self._unacknowledged.append((future, item))

    def _send_one(self, producer: KafkaProducer, item: Sendable) -> FutureRecordMetadata | None:
        while True:
            try:
                return producer.send(item.topic, item.value, item.key, item.headers)
            except KafkaTimeoutError as error:
                log.warning("%s takes no records yet (see make kafka-topics): %s", item.topic, error)
                if self._should_end():
                    raise
            except (*REFUSALS, ValueError, TypeError) as error:
                self._refuse(item, error)
                return None

    def _reap(self) -> None:
        """Take acknowledged records off the list, oldest first."""
        count = size = 0
        waiting = self._unacknowledged
        try:
            while waiting and waiting[0][0].is_done:
                future, item = waiting[0]
                if future.failed():
                    raise future.exception or KafkaError("a record was lost on its way")
                waiting.popleft()
                count += 1
                size += item.size
        finally:
            self._note_done(count, size)
        if waiting and self._armed is not waiting[0][0]:
            oldest = waiting[0][0]
            self._armed = oldest
            oldest.add_both(self._wake)

    def _head_is_done(self) -> bool:
        return bool(self._unacknowledged) and bool(self._unacknowledged[0][0].is_done)

    def _wake(self, *_: object) -> None:
        with self._lock:
            self._work.notify()

    def _note_done(self, count: int, size: int) -> None:
        if count:
            with self._lock:
                self._done += count
                self._pending -= count
                self._pending_bytes -= size
                self._settled.notify_all()

    def _begin_anew(self, error: Exception) -> None:
        """Put what was not acknowledged back in front; where one record was refused, find and leave out that one."""
        kept, refusal = self._not_taken()
        if refusal is not None:
            self._sift(kept, refusal)
            return
        log.warning("the producer is made anew, %d records are sent again: %s", len(kept), error)
        self._put_back(kept)

    def _not_taken(self) -> tuple[list[Sendable], Exception | None]:
        """Return the records without acknowledgement and the first refusal among them; count the others as done."""
        kept: list[Sendable] = []
        refusal: Exception | None = None
        count = size = 0
        for future, item in self._unacknowledged:
            if future.is_done and not future.failed():
                count += 1
                size += item.size
                continue
            kept.append(item)
            if refusal is None and isinstance(future.exception, REFUSALS):
                refusal = future.exception
        self._unacknowledged.clear()
        self._armed = None
        self._note_done(count, size)
        return kept, refusal

    def _sift(self, items: list[Sendable], error: Exception) -> None:
        """Halve until each refused record is alone; order is kept because pieces are sent one after the other."""
        pieces: list[tuple[list[Sendable], Exception | None]] = [(items, error)]
        while pieces:
            piece, failure = pieces.pop()
            if failure is None:
                kept, failure = self._try(piece)
                if failure is not None:
                    pieces.append((kept, failure))
                elif kept:
                    self._put_back(kept + [item for rest, _ in reversed(pieces) for item in rest])
                    return
            elif len(piece) == 1:
                self._refuse(piece[0], failure)
            else:
                middle = len(piece) // 2
                pieces += [(piece[middle:], None), (piece[:middle], None)]

    def _put_back(self, items: Sequence[Sendable]) -> None:
        with self._lock:
            self._queue[:0] = items

    def _try(self, items: list[Sendable]) -> tuple[list[Sendable], Exception | None]:
        """Send these with a producer of their own; return what was not taken, and a refusal among it."""
        producer = self._connect(self._should_end)
        if producer is None:
            return items, None
        try:
            for item in items:
                future = self._send_one(producer, item)
                if future is not None:
                    self._unacknowledged.append((future, item))
            while self._unacknowledged and not self._gives_up:
                self._reap()
                with self._lock:
                    if self._unacknowledged and not self._head_is_done():
                        self._work.wait(1.0)
        except KafkaError as error:
            log.debug("a piece of %d records failed: %s", len(items), error)
        finally:
            let_go(producer)
        return self._not_taken()

    def _refuse(self, item: Sendable, error: Exception) -> None:
        text = f"{item.topic}, key {item.key!r}, {item.size} bytes: {type(error).__name__}: {error}"
        log.error("the broker refused a record of %s", text)
        with self._lock:
            self._refused.append(text)
        self._note_done(1, item.size)


def let_go(producer: KafkaProducer) -> None:
    """Close a producer at once; what it still holds is known elsewhere."""
    try:
        producer.close(timeout=1.0)
    except KafkaError:  # its close() gives up on the first record that is not yet sent, leaving the thread
        producer._sender.force_close()  # there is no public way


def send_all(producer: KafkaProducer, items: Iterable[Sendable]) -> None:
    """Hand records to a producer in order; what `send` works out anew each time is known after the first of a key."""
    places: dict[tuple[str, bytes], TopicPartition] = {}
    for topic, value, key, headers, _size in items:
        place = None if key is None else places.get((topic, key))
        if place is None:
            future = producer.send(topic, value, key, headers)
            if key is not None:
                places[topic, key] = future._produce_future.topic_partition  # there is no public way
            continue
        _future, is_full, is_new, _is_refused = producer._accumulator.append(place, None, key, value, headers)
        if is_full or is_new:
            producer._sender.wakeup()
