"""The outbox against a model: whatever happens in whatever order, what was put arrives, in order, once in effect."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dt.collector.outbox import Drop, Limits, Outbox
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock
from dt.utils.exceptions import MessageTooLargeError, MessagingError
from tests.conftest import wait_until

TOPIC = Topics.TEMPERATURE.raw
TOO_LARGE = b"!"


class FarLog:
    """The far end: it can be away, lose the answer to what it took, and refuses some records for good."""

    def __init__(self) -> None:
        self.is_away = False
        self.answers_lost = 0
        self.taken: list[int] = []

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        """Take all or nothing."""
        if self.is_away:
            raise MessagingError("away")
        if any((record.value or b"").endswith(TOO_LARGE) for record in batch):
            raise MessageTooLargeError(TOPIC, 2, 1)
        self.taken += [number_of(record) for record in batch]

    def flush(self, timeout_s: float = 10.0) -> None:
        """Be durable, unless the answer is lost."""
        if self.answers_lost:
            self.answers_lost -= 1
            raise MessagingError("no answer")

    def health(self) -> dict[str, object]:
        """Say whether anybody is there."""
        return {"connected": not self.is_away}


def number_of(record: Outgoing) -> int:
    """Return what number a record carries."""
    return int((record.value or b"").removesuffix(TOO_LARGE))


class OutboxMachine(RuleBasedStateMachine):
    """Puts, outages, kills (by a copy of the files), power cuts, a disk that fails, bounds."""

    limits = Limits(records=40, drop=Drop.OLDEST)

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="outbox-"))
        self.clock = ManualClock()
        self.log = FarLog()
        self.runs = 0
        self.next = 0
        self.put_at: list[tuple[float, int]] = []
        self.refused: set[int] = set()
        self.may_be_lost: set[int] = set()
        self.dropped: set[int] = set()
        self.is_disk_ill = self.was_disk_ill = self.has_healed = False
        self.well_s = float("-inf")  # what came while the disk was ill is on it since then at best
        self.may_repeat = False

    @initialize()
    def begin(self) -> None:
        """Open the first outbox."""
        self.folder = self.root / "0"
        self._open()

    @rule(count=st.integers(1, 12))
    def put(self, count: int) -> None:
        """Take records one by one."""
        for _ in range(count):
            self._put(b"")

    @rule()
    def put_what_is_refused(self) -> None:
        """One that the log will never take does not hold up the others."""
        self.refused.add(self.next)
        self._put(TOO_LARGE)

    @rule()
    def put_several_at_once(self) -> None:
        """A batch keeps its order."""
        numbers = range(self.next, self.next + 5)
        self.outbox.put_batch([Outgoing(TOPIC, b"%d" % number, "z") for number in numbers])
        self.put_at += [(self.clock.monotonic(), number) for number in numbers]
        self.next += 5

    @rule()
    def lose_the_log(self) -> None:
        """The broker goes."""
        self.log.is_away = True

    @rule(lost=st.integers(0, 2))
    def find_the_log(self, lost: int) -> None:
        """The broker is back; some answers may be lost on the way."""
        self.log.answers_lost = lost
        self.may_repeat = self.may_repeat or lost > 0
        self.log.is_away = False

    @rule(seconds=st.floats(0.1, 30.0))
    def wait(self, seconds: float) -> None:
        """Time passes, and the writer notices."""
        self.clock.advance(seconds)

    @precondition(lambda self: not self.is_disk_ill)
    @rule()
    def kill(self) -> None:
        """SIGKILL: the files are what the kernel has of them, and another process opens them."""
        self._wait_for_the_disk()
        self.may_repeat = True
        self.runs += 1
        after = self.root / str(self.runs)
        shutil.copytree(self.folder, after, ignore=shutil.ignore_patterns("*.lock"))
        self.outbox.cut_power()
        self.folder = after
        self._open()

    @precondition(lambda self: not self.is_disk_ill)
    @rule()
    def cut_the_power(self) -> None:
        """What was put more than ten seconds ago is there."""
        self._wait_for_the_disk()
        self.may_repeat = True
        self.outbox.cut_power()
        now_s = self.clock.monotonic()
        if self.has_healed:
            self.well_s, self.has_healed = now_s, False
        self.may_be_lost |= {number for at_s, number in self.put_at if now_s - max(at_s, self.well_s) < 10.0}
        self._open()

    @rule()
    def restart(self) -> None:
        """A clean end and a new start."""
        self.may_repeat = self.may_repeat or self.is_disk_ill or bool(self.outbox.disk_why)
        self.is_disk_ill = False
        self.outbox.stop(5.0)
        self._open()

    @rule()
    def let_the_disk_fail(self) -> None:
        """ENOSPC from now on: memory goes ahead of what the disk holds."""
        self.is_disk_ill = self.was_disk_ill = self.has_healed = True

    @rule()
    def heal_the_disk(self) -> None:
        """There is room again."""
        self.is_disk_ill = False

    @invariant()
    def nothing_is_invented(self) -> None:
        """The log holds nothing that was not put, and nothing refused."""
        taken = set(self.log.taken)
        assert taken <= set(range(self.next)) - self.refused

    def teardown(self) -> None:
        """At the end of every story all is well again, and everything is accounted for."""
        self.is_disk_ill = False
        self.log.is_away, self.log.answers_lost = False, 0

        def is_drained() -> bool:
            self.clock.advance(5.0)
            return self.outbox.is_drained

        try:
            wait_until(is_drained, "the outbox drained")
            first_time = list(dict.fromkeys(self.log.taken))
            assert self.was_disk_ill or first_time == sorted(first_time)
            assert self.may_repeat or len(first_time) == len(self.log.taken)
            assert self.outbox.waiting_bytes == 0
            missing = set(range(self.next)) - set(first_time) - self.refused - self.dropped
            assert missing <= self.may_be_lost
        finally:
            self.outbox.stop()
            shutil.rmtree(self.root)

    def _wait_for_the_disk(self) -> None:
        def has_everything() -> bool:
            if self.outbox.disk_why:
                self.clock.advance(1.0)  # it is tried again after a pause
            health = self.outbox.health()
            # The writer runs in real time: it is given a moment to see what this clock did.
            return not self.outbox.disk_why and health["in_memory"] == 0 and float(str(health["unsynced_s"])) < 10.0

        wait_until(has_everything, "the disk has everything")

    def _put(self, ending: bytes) -> None:
        self.outbox.put(Outgoing(TOPIC, b"%d" % self.next + ending, "z"))
        self.put_at.append((self.clock.monotonic(), self.next))
        self.next += 1

    def _open(self) -> None:
        self.outbox = Outbox(self.log, self.clock, self.folder, limits=self.limits, disk_check=self._check)  # type: ignore[arg-type]
        self.outbox.listen(lambda records, _why: self.dropped.update(map(number_of, records)))
        self.outbox.start()

    def _check(self) -> None:
        if self.is_disk_ill:
            raise OSError(28, "No space left on device")


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(300)
class TestOutboxAtLength(OutboxMachine.TestCase):  # type: ignore[misc,name-defined]
    """The same with many longer stories."""

    settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
