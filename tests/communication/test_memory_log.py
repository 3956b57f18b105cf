"""How much the log in memory keeps: by count and by bytes, and never less than a group still has to read."""

from __future__ import annotations

from dt.communication.memory import MemoryMessaging
from dt.communication.memory_log import MemoryLog
from dt.communication.messaging import Outgoing, Start
from dt.communication.topics import TOPIC_TABLE, Topics

PICTURES = Topics.CAMERA_IMAGE.raw


def test_pictures_do_not_fill_the_memory() -> None:
    """Long before there are too many of them there are too many bytes."""
    log = MemoryLog(TOPIC_TABLE, kept_records=1000, kept_bytes=100_000)
    for _ in range(200):
        log.append(Outgoing(PICTURES, b"x" * 10_000, "box"), 0.0)

    place = next(place for place in log.partitions_of([PICTURES]) if log.end(place))
    kept = log.read(place, 0, 1000)
    assert 5 <= len(kept) <= 10
    assert kept[-1].offset == 199


def test_what_a_group_has_not_read_stays() -> None:
    """However many bytes that are; afterwards it goes."""
    log = MemoryLog(TOPIC_TABLE, kept_records=1000, kept_bytes=100_000)
    group = log.join("slow", [PICTURES], Start.EARLIEST)
    for _ in range(50):
        log.append(Outgoing(PICTURES, b"x" * 10_000, "box"), 0.0)
    place = next(place for place in log.partitions_of([PICTURES]) if log.end(place))
    assert len(log.read(place, 0, 1000)) == 50
    group.offsets[place] = 50
    log.append(Outgoing(PICTURES, b"x", "box"), 0.0)

    assert len(log.read(place, 0, 1000)) <= 6


def test_one_record_larger_than_all_that_is_kept_can_still_be_read() -> None:
    """The newest always stays."""
    messaging = MemoryMessaging(kept_bytes=10)
    messaging.publish_batch([Outgoing(PICTURES, b"x" * 100, "box"), Outgoing(PICTURES, b"y" * 100, "box")])

    assert [record.value for record in messaging.read_all(PICTURES)] == [b"y" * 100]
    messaging.close()


def test_tombstones_of_a_compacted_topic_go_once_all_have_read_them() -> None:
    """Keys that came and went leave nothing behind, and offsets never go back."""
    log = MemoryLog(TOPIC_TABLE)
    group = log.join("reader", [Topics.HEALTH], Start.EARLIEST)
    place = (Topics.HEALTH.value, 0)
    log.append(Outgoing(Topics.HEALTH, b"well", "stays"), 0.0)
    for number in range(5000):
        for value in (b"here", None):
            log.append(Outgoing(Topics.HEALTH, value, f"stranger-{number}"), 0.0)
        group.offsets[place] = log.end(place)

    kept = log.read(place, 0, 10_000)
    assert kept[0].value == b"well"
    assert len(kept) <= 2001
    assert log.end(place) == 10_001
