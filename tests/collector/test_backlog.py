"""Publishing: in order, never blocking who reads, bounded, and honest about what is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from dt.collector.backlog import Backlog
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.codec import Message
from dt.utils.exceptions import MessageTooLargeError, MessagingError

TOPIC = Topics.TEMPERATURE.raw
Eventually = Callable[[Callable[[], object], str], None]


class FlakyLog(MemoryMessaging):
    """A log that can be away, and that refuses one value."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = threading.Event()

    def publish(
        self,
        topic: str,
        value: Message | bytes | None,
        *,
        key: str | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        if self.is_away.is_set():
            raise MessagingError("no broker")
        if value == b"too large":
            raise MessageTooLargeError(topic, 10, 5)
        super().publish(topic, value, key=key, headers=headers)

    def values(self) -> list[bytes | None]:
        """Return what arrived, in order."""
        return [record.value for record in self.read_all(TOPIC)]


@pytest.fixture
def log() -> Iterator[FlakyLog]:
    """Return a log that can be away."""
    log = FlakyLog()
    yield log
    log.close()


def record(text: str) -> Outgoing:
    """Return a record."""
    return Outgoing(TOPIC, text.encode(), "box", {"schema": b"1"})


def test_records_arrive_in_order_with_key_and_headers(log: FlakyLog, eventually: Eventually) -> None:
    """What was put first is published first, as it was put."""
    backlog = Backlog(log, SystemClock())
    backlog.start()

    for number in range(50):
        backlog.put(record(str(number)))

    eventually(lambda: len(log.values()) == 50, "all arrived")
    backlog.stop()
    assert log.values() == [str(number).encode() for number in range(50)]
    first = log.read_all(TOPIC)[0]
    assert (first.key, first.headers["schema"]) == ("box", b"1")


def test_records_wait_while_the_log_is_away(log: FlakyLog, eventually: Eventually) -> None:
    """An outage loses nothing that fits, and keeps the order."""
    log.is_away.set()
    backlog = Backlog(log, SystemClock())
    backlog.start()
    for number in range(5):
        backlog.put(record(str(number)))
    assert len(backlog) == 5

    log.is_away.clear()

    eventually(lambda: log.values() == [b"0", b"1", b"2", b"3", b"4"], "all arrived in order")
    backlog.stop()
    assert backlog.dropped == 0


def test_oldest_records_go_when_memory_is_full(log: FlakyLog) -> None:
    """The newest are kept; what was dropped is counted."""
    backlog = Backlog(log, SystemClock(), most_records=3)

    for number in range(5):
        backlog.put(record(str(number)))

    backlog.start()
    backlog.stop()
    assert log.values() == [b"2", b"3", b"4"]
    assert backlog.dropped == 2


def test_pictures_count_by_their_bytes(log: FlakyLog) -> None:
    """A few large records fill the memory as many small ones do."""
    backlog = Backlog(log, SystemClock(), most_bytes=250_000)

    for _ in range(4):
        backlog.put(Outgoing(TOPIC, b"x" * 100_000, "box"))

    assert len(backlog) == 2
    assert backlog.dropped == 2


def test_refused_record_does_not_stop_the_others(log: FlakyLog, eventually: Eventually) -> None:
    """What the log will never take is left out, and said."""
    backlog = Backlog(log, SystemClock())
    backlog.start()

    for text in ("a", "too large", "b"):
        backlog.put(record(text))

    eventually(lambda: log.values() == [b"a", b"b"], "the others arrived")
    backlog.stop()


def test_stopping_publishes_what_waits(log: FlakyLog) -> None:
    """The last readings before the end are not lost."""
    backlog = Backlog(log, SystemClock())
    backlog.start()
    backlog.put(record("last"))

    backlog.stop()

    assert log.values() == [b"last"]
