"""Publishing: in order, never blocking who reads, bounded, and honest about what is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dt.collector.outbox import Drop, Limits, Outbox
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.exceptions import MessageTooLargeError, MessagingError

TOPIC = Topics.TEMPERATURE.raw
Eventually = Callable[[Callable[[], object], str], None]


class FlakyLog(MemoryMessaging):
    """A log that can be away, and that refuses one value."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = threading.Event()

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        if self.is_away.is_set():
            raise MessagingError("no broker")
        if any(record.value == b"too large" for record in batch):
            raise MessageTooLargeError(batch[0].topic, 10, 5)
        super().publish_batch(batch)

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


def test_records_arrive_in_order_with_key_and_headers(log: FlakyLog, tmp_path: Path, eventually: Eventually) -> None:
    """What was put first is published first, as it was put."""
    outbox = Outbox(log, SystemClock(), tmp_path)
    outbox.start()

    for number in range(50):
        outbox.put(record(str(number)))

    eventually(lambda: len(log.values()) == 50, "all arrived")
    outbox.stop()
    assert log.values() == [str(number).encode() for number in range(50)]
    first = log.read_all(TOPIC)[0]
    assert (first.key, first.headers["schema"]) == ("box", b"1")


def test_records_wait_while_the_log_is_away(log: FlakyLog, tmp_path: Path, eventually: Eventually) -> None:
    """An outage loses nothing that fits, and keeps the order."""
    log.is_away.set()
    outbox = Outbox(log, SystemClock(), tmp_path)
    outbox.start()
    for number in range(5):
        outbox.put(record(str(number)))
    assert len(outbox) == 5

    log.is_away.clear()

    eventually(lambda: log.values() == [b"0", b"1", b"2", b"3", b"4"], "all arrived in order")
    outbox.stop()
    assert outbox.dropped == 0


def test_oldest_records_go_when_the_outbox_is_full(log: FlakyLog, tmp_path: Path, eventually: Eventually) -> None:
    """The newest are kept; what was dropped is counted."""
    log.is_away.set()
    outbox = Outbox(log, SystemClock(), tmp_path, limits=Limits(records=3, drop=Drop.OLDEST))
    outbox.start()

    for number in range(5):
        outbox.put(record(str(number)))

    eventually(lambda: outbox.dropped == 2, "two were dropped")
    log.is_away.clear()
    eventually(lambda: log.values() == [b"2", b"3", b"4"], "the newest arrived")
    outbox.stop()


def test_pictures_count_by_their_bytes(log: FlakyLog, tmp_path: Path, eventually: Eventually) -> None:
    """A few large records fill the disk as many small ones do."""
    log.is_away.set()
    outbox = Outbox(log, SystemClock(), tmp_path, limits=Limits(bytes=250_000))
    outbox.start()

    for _ in range(4):
        outbox.put(Outgoing(TOPIC, b"x" * 100_000, "box"))

    eventually(lambda: (len(outbox), outbox.dropped) == (2, 2), "two are left")
    outbox.stop()


def test_refused_record_does_not_stop_the_others(log: FlakyLog, tmp_path: Path, eventually: Eventually) -> None:
    """What the log will never take is left out, and said."""
    outbox = Outbox(log, SystemClock(), tmp_path)
    outbox.start()

    for text in ("a", "too large", "b"):
        outbox.put(record(text))

    eventually(lambda: log.values() == [b"a", b"b"], "the others arrived")
    outbox.stop()


def test_stopping_publishes_what_waits(log: FlakyLog, tmp_path: Path) -> None:
    """The last readings before the end are not lost."""
    outbox = Outbox(log, SystemClock(), tmp_path)
    outbox.start()
    outbox.put(record("last"))

    outbox.stop()

    assert log.values() == [b"last"]
