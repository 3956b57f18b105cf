"""Publishing: in order, never blocking who reads, bounded, and honest about what is lost."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from dt.collector import outbox_giving
from dt.collector.outbox import Drop, Limits, Loss, Outbox, OutboxClosedError
from dt.collector.outbox_disk import DiskShelf
from dt.collector.outbox_file import OutboxFile
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.exceptions import ConfigError, MessageTooLargeError, MessagingError

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


@pytest.fixture
def open_outbox(log: FlakyLog, tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Return a way to open outboxes of one folder; they are stopped afterwards."""
    opened: list[Outbox] = []

    def make(**more: Any) -> Outbox:
        given = {"clock": SystemClock(), "folder": tmp_path, **more}
        opened.append(Outbox(log, given.pop("clock"), given.pop("folder"), **given))
        opened[-1].start()
        return opened[-1]

    yield make
    for outbox in opened:
        outbox.stop()


def test_what_was_not_published_waits_for_the_next_run(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """A clean end keeps the backlog; the next run publishes it before its own records."""
    log.is_away.set()
    first = open_outbox()
    for text in "abc":
        first.put(record(text))
    first.stop()

    log.is_away.clear()
    second = open_outbox()
    second.put(record("d"))

    eventually(lambda: log.values() == [b"a", b"b", b"c", b"d"], "all arrived, the old ones first")
    assert second.is_drained


def test_a_second_process_is_refused_the_same_outbox(open_outbox: Callable[..., Outbox]) -> None:
    """Two collectors on one DATA_DIR would each publish what the other keeps."""
    open_outbox()

    with pytest.raises(ConfigError, match="another process has the outbox"):
        open_outbox()


def test_putting_never_takes_longer_than_a_stalled_disk_allows(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """While the disk stalls a record waits in memory; it is written when the disk moves again."""
    is_stalled, goes_on = threading.Event(), threading.Event()

    def stall() -> None:
        if is_stalled.is_set():
            goes_on.wait(20)

    log.is_away.set()
    outbox = open_outbox(disk_check=stall)
    is_stalled.set()
    outbox.put(record("first"))  # the writer is stuck with this one
    began = time.monotonic()
    outbox.put(record("second"))
    took_s = time.monotonic() - began

    assert took_s < 0.2  # 20 ms on an idle machine
    assert outbox.health()["in_memory"] == 2
    goes_on.set()
    eventually(lambda: outbox.health()["in_memory"] == 0, "the disk has both")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_an_ill_disk_is_told_and_left_when_it_is_well(
    number: int, log: FlakyLog, open_outbox: Callable[..., Outbox], clock: ManualClock, eventually: Eventually
) -> None:
    """Full, read-only or failing: memory serves meanwhile, records arrive, and the disk is used again afterwards."""
    is_ill = threading.Event()

    def check() -> None:
        if is_ill.is_set():
            raise OSError(number, os.strerror(number))

    log.is_away.set()
    outbox = open_outbox(disk_check=check, clock=clock)
    is_ill.set()
    outbox.put(record("in memory"))
    eventually(lambda: os.strerror(number) in outbox.disk_why, "health says what the disk says")
    log.is_away.clear()

    def arrived() -> bool:
        clock.advance(0.5)
        return log.values() == [b"in memory"]

    eventually(arrived, "it arrived all the same")
    log.is_away.set()
    outbox.put(record("after"))
    is_ill.clear()

    def is_well() -> bool:
        clock.advance(5.0)
        return not outbox.disk_why and outbox.health()["in_memory"] == 0

    eventually(is_well, "the disk is used again")


def test_a_collector_starts_on_a_disk_that_is_ill(
    log: FlakyLog, open_outbox: Callable[..., Outbox], clock: ManualClock, eventually: Eventually
) -> None:
    """Numbers given out in memory find their place behind what the disk turns out to hold."""
    log.is_away.set()
    first = open_outbox(clock=clock)
    first.put(record("old"))
    first.stop()
    is_ill = threading.Event()
    is_ill.set()

    def check() -> None:
        if is_ill.is_set():
            raise OSError(errno.EROFS, "Read-only file system")

    second = open_outbox(disk_check=check, clock=clock)
    second.put(record("new"))
    is_ill.clear()

    def is_well() -> bool:
        clock.advance(5.0)
        return not second.disk_why

    eventually(is_well, "the disk is used")
    log.is_away.clear()

    def arrived() -> bool:
        clock.advance(5.0)
        return log.values() == [b"old", b"new"]

    eventually(arrived, "both arrived, in order")


def test_a_corrupt_file_is_moved_aside_and_what_can_be_read_is_saved(
    log: FlakyLog, open_outbox: Callable[..., Outbox], tmp_path: Path, eventually: Eventually
) -> None:
    """It is never deleted; the collector starts on a new one, with the records that the old one still gave."""
    log.is_away.set()
    first = open_outbox()
    first.put_batch([record(f"{number:04d}" + "." * 500) for number in range(400)])
    first.stop()
    file = tmp_path / "outbox.db"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2 // 1024 * 1024
    content[middle : middle + 4096] = b"\xff" * 4096
    file.write_bytes(content)

    second = open_outbox()
    log.is_away.clear()
    second.put(record("new"))

    eventually(lambda: b"new" in log.values() and len(log.values()) > 300, "the new one arrived, and what was saved")
    aside = tmp_path / "outbox.db.corrupt-1"
    assert aside.exists()
    assert second.health()["moved_aside"] == [aside.name]


def test_a_file_that_is_no_database_is_moved_aside(
    log: FlakyLog, open_outbox: Callable[..., Outbox], tmp_path: Path, eventually: Eventually
) -> None:
    """Garbage in the place of the file does not keep the collector from working."""
    (tmp_path / "outbox.db").write_bytes(b"garbage " * 1000)

    outbox = open_outbox()
    outbox.put(record("a"))

    eventually(lambda: log.values() == [b"a"], "the record arrived")
    assert outbox.disk_why == ""
    assert (tmp_path / "outbox.db.corrupt-1").read_bytes().startswith(b"garbage")


def test_pictures_go_first_when_that_is_wished(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """The oldest picture, though a reading is older still."""
    log.is_away.set()
    lost: list[Outgoing] = []
    outbox = open_outbox(limits=Limits(bytes=120_000, drop=Drop.PICTURES))
    outbox.listen(lambda records, why: lost.extend(records) if why is Loss.FULL else None)
    for text in ("reading", "1" * 50_000, "2" * 50_000, "3" * 50_000):
        outbox.put(record(text))

    eventually(lambda: [each.value for each in lost] == [b"1" * 50_000], "the oldest picture was dropped")


def test_the_newest_go_when_that_is_wished(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """What is there stays."""
    log.is_away.set()
    outbox = open_outbox(limits=Limits(records=2, drop=Drop.NEWEST))
    for text in "abcd":
        outbox.put(record(text))
    eventually(lambda: outbox.dropped == 2, "two were dropped")

    log.is_away.clear()

    eventually(lambda: log.values() == [b"a", b"b"], "the oldest arrived")


def test_marked_records_are_rewritten_while_they_wait(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """On disk and in memory, those with a mark alone."""
    log.is_away.set()
    first = open_outbox()
    first.put(record("old"), "mark 1")
    first.stop()
    second = open_outbox()
    second.put(record("new"), "mark 2")
    second.put(record("plain"))

    second.rewrite(lambda each, mark: Outgoing(each.topic, (each.value or b"") + mark.encode(), each.key))
    log.is_away.clear()

    eventually(lambda: log.values() == [b"oldmark 1", b"newmark 2", b"plain"], "both were rewritten")


def test_only_the_newest_of_what_is_worth_no_more_is_published(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """Health of an hour ago is not kept: one report per key goes out, and before the backlog is through."""
    log.is_away.set()
    outbox = open_outbox()
    for text in "abc":
        outbox.put_latest(Outgoing(Topics.HEALTH, text.encode(), "collector/x"))

    log.is_away.clear()

    eventually(lambda: [each.value for each in log.read_all(Topics.HEALTH)] == [b"c"], "the newest arrived alone")


def test_what_a_volatile_log_took_is_sent_again_after_an_unclean_end(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually, tmp_path: Path
) -> None:
    """A log in memory dies with the process: what it got lately is published anew, unless its readers have it."""
    first = open_outbox(keep_sent_s=60.0)
    first.put(record("a"))
    eventually(lambda: log.values() == [b"a"], "it was published")
    killed = tmp_path / "killed"
    killed.mkdir()
    for part in ("outbox.db", "outbox.db-wal"):
        (killed / part).write_bytes((tmp_path / part).read_bytes())
    first.stop()
    first.forget_sent()

    open_outbox(keep_sent_s=60.0).stop()
    assert log.values() == [b"a"]
    open_outbox(folder=killed, keep_sent_s=60.0)

    eventually(lambda: log.values() == [b"a", b"a"], "it was published again")


def test_notes_outlive_the_process(open_outbox: Callable[..., Outbox]) -> None:
    """A later run reads what an earlier one noted."""
    first = open_outbox()
    first.note("boot", "one")
    first.note("boot", "two")
    first.stop()

    assert open_outbox().noted()["boot"] == "two"


def test_a_forked_child_does_not_touch_the_parents_outbox(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """It has no writer and no right to the file."""
    outbox = open_outbox()
    child = os.fork()
    if child == 0:
        try:
            outbox.put(record("child"))
        except OutboxClosedError:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 3
    outbox.put(record("parent"))
    eventually(lambda: log.values() == [b"parent"], "the parent goes on")


def test_closed_outbox_refuses_records(open_outbox: Callable[..., Outbox]) -> None:
    """Nothing is taken that would silently be lost."""
    outbox = open_outbox()
    outbox.stop()

    with pytest.raises(OutboxClosedError):
        outbox.put(record("late"))


def test_at_most_one_sync_in_ten_seconds(log: FlakyLog, open_outbox: Callable[..., Outbox], clock: ManualClock) -> None:
    """Ten minutes without a broker, two records a second: sixty syncs at most; with a broker none."""
    log.is_away.set()
    outbox = open_outbox(clock=clock)
    for _ in range(1200):
        outbox.put(record("x" * 300))
        clock.advance(0.5)

    assert 50 <= outbox.syncs <= 60


class SlowLog(FlakyLog):
    """A log that takes records and lets who asks for their being durable wait; and one that fails as none should."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()
        self.bugs = 0

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        if self.bugs:
            self.bugs -= 1
            raise ValueError("a bug of the client")
        super().publish_batch(batch)

    def flush(self, timeout_s: float = 10.0) -> None:
        del timeout_s
        self.answers.wait(20)


def test_a_disk_that_is_well_again_does_not_send_what_is_in_flight_anew(tmp_path: Path, eventually: Eventually) -> None:
    """Ill and well while the log takes its time: each is sent once, the count comes down to nothing, it goes on."""
    log, clock, is_ill = SlowLog(), ManualClock(), threading.Event()
    is_ill.set()

    def check() -> None:
        if is_ill.is_set():
            raise OSError(errno.EROFS, "Read-only file system")

    outbox = Outbox(log, clock, tmp_path, disk_check=check)
    outbox.start()
    texts = [str(number) for number in range(20)]
    outbox.put_batch([record(text) for text in texts])
    eventually(lambda: len(log.values()) == 20, "all are in flight")
    is_ill.clear()

    def is_well() -> bool:
        clock.advance(5.0)
        return not outbox.disk_why and outbox.health()["in_memory"] == 0

    eventually(is_well, "the disk has them")
    log.answers.set()
    eventually(lambda: outbox.is_drained, "nothing waits")
    for text in ("a", "b"):
        outbox.put(record(text))
        eventually(lambda: outbox.is_drained, "nothing waits again")

    assert log.values() == [text.encode() for text in [*texts, "a", "b"]]
    assert outbox.waiting_bytes == 0
    outbox.stop()
    log.close()


def test_the_sender_outlives_an_error_that_nobody_thought_of(tmp_path: Path, eventually: Eventually) -> None:
    """It is logged, and the same records are tried again after a pause."""
    log, clock = SlowLog(), ManualClock()
    log.answers.set()
    log.bugs = 2
    outbox = Outbox(log, clock, tmp_path)
    outbox.start()
    outbox.put(record("a"))

    def arrived() -> bool:
        clock.advance(0.5)
        return log.values() == [b"a"]

    eventually(arrived, "it arrived")
    outbox.stop()
    log.close()


def test_nothing_is_stepped_over_while_the_writer_trims_memory(tmp_path: Path, eventually: Eventually) -> None:
    """Wherever the sender is interrupted between two of its locks, records may leave memory for the disk alone."""
    shelf = DiskShelf(SystemClock(), OutboxFile(tmp_path / "outbox.db"), Limits(), 0.0, lambda _records, _why: None)
    shelf.start()
    put: list[bytes] = []

    def put_more() -> None:
        texts = [b"%d " % (len(put) + number) + b"x" * 100_000 for number in range(4)]
        shelf.put([Outgoing(TOPIC, text) for text in texts])
        put.extend(texts)
        eventually(lambda: shelf.in_memory == 0, "the disk has them, and memory the newest alone")

    def interrupt(frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_name != "next_batch" or frame.f_code.co_filename != outbox_giving.__file__:
            return None
        if event == "line" and not shelf._lock.locked() and len(put) < 40:
            put_more()
        return interrupt

    given: list[bytes | None] = []
    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        while batch := shelf.next_batch(100, 150_000):
            given += [kept.record.value for kept in batch]
            shelf.done(batch)
    finally:
        sys.settrace(before)
        shelf.stop(5.0)

    assert len(put) == 40
    assert given == put


def test_a_correction_reaches_what_is_on_a_disk_that_is_ill_at_that_moment(
    log: FlakyLog, open_outbox: Callable[..., Outbox], clock: ManualClock, eventually: Eventually
) -> None:
    """It is made when the disk is well, and before anything is sent from there."""
    is_ill = threading.Event()

    def check() -> None:
        if is_ill.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")

    log.is_away.set()
    outbox = open_outbox(disk_check=check, clock=clock)
    outbox.put_batch([record(f"{number} " + "x" * 1000) for number in range(600)], "mark")
    eventually(lambda: outbox.health()["in_memory"] == 0, "the disk has them, memory the newest alone")
    is_ill.set()
    outbox.rewrite(lambda each, _mark: Outgoing(each.topic, b"corrected", each.key))
    eventually(lambda: outbox.disk_why, "the disk is ill")

    is_ill.clear()
    log.is_away.clear()

    def arrived() -> bool:
        clock.advance(5.0)
        return len(log.values()) == 600

    eventually(arrived, "all arrived")
    assert set(log.values()) == {b"corrected"}


def test_a_bad_page_of_a_large_backlog_costs_what_is_on_it(
    log: FlakyLog, open_outbox: Callable[..., Outbox], tmp_path: Path, eventually: Eventually
) -> None:
    """All the rest is saved, in front and behind; what is lost is counted, and notes are saved as well."""
    log.is_away.set()
    first = open_outbox(limits=Limits(records=100_000))
    first.note("boot", "one")
    for begin in range(0, 50_000, 5_000):
        first.put_batch([record(f"{number}" + "." * 100) for number in range(begin, begin + 5_000)])
    first.stop()
    file = tmp_path / "outbox.db"
    with file.open("r+b") as content:
        content.seek(file.stat().st_size // 2 // 1024 * 1024)
        content.write(b"\xff" * 1024)

    second = open_outbox(limits=Limits(records=100_000))
    log.is_away.clear()

    eventually(lambda: second.is_drained, "all is sent that there is")
    lost = 50_000 - second.published
    assert 0 < lost <= 10  # of 1 KiB
    assert second.health()["unreadable"] == lost
    assert second.noted()["boot"] == "one"


def test_only_the_newest_corrupt_files_are_kept(tmp_path: Path) -> None:
    """Each may be as large as the outbox's bound."""
    for number in range(5):
        (tmp_path / "outbox.db").write_bytes(b"garbage %d " % number * 1000)
        file = OutboxFile(tmp_path / "outbox.db")
        file.open()
        file.close()

    kept = sorted(path.name for path in tmp_path.glob("*.corrupt-*"))
    assert kept == [f"outbox.db.corrupt-{number}" for number in (3, 4, 5)]
    assert (tmp_path / "outbox.db.corrupt-5").read_bytes().startswith(b"garbage 4")


@pytest.mark.parametrize("drop", list(Drop))
def test_what_says_why_a_reading_is_missing_is_not_dropped_in_its_place(
    drop: Drop, log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """A notice comes when the outbox is full already: readings go before it, whichever order is set."""
    log.is_away.set()
    outbox = open_outbox(limits=Limits(records=10, drop=drop))
    outbox.put(Outgoing(Topics.GAPS, b"first notice", "s"))
    outbox.put_batch([record(str(number)) for number in range(10)])
    outbox.put(Outgoing(Topics.GAPS, b"second notice", "s"))
    eventually(lambda: outbox.dropped == 2, "two readings were dropped")

    log.is_away.clear()

    eventually(lambda: outbox.is_drained, "all that was left arrived")
    assert len(log.values()) == 8
    assert [each.value for each in log.read_all(Topics.GAPS)] == [b"first notice", b"second notice"]


def test_notices_stay_in_memory_as_well(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """The bound of an outbox without a disk holds for notices only when there is nothing else to drop."""
    log.is_away.set()
    outbox = open_outbox(folder=None, limits=Limits(records=3, drop=Drop.NEWEST))
    outbox.put_batch([record(str(number)) for number in range(3)])
    for number in range(4):
        outbox.put(Outgoing(Topics.GAPS, b"%d" % number, "s"))

    log.is_away.clear()

    eventually(lambda: outbox.is_drained, "all arrived")
    assert len(log.read_all(Topics.GAPS)) == 3
    assert outbox.dropped == 4


def test_a_clean_end_keeps_what_a_volatile_log_took_until_its_readers_have_it(
    log: FlakyLog, open_outbox: Callable[..., Outbox], eventually: Eventually
) -> None:
    """As a kill does, and a correction of the clock in between changes nothing of what was sent."""
    first = open_outbox(keep_sent_s=60.0)
    first.put(record("a"), "mark")
    eventually(lambda: log.values() == [b"a"], "it was published")
    first.rewrite(lambda each, _mark: Outgoing(each.topic, b"corrected", each.key))
    first.stop()

    open_outbox(keep_sent_s=60.0)

    eventually(lambda: log.values() == [b"a", b"a"], "it was published again, as it was")
