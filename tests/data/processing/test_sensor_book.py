"""The registry as processing sees it."""

from __future__ import annotations

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Record
from dt.communication.topics import Topics
from dt.data.processing.sensor_book import SensorBook
from dt.utils.clock import ManualClock
from tests.data.readings import NOW, make_descriptor, register

POINTS = [[1, 0.0], [2, 1.0]]


def test_unknown_sensor_makes_the_book_look_again(messaging: MemoryMessaging, clock: ManualClock) -> None:
    """A sensor may be bound a moment before its first reading."""
    book = SensorBook(messaging, clock)
    register(messaging, make_descriptor("late"))

    assert book.find("late") is not None


def test_book_looks_at_most_once_a_second(messaging: MemoryMessaging, clock: ManualClock) -> None:
    """A stream of strangers must not read the registry for every record."""
    book = SensorBook(messaging, clock)
    book.find("stranger")
    register(messaging, make_descriptor("late"))

    at_once = book.find("late")
    clock.advance(1.0)
    after_a_second = book.find("late")

    assert at_once is None
    assert after_a_second is not None


def test_stranger_that_was_looked_for_in_vain_waits_longer(messaging: MemoryMessaging, clock: ManualClock) -> None:
    """The registry is not read every second for a sensor that nobody binds; the subscription brings it anyway."""
    book = SensorBook(messaging, clock)
    book.find("stranger")
    register(messaging, make_descriptor("stranger"))

    clock.advance(2.0)
    soon = book.find("stranger")
    clock.advance(30.0)
    later = book.find("stranger")

    assert soon is None
    assert later is not None


def test_newest_calibration_counts_whatever_the_order(messaging: MemoryMessaging, clock: ManualClock) -> None:
    """A subscription that begins earlier than the refresh repeats older records."""
    register(messaging, make_descriptor("soil", calibration={"version": 1, "points": POINTS}))
    register(messaging, make_descriptor("soil", calibration={"version": 2, "points": POINTS}))
    book = SensorBook(messaging, clock)
    records = messaging.read_all(Topics.REGISTRY)

    book.accept(reversed(records))

    entry = book.find("soil")
    assert entry is not None
    assert entry.calibration is not None
    assert entry.calibration.version == 2


def test_tombstone_forgets_a_sensor(messaging: MemoryMessaging, clock: ManualClock) -> None:
    """A deleted record is no longer known."""
    register(messaging, make_descriptor("gone"))
    book = SensorBook(messaging, clock)
    book.refresh()

    book.accept([Record(Topics.REGISTRY, 0, 99, "sensor:gone", None, {}, NOW)])

    assert book.find("gone") is None


def test_sensor_with_an_unusable_calibration_is_known_without_it(
    messaging: MemoryMessaging, clock: ManualClock
) -> None:
    """The reading then says that it has no calibration; the stream goes on."""
    register(messaging, make_descriptor("soil", calibration={"points": "nonsense"}))
    entry = SensorBook(messaging, clock).find("soil")

    assert entry is not None
    assert entry.calibration is None
