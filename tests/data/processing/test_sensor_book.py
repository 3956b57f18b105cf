"""The registry as processing sees it."""

from __future__ import annotations

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Record
from dt.communication.topics import Topics
from dt.data.processing.sensor_book import SensorBook
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import RegistryRecord, SensorCalibration
from tests.data.readings import NOW, make_descriptor, register

POINTS = [[1, 0.0], [2, 1.0]]


def say_calibration(messaging: MemoryMessaging, version: int, since: float, *, is_taken_away: bool = False) -> None:
    """Say on the registry topic what the database would of a version of the soil sensor's calibration."""
    body = None if is_taken_away else {"version": version, "points": POINTS}
    kept = SensorCalibration(sensor_id="soil", version=version, since=since, calibration=body)
    name = f"calibration:soil:{version}"
    record = RegistryRecord(record_id=name, kind="calibration", timestamp=NOW, body=kept.to_dict())
    messaging.publish(Topics.REGISTRY, record, key=name)


def version_at(book: SensorBook, timestamp: float) -> int | None:
    """Return which calibration the soil sensor's readings of an instant are made by."""
    entry = book.find("soil")
    assert entry is not None
    found = entry.calibration_at(timestamp)
    return None if found is None else found.version


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


def test_reading_has_the_calibration_that_was_valid_for_its_time(
    messaging: MemoryMessaging, clock: ManualClock
) -> None:
    """Not the newest: what waited in an outbox was measured before; of what was before all, the first."""
    for version, since in ((1, NOW), (2, NOW + 10), (3, NOW + 20)):
        say_calibration(messaging, version, since)
    register(messaging, make_descriptor("soil", calibration={"version": 3, "points": POINTS}))
    book = SensorBook(messaging, clock)

    found = [version_at(book, NOW + at) for at in (-1e6, 0, 9.999, 10, 19, 20, 1e6)]

    assert found == [1, 1, 1, 2, 2, 3, 3]


def test_later_version_that_reaches_back_wins(messaging: MemoryMessaging, clock: ManualClock) -> None:
    """A person corrects a calibration also for what was measured by the wrong one."""
    for version, since in ((1, NOW), (2, NOW + 20), (3, NOW + 10)):
        say_calibration(messaging, version, since)
    register(messaging, make_descriptor("soil", calibration={"version": 3, "points": POINTS}))
    book = SensorBook(messaging, clock)

    assert [version_at(book, NOW + at) for at in (5, 15, 25)] == [1, 3, 3]


def test_calibration_that_was_taken_away_reads_nothing_from_then_on(
    messaging: MemoryMessaging, clock: ManualClock
) -> None:
    """Counts stay counts again; what was before keeps its scale."""
    say_calibration(messaging, 1, NOW)
    say_calibration(messaging, 2, NOW + 10, is_taken_away=True)
    register(messaging, make_descriptor("soil"))
    book = SensorBook(messaging, clock)

    assert [version_at(book, NOW + at) for at in (5, 15)] == [1, None]


def test_version_that_only_the_sensor_tells_holds_since_then(messaging: MemoryMessaging, clock: ManualClock) -> None:
    """A registry that lost a record of a version still reads counts."""
    say_calibration(messaging, 1, NOW - 100)
    register(messaging, make_descriptor("soil", calibration={"version": 2, "points": POINTS}))
    book = SensorBook(messaging, clock)

    assert [version_at(book, NOW + at) for at in (-5, 5)] == [1, 2]
