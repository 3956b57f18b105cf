"""The seam to the log: records, publishing, consumer groups and transactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from dt.utils.codec import Message
from dt.utils.exceptions import DTError
from dt.utils.ids import trace_parent


class Start(StrEnum):
    """Where a group begins that has committed nothing yet."""

    EARLIEST = "earliest"
    LATEST = "latest"


# Structs, for every reading passes through several: a frozen dataclass takes five times as long to make.
class Record(msgspec.Struct, frozen=True):
    """One record as the log gives it; `timestamp` is when the log took it, in epoch seconds."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp: float


class Outgoing(msgspec.Struct, frozen=True):
    """One record on its way to the log; a value of None is a tombstone."""

    topic: str
    value: bytes | None
    key: str | None = None
    headers: Mapping[str, bytes] = {}


class UnknownTopicError(DTError):
    """A topic that stands in no table; creating topics by typing errors is refused."""


class UnusableRecordsError(DTError):
    """Raised by a handler that has dealt with a whole batch but for these records, which become dead letters."""

    def __init__(self, unusable: Sequence[tuple[Record, Exception]]) -> None:
        super().__init__(f"{len(unusable)} records cannot be used; the first: {unusable[0][1]}")
        self.unusable = unusable


Handler = Callable[[Sequence[Record]], None]


class Transformer(Protocol):
    """Turns records into records; what it knows between calls lies in its state topic."""

    def restore(self, state: Sequence[Record]) -> None:
        """Forget everything and begin from these; called at assignment and after an aborted transaction."""
        ...

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Return outputs and changed state for a batch in log order; all of it is committed, or nothing."""
        ...


class Subscription(Protocol):
    """A running consumer of one group."""

    @property
    def is_running(self) -> bool:
        """Return whether records are still being taken."""
        ...

    @property
    def is_assigned(self) -> bool:
        """Return whether the group has given this member its partitions."""
        ...

    @property
    def last_lag(self) -> int:
        """Return at once what `lag` was about a second ago; a health page has to answer while the reader is at work."""
        ...

    def lag(self) -> int:
        """Return how many records this member has not yet committed; may wait for half a second."""
        ...

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the batch in hand is dealt with, and leave the group."""
        ...


class MessagingService(Protocol):
    """An ordered, partitioned log with consumer groups."""

    def publish(
        self,
        topic: str,
        value: Message | bytes | None,
        *,
        key: str | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Queue one record; blocks under back-pressure; raises MessageTooLargeError or MessagingError."""
        ...

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        """Queue several records in order, as `publish` does."""
        ...

    def flush(self, timeout_s: float = 10.0) -> None:
        """Return when everything queued is durable; raises MessagingError with what was refused or is still waiting."""
        ...

    def subscribe(
        self,
        topics: Sequence[str],
        group: str,
        handler: Handler,
        *,
        start: Start = Start.EARLIEST,
        max_batch: int = 1000,
    ) -> Subscription:
        """Give batches to the handler in a thread; offsets are committed after it returns."""
        ...

    def transform(
        self,
        topics: Sequence[str],
        group: str,
        transformer: Transformer,
        *,
        state_topic: str | None = None,
        max_batch: int = 1000,
    ) -> Subscription:
        """Consume, transform and produce: outputs, state and offsets in one transaction."""
        ...

    def read_all(self, topic: str) -> list[Record]:
        """Return the committed records of a topic up to its present end."""
        ...

    def health(self) -> dict[str, object]:
        """Return `connected` and what a person would want to know."""
        ...

    def close(self) -> None:
        """Stop all subscriptions, flush and let go."""
        ...


def outgoing(topic: str, message: Message, key: str | None = None) -> Outgoing:
    """Encode a message, with `schema`, `origin`, `correlation_id` and `traceparent` mirrored in the headers."""
    return Outgoing(topic, message.to_json(), key, headers_of(message))


def to_publish(
    topic: str, value: Message | bytes | None, key: str | None, headers: Mapping[str, bytes] | None
) -> Outgoing:
    """Return the record of a `publish`: a message is encoded, and headers that are given win over its own."""
    if isinstance(value, Message):
        return Outgoing(topic, value.to_json(), key, {**headers_of(value), **(headers or {})})
    return Outgoing(topic, value, key, headers or {})


def headers_of(message: Message) -> dict[str, bytes]:
    """Return what a record's headers repeat of its message.

    >>> from dt.utils.dataclasses import Grant
    >>> headers_of(Grant(actuator_id="pump", by="ada", since=0))
    {'schema': b'1', 'origin': b'live'}
    """
    headers = {}
    schema = getattr(message, "schema", None)
    if schema is not None:
        headers["schema"] = b"%d" % schema
        headers["origin"] = str.encode(getattr(message, "origin", "live"))
    correlation_id = getattr(message, "correlation_id", None)
    if correlation_id:
        headers["correlation_id"] = correlation_id.encode()
        headers["traceparent"] = trace_parent(correlation_id).encode()
    return headers
