"""The manager's schedule: slots, gaps that are told, clocks that jump, rigs that change, jitter beside a dead chip."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor
from dt.collector.outbox import Limits, Outbox
from dt.collector.sensor_manager import SensorManager, SensorSource
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock, SystemClock
from dt.utils.dataclasses import GapCause, GapNotice, SensorData, SensorDescriptor
from dt.utils.exceptions import MessagingError, SensorError
from dt.utils.quantities import Quantity, Unit

Eventually = Callable[[Callable[[], object], str], None]
Look = Callable[[], RawReading]


class FarLog(MemoryMessaging):
    """A log that can be away."""

    is_away = False

    def publish_batch(self, batch: list[Outgoing]) -> None:  # type: ignore[override]
        if self.is_away:
            raise MessagingError("away")
        super().publish_batch(batch)


class Probe(Sensor):
    """A sensor whose looks are scripted."""

    quantity: ClassVar[Quantity] = Quantity.TEMPERATURE
    unit: ClassVar[Unit] = Unit.DEGREE_CELSIUS

    def __init__(self, descriptor: SensorDescriptor, look: Look) -> None:
        super().__init__(descriptor)
        self._look = look

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> Probe:
        raise NotImplementedError

    def read_sensor(self) -> RawReading:
        return self._look()


def fine() -> RawReading:
    """Find 20 degC."""
    return RawReading(20.0)


def source(name: str = "t", look: Look = fine, every_s: float = 5.0, **more: str) -> SensorSource:
    """Declare a scripted sensor on a lane of its own."""
    descriptor = SensorDescriptor(
        sensor_id=name, zone_id="box", data_type=Quantity.TEMPERATURE, kind="t", read_interval=every_s,
        name=more.get("label", ""),
    )  # fmt: skip
    return SensorSource(descriptor=descriptor, open=lambda: Probe(descriptor, look), lane=more.get("lane", name))


class Stand:
    """A manager that is stepped by hand, on an outbox on disk."""

    def __init__(self, clock: ManualClock, folder: Path) -> None:
        self.clock = clock
        self.folder = folder
        self.log = FarLog()
        self.is_synced = True
        self.manager: SensorManager | None = None

    def begin(self, *sources: SensorSource, machine: str = "m", limits: Limits | None = None) -> SensorManager:
        """Open a manager, as a start of the collector does."""
        outbox = Outbox(self.log, self.clock, self.folder, limits=limits)
        self.manager = SensorManager(sources, outbox, self.clock, clock_synced=lambda: self.is_synced, machine=machine)
        self.manager.open()
        return self.manager

    def live(self, seconds: float) -> None:
        """Step to an instant, reading whatever is due on the way."""
        assert self.manager is not None
        end_s = self.clock.monotonic() + seconds
        while True:
            self.manager.read_due_sensors()
            step_s = self.manager.seconds_to_next_read()
            if self.clock.monotonic() + step_s >= end_s:
                break
            self.clock.advance(step_s)
        self.clock.advance(max(0.0, end_s - self.clock.monotonic()))
        self.manager.tend()

    def end(self) -> None:
        """Stop as a person does."""
        if self.manager is not None:
            self.manager.close()
            self.manager = None

    def readings(self, name: str = "t") -> list[SensorData]:
        """Return what has reached the log of a sensor."""
        found = [SensorData.from_json(record.value or b"") for record in self.log.read_all(Topics.TEMPERATURE.raw)]
        return [each for each in found if each.sensor_id == name]

    def notices(self, name: str = "t") -> list[GapNotice]:
        """Return what was told of a sensor's gaps."""
        found = [GapNotice.from_json(record.value or b"") for record in self.log.read_all(Topics.GAPS)]
        return [each for each in found if each.sensor_id == name]


@pytest.fixture
def stand(clock: ManualClock, tmp_path: Path) -> Iterator[Stand]:
    """Return a stand that is cleared away afterwards."""
    stand = Stand(clock, tmp_path)
    yield stand
    stand.end()
    stand.log.close()


def test_numbers_count_slots_not_successes(stand: Stand) -> None:
    """Two slots without a reading leave a hole of two; retries within a slot use no number."""
    start = stand.clock.monotonic()

    def look() -> RawReading:
        at = stand.clock.monotonic() - start
        if 9.9 < at < 19.0 or at in (0.0, 0.5):
            raise SensorError("no answer")
        return fine()

    stand.begin(source(look=look))
    stand.live(35.0)
    stand.end()

    assert [each.sequence for each in stand.readings()] == [0, 1, 4, 5, 6]
    assert stand.readings()[0].timestamp == pytest.approx(stand.clock.wall() - 35.0 + 1.5)
    [notice] = stand.notices()
    assert (notice.first_sequence, notice.last_sequence, notice.count) == (2, 3, 2)
    assert (notice.cause, notice.why, notice.until - notice.since) == (GapCause.SENSOR, "no answer", 10.0)


def test_a_gap_that_lasts_is_told_while_it_does(stand: Stand) -> None:
    """Every five minutes, growing; the end tells the whole of it."""

    def dead() -> RawReading:
        raise SensorError("unplugged")

    stand.begin(source(look=dead))
    for _ in range(14):
        stand.live(50.0)
    stand.end()

    told = [(notice.first_sequence, notice.last_sequence) for notice in stand.notices()]
    assert len(told) == 3
    assert {first for first, _last in told} == {0}
    assert told[-1] == (0, 139)
    assert [last for _first, last in told] == sorted(last for _first, last in told if last is not None)


@pytest.mark.parametrize("jump_s", [-86_400.0 * 365, 86_400.0 * 365 * 20])
def test_a_clock_that_jumps_neither_floods_nor_starves(stand: Stand, jump_s: float) -> None:
    """The schedule runs by the monotonic clock: as many readings after the jump as before."""
    stand.begin(source())
    stand.live(20.0)
    stand.clock.set_wall(stand.clock.wall() + jump_s)
    stand.live(20.0)
    stand.end()

    assert [each.sequence for each in stand.readings()] == list(range(8))
    times = [each.timestamp for each in stand.readings()]
    assert times[4] - times[3] == pytest.approx(5.0 + jump_s)


def test_readings_before_the_clock_was_set_are_moved_while_they_wait(stand: Stand, eventually: Eventually) -> None:
    """A Pi without a clock chip begins in the past: what waits gets its true time, also that of an earlier run."""
    stand.log.is_away = True
    stand.is_synced = False
    true_time = stand.clock.wall()
    stand.clock.set_wall(946_684_800.0)
    stand.begin(source())
    stand.live(10.0)
    stand.end()
    stand.begin(source())
    stand.live(10.0)

    stand.clock.set_wall(true_time + 20.0)
    stand.is_synced = True
    stand.live(10.0)
    stand.log.is_away = False

    def arrived() -> bool:
        stand.clock.advance(1.0)
        return len(stand.readings()) >= 6

    eventually(arrived, "all arrived")
    readings = stand.readings()[:6]
    assert [each.timestamp - true_time for each in readings] == pytest.approx([0.0, 5.0, 10.0, 15.0, 20.0, 25.0])
    assert all(each.clock_synced for each in readings)


def test_readings_that_left_before_the_clock_was_set_say_so(stand: Stand, eventually: Eventually) -> None:
    """What the log has already cannot be moved; it is flagged."""
    stand.is_synced = False
    stand.begin(source())
    stand.live(7.0)

    eventually(lambda: len(stand.readings()) == 2, "both arrived")
    assert not any(each.clock_synced for each in stand.readings())


@pytest.mark.parametrize(
    ("end", "machine", "cause"),
    [("clean", "m", GapCause.COLLECTOR_OFF), ("kill", "m", GapCause.KILLED), ("kill", "n", GapCause.POWER_CUT)],
)
def test_a_start_tells_how_long_the_collector_was_away_and_why(
    stand: Stand, eventually: Eventually, end: str, machine: str, cause: GapCause
) -> None:
    """By its last sign of life, which is at most ten seconds old."""
    stand.begin(source())
    stand.live(30.0)
    assert stand.manager is not None
    if end == "clean":
        stand.end()
    else:
        eventually(lambda: stand.readings()[-1:] and stand.manager.outbox.health()["in_memory"] == 0, "all is kept")  # type: ignore[union-attr]
        stand.manager.outbox.note("flush", "now")
        eventually(lambda: stand.manager.outbox.noted().get("flush") == "now", "the sign of life is kept")  # type: ignore[union-attr]
        kept = stand.manager
        stand.manager = None
        kept.outbox.stop()  # the outbox alone ends: nobody says that the collector did
    stand.clock.advance(60.0)

    stand.begin(source(), machine=machine)
    eventually(stand.notices, "the gap is told")

    [notice] = stand.notices()
    assert notice.cause is cause
    assert notice.first_sequence is None
    assert 60.0 <= notice.until - notice.since <= 70.0
    assert notice.count == int((notice.until - notice.since) / 5.0)


def test_what_the_outbox_drops_is_told_to_the_reading(stand: Stand, eventually: Eventually) -> None:
    """One notice for a run of dropped readings, with their numbers."""
    stand.log.is_away = True
    stand.begin(source(), limits=Limits(records=10))
    for _ in range(30):
        stand.live(5.0)
    assert stand.manager is not None
    eventually(lambda: stand.manager.outbox.dropped >= 20, "twenty were dropped")  # type: ignore[union-attr]
    stand.log.is_away = False

    def arrived() -> bool:
        stand.live(5.0)
        return any(notice.cause is GapCause.OUTBOX_FULL for notice in stand.notices())

    eventually(arrived, "the loss is told")
    told = {
        number
        for notice in stand.notices()
        if notice.cause is GapCause.OUTBOX_FULL
        for number in range(notice.first_sequence or 0, (notice.last_sequence or 0) + 1)
    }
    there = {each.sequence for each in stand.readings()}
    eventually(lambda: len(stand.readings()) >= 8, "the rest arrived")
    assert told
    assert told.isdisjoint(there)


def test_a_changed_rig_leaves_the_unchanged_alone(stand: Stand, eventually: Eventually) -> None:
    """Who stays keeps its numbers; who is changed or put back goes on counting; who goes is told to be gone."""
    manager = stand.begin(source("stays"), source("changes"), source("goes"))
    stand.live(12.0)

    done = manager.reload([source("stays"), source("changes", every_s=2.0), source("comes")])
    stand.live(12.0)
    manager.reload([source("stays"), source("goes")])
    stand.live(12.0)
    stand.end()

    assert done == {"added": ["comes"], "changed": ["changes"], "removed": ["goes"]}
    assert [each.sequence for each in stand.readings("stays")] == list(range(8))
    numbers = [each.sequence for each in stand.readings("changes")]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == 3 + 6
    assert [each.sequence for each in stand.readings("comes")] == [0, 1, 2]
    assert [each.sequence for each in stand.readings("goes")] == [0, 1, 2, 3, 4, 5]
    assert [notice.cause for notice in stand.notices("goes")] == [GapCause.REMOVED, GapCause.CADENCE]
    [change] = stand.notices("changes")[:1]
    assert (change.cause, change.first_sequence, change.step_s) == (GapCause.CADENCE, 3, 2.0)
    assert change.since == stand.readings("changes")[3].timestamp


def test_a_new_name_keeps_the_grid(stand: Stand) -> None:
    """What does not touch the cadence does not move the slots."""
    manager = stand.begin(source())
    stand.live(12.0)
    manager.reload([source(label="Air")])
    stand.live(10.0)
    stand.end()

    times = [each.timestamp for each in stand.readings()]
    assert [later - times[0] for later in times] == pytest.approx([0.0, 5.0, 10.0, 15.0, 20.0])


def test_sensors_come_and_go_while_lanes_run(messaging: MemoryMessaging, eventually: Eventually) -> None:
    """In threads: a lane ends with its last sensor, a new one begins with its first."""
    manager = SensorManager([source("a", every_s=0.05)], Outbox(messaging, SystemClock(), None), SystemClock())
    manager.start()
    try:
        manager.reload([source("b", every_s=0.05)])
        eventually(lambda: "sensors b" in threads() and "sensors a" not in threads(), "lanes follow the rig")
        eventually(lambda: len(messaging.read_all(Topics.TEMPERATURE.raw)) > 3, "the new one is read")
    finally:
        manager.stop()
    assert not {"sensors a", "sensors b"} & threads()


class StuckLog(MemoryMessaging):
    """A log behind a half-open connection: what is published waits for an answer that never comes."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def publish_batch(self, batch: list[Outgoing]) -> None:  # type: ignore[override]
        self.let_go.wait(20.0)
        super().publish_batch(batch)


def test_stopping_takes_its_time_once_however_much_hangs(tmp_path: Path, eventually: Eventually) -> None:
    """Three chips hang in their drivers, and the log does too: the steps share one deadline."""
    log = StuckLog()
    hung = threading.Semaphore(0)

    def hang() -> RawReading:
        hung.release()
        log.let_go.wait(20.0)
        return RawReading(20.0)

    clock = SystemClock()
    sources = [source(name, look=hang) for name in ("a", "b", "c")] + [source("fine", every_s=0.05)]
    manager = SensorManager(sources, Outbox(log, clock, tmp_path), clock)
    manager.start()
    eventually(lambda: len(manager.outbox) > 2, "readings wait")
    assert all(hung.acquire(timeout=5.0) for _ in range(3))
    try:
        began_s = clock.monotonic()
        manager.stop(within_s=1.5)
        took_s = clock.monotonic() - began_s
    finally:
        log.let_go.set()
    assert took_s < 1.5 + 1.4  # all three at once: one after the other they would take 4.5 s
    eventually(lambda: not {"sensors a", "sensors b", "sensors c"} & threads(), "the threads end when they can")


def threads() -> set[str]:
    """Return the names of the running threads."""
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.slow
@pytest.mark.parametrize("dead", ["hangs", "slow", "refuses"])
def test_jitter_stays_below_50_ms_beside_a_dead_sensor(messaging: MemoryMessaging, tmp_path: Path, dead: str) -> None:
    """p99 of how late looks begin, over 20 s of four healthy sensors beside one that is dead, on a disk."""
    ends = threading.Event()

    def lifeless() -> RawReading:
        if dead == "hangs":
            ends.wait(60)
        elif dead == "slow":
            ends.wait(1.0)
        raise SensorError("dead")

    clock = SystemClock()
    healthy = [source(f"h{number}", fine, every_s=0.1) for number in range(4)]
    manager = SensorManager(
        [*healthy, source("dead", lifeless, every_s=0.1)], Outbox(messaging, clock, tmp_path), clock
    )
    manager.start()
    ends.wait(20.0)
    ends.set()
    manager.stop()

    late_ms = []
    for each in healthy:
        begun = [reading.timestamp - 0.1 * reading.sequence for reading in readings_of(messaging, each)]
        late_ms += [1000.0 * (at - min(begun)) for at in begun]
    assert len(late_ms) > 600
    p99 = sorted(late_ms)[int(0.99 * len(late_ms))]
    assert p99 < 50.0, f"p99 {p99:.1f} ms, most {max(late_ms):.1f} ms, of {len(late_ms)} looks"


def readings_of(messaging: MemoryMessaging, sensor: SensorSource) -> list[SensorData]:
    """Return what the log has of a sensor."""
    found = [SensorData.from_json(record.value or b"") for record in messaging.read_all(Topics.TEMPERATURE.raw)]
    return [each for each in found if each.sensor_id == sensor.descriptor.sensor_id]


def test_descriptor_changes_are_seen_whole() -> None:
    """Any field makes another source; the same fields do not."""
    one = source()
    assert one.descriptor == source().descriptor
    assert one.descriptor != dataclasses.replace(one.descriptor, calibration={"version": 2})
