"""The log in lockstep: one order, nothing lost while it is away, failures as on the real one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dt.communication.messaging import Outgoing, Record, Start, UnknownTopicError, UnusableRecordsError
from dt.communication.topics import Topics
from dt.evaluation.lockstep_messaging import LockstepMessaging
from dt.utils.clock import ManualClock
from dt.utils.exceptions import ConflictError, MessageError, MessagingError

READINGS = Topics.TEMPERATURE.raw


@pytest.fixture
def log() -> LockstepMessaging:
    """Return a log on a clock that stands still."""
    return LockstepMessaging(ManualClock())


class Doubling:
    """Passes on what it gets twice, and remembers what it was begun from."""

    def __init__(self, fails: Sequence[Exception] = ()) -> None:
        self.begun_from: list[list[bytes | None]] = []
        self._fails = list(fails)

    def restore(self, state: Sequence[Record]) -> None:
        """Take note."""
        self.begun_from.append([record.value for record in state])

    def transform(self, records: Sequence[Record]) -> Sequence[Outgoing]:
        """Fail as often as it should, then double."""
        if self._fails:
            raise self._fails.pop(0)
        state = Outgoing(Topics.STATE_AI, b"%d" % len(records), "zone")
        return [*(Outgoing(Topics.ALERTS, (record.value or b"") * 2) for record in records), state]


def test_readers_get_everything_in_order_and_only_when_asked(log: LockstepMessaging) -> None:
    """Publishing runs nobody's code; draining runs all of it until nothing is left."""
    seen: list[bytes | None] = []
    log.subscribe([READINGS, Topics.ALERTS], "one", lambda records: seen.extend(r.value for r in records))
    log.transform([READINGS], "two", Doubling())

    log.publish(READINGS, b"a")
    log.publish(READINGS, b"b")
    assert seen == []

    assert log.drain() == 6
    assert seen == [b"a", b"b", b"aa", b"bb"]
    assert log.drain() == 0


def test_who_comes_later_finds_alerts_registry_and_the_latest_of_compacted_topics(log: LockstepMessaging) -> None:
    """Of all else nothing is kept."""
    log.publish_batch([Outgoing(READINGS, b"gone"), Outgoing(Topics.ALERTS, b"kept")])
    log.publish_batch([Outgoing(Topics.HEALTH, b"old", "ai"), Outgoing(Topics.HEALTH, b"new", "ai")])
    early, late = [], []
    topics = [READINGS, Topics.ALERTS, Topics.HEALTH]
    log.subscribe(topics, "early", lambda records: early.extend(r.value for r in records))
    log.subscribe(topics, "late", lambda records: late.extend(r.value for r in records), start=Start.LATEST)
    log.drain()

    assert (early, late) == ([b"kept", b"new"], [])
    assert [record.value for record in log.read_all(Topics.HEALTH)] == [b"new"]


def test_a_log_that_is_away_takes_and_gives_nothing_and_loses_nothing(log: LockstepMessaging) -> None:
    """What was published before waits for its readers."""
    seen: list[bytes | None] = []
    log.subscribe([READINGS], "one", lambda records: seen.extend(r.value for r in records))
    log.publish(READINGS, b"a")
    log.is_away = True

    for ask in (lambda: log.publish(READINGS, b"b"), log.flush, lambda: log.read_all(Topics.ALERTS)):
        with pytest.raises(MessagingError):
            ask()
    assert log.drain() == 0
    assert not log.health()["connected"]

    log.is_away = False
    log.drain()
    assert seen == [b"a"]


def test_a_transformer_that_fails_begins_again_from_its_committed_state(log: LockstepMessaging) -> None:
    """A failure that may pass keeps the batch; one that never passes makes a dead letter of its record."""
    retried, refused = Doubling([MessagingError("not now")]), Doubling([ConflictError("never"), ConflictError("never")])
    log.transform([READINGS], "retried", retried, state_topic=Topics.STATE_AI)
    log.publish(READINGS, b"a")
    log.drain()
    log.drain()
    assert [record.value for record in log.read_all(Topics.ALERTS)] == [b"aa"]
    assert retried.begun_from == [[], []]

    log.transform([READINGS], "refused", refused, state_topic=Topics.STATE_AI)
    letters: list[Record] = []
    log.subscribe([Topics.DEAD_LETTERS], "letters", letters.extend)
    log.publish(READINGS, b"b")
    log.drain()
    assert len(letters) == 1
    assert refused.begun_from == [[b"1"], [b"1"], [b"1"]]


def test_records_that_a_handler_cannot_use_become_dead_letters(log: LockstepMessaging) -> None:
    """And a topic that stands in no table is refused."""
    letters: list[Record] = []

    def handle(records: Sequence[Record]) -> None:
        raise UnusableRecordsError([(records[0], MessageError("value", "is odd"))])

    log.subscribe([READINGS], "one", handle)
    log.subscribe([Topics.DEAD_LETTERS], "letters", letters.extend)
    log.publish(READINGS, b"a")
    log.drain()

    assert len(letters) == 1
    with pytest.raises(UnknownTopicError):
        log.publish("dt.nowhere", b"a")


def test_readers_that_answer_each_other_for_ever_are_an_error(log: LockstepMessaging) -> None:
    """The run stops instead of hanging."""
    log.subscribe([READINGS], "echo", lambda records: [log.publish(READINGS, r.value) for r in records] and None)
    log.publish(READINGS, b"a")

    with pytest.raises(RuntimeError, match="not quiet"):
        log.drain()
