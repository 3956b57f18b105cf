"""The manager: own cadences, dead and slow sensors, retries, sequence, health."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import pytest

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor
from dt.collector.outbox import Outbox
from dt.collector.sensor_manager import SensorManager, SensorSource
from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.utils.clock import Clock, ManualClock, SystemClock
from dt.utils.dataclasses import HealthReport, HealthStatus, Origin, SensorData, SensorDescriptor
from dt.utils.exceptions import SensorError
from dt.utils.quantities import Quantity, Unit

Eventually = Callable[[Callable[[], object], str], None]


class Thermometer(Sensor):
    """A sensor whose looks are scripted; it notes when it was opened, read and closed."""

    quantity: ClassVar[Quantity] = Quantity.TEMPERATURE
    unit: ClassVar[Unit] = Unit.DEGREE_CELSIUS

    def __init__(self, descriptor: SensorDescriptor, look: Callable[[], RawReading], log: list[str]) -> None:
        super().__init__(descriptor)
        self._look = look
        self._log = log
        log.append("open")

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> Thermometer:
        raise NotImplementedError

    def read_sensor(self) -> RawReading:
        self._log.append("read")
        return self._look()

    def close(self) -> None:
        self._log.append("close")


class Bench:
    """Managers with scripted sensors on one log."""

    def __init__(self, messaging: MemoryMessaging) -> None:
        self.messaging = messaging
        self._undo: list[Callable[[], None]] = []

    def run(
        self, *looks: Callable[[], RawReading], clock: Clock, every_s: float = 2.0, log: list[str] | None = None
    ) -> SensorManager:
        """Start a manager with one sensor per look, each on a lane of its own."""
        manager = self._made(looks, clock, every_s, log)
        manager.start()
        self._undo.append(manager.stop)
        return manager

    def stepped(
        self, *looks: Callable[[], RawReading], clock: Clock, every_s: float = 2.0, log: list[str] | None = None
    ) -> SensorManager:
        """Return a manager without threads of its own for reading."""
        manager = self._made(looks, clock, every_s, log)
        manager.open()
        self._undo.append(manager.close)
        return manager

    def end(self) -> None:
        """Stop what still runs."""
        for undo in self._undo:
            undo()

    def _made(
        self, looks: Sequence[Callable[[], RawReading]], clock: Clock, every_s: float, log: list[str] | None
    ) -> SensorManager:
        sources = []
        for index, look in enumerate(looks):
            descriptor = SensorDescriptor(
                sensor_id=f"t{index}", zone_id="box", data_type=Quantity.TEMPERATURE, kind="t", read_interval=every_s
            )
            sources.append(self.source(descriptor, look, [] if log is None else log))
        outbox = Outbox(self.messaging, clock, None)
        return SensorManager(sources, outbox, clock, clock_synced=lambda: True)

    @staticmethod
    def source(descriptor: SensorDescriptor, look: Callable[[], RawReading], log: list[str]) -> SensorSource:
        """Declare a scripted sensor."""
        return SensorSource(
            descriptor=descriptor, open=lambda: Thermometer(descriptor, look, log), lane=descriptor.sensor_id
        )

    def readings(self, sensor_id: str) -> list[SensorData]:
        """Return what a sensor published, oldest first."""
        records = self.messaging.read_all(Topics.TEMPERATURE.raw)
        found = [SensorData.from_json(record.value or b"") for record in records]
        return [reading for reading in found if reading.sensor_id == sensor_id]

    def reports(self, sensor_id: str) -> list[HealthReport]:
        """Return what was said of a sensor's health, oldest first."""
        records = self.messaging.read_all(Topics.HEALTH)
        return [
            HealthReport.from_json(record.value or b"") for record in records if record.key == f"collector/{sensor_id}"
        ]


@pytest.fixture
def bench(messaging: MemoryMessaging) -> Iterator[Bench]:
    """Return a bench whose managers are stopped afterwards."""
    bench = Bench(messaging)
    yield bench
    bench.end()


def fine() -> RawReading:
    """Look and find 21.5 degC."""
    return RawReading(21.5)


def broken() -> RawReading:
    """Look and find nothing."""
    msg = "no answer"
    raise SensorError(msg)


def test_reading_says_who_when_and_which_one(bench: Bench, clock: ManualClock, eventually: Eventually) -> None:
    """Identity, time, boot and a sequence that counts up; keyed by zone."""
    manager = bench.run(fine, clock=clock)
    eventually(lambda: len(bench.readings("t0")) == 1, "the first reading arrived")
    clock.advance(2.0)
    eventually(lambda: len(bench.readings("t0")) == 2, "the second reading arrived")

    first, second = bench.readings("t0")

    assert (first.value, first.unit, first.zone_id, first.origin) == (21.5, Unit.DEGREE_CELSIUS, "box", Origin.LIVE)
    assert (first.sequence, second.sequence) == (0, 1)
    assert first.boot_id == second.boot_id == manager.boot_id
    assert second.timestamp - first.timestamp == pytest.approx(2.0)
    assert first.correlation_id != second.correlation_id
    assert first.clock_synced is True
    assert {record.key for record in bench.messaging.read_all(Topics.TEMPERATURE.raw)} == {"box"}


def test_look_that_was_taken_earlier_keeps_its_time(bench: Bench, clock: ManualClock, eventually: Eventually) -> None:
    """A value of a shared look carries the time of that look."""
    bench.run(lambda: RawReading(1.0, taken_at=1_234_567.5), clock=clock)

    eventually(lambda: bench.readings("t0"), "a reading arrived")

    assert bench.readings("t0")[0].timestamp == 1_234_567.5


def test_dead_sensor_never_delays_another(bench: Bench, eventually: Eventually) -> None:
    """One sensor fails, one hangs in its driver; the third keeps its cadence."""
    hang = threading.Event()

    def hangs() -> RawReading:
        hang.wait(20)
        raise SensorError("too late")

    bench.run(broken, hangs, fine, clock=SystemClock(), every_s=0.02)

    eventually(lambda: len(bench.readings("t2")) >= 15, "the good sensor was read 15 times")
    assert bench.readings("t0") == bench.readings("t1") == []
    hang.set()


def test_stopping_leaves_a_hanging_sensor_behind(bench: Bench, clock: ManualClock) -> None:
    """A driver that never returns does not keep the service from ending."""
    hang = threading.Event()
    began = threading.Event()

    def hangs() -> RawReading:
        began.set()
        hang.wait(20)
        return RawReading(0.0)

    manager = bench.run(hangs, clock=clock)
    assert began.wait(5)
    real = SystemClock()
    since = real.monotonic()

    manager.stop(within_s=0.1)

    assert real.monotonic() - since < 4.0
    hang.set()


def test_failed_looks_are_retried_with_growing_pauses(bench: Bench, clock: ManualClock) -> None:
    """Half a second, one, two, four: a sensor that is gone is not hammered, and one that hiccups is not lost."""
    tries: list[float] = []

    def look() -> RawReading:
        tries.append(clock.monotonic())
        return broken()

    manager = bench.stepped(look, clock=clock, every_s=60.0)
    while len(tries) < 6:
        clock.advance(manager.seconds_to_next_read())
        manager.read_due_sensors()

    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0])


def test_what_was_missed_is_not_made_up_for(bench: Bench, clock: ManualClock, eventually: Eventually) -> None:
    """After a look that took longer than its cadence, the next falls on the grid, once."""
    times: list[float] = []

    def slow_once() -> RawReading:
        times.append(clock.monotonic())
        if len(times) == 1:
            clock.advance(7.0)
        return RawReading(1.0)

    start = clock.monotonic()
    bench.run(slow_once, clock=clock, every_s=2.0)
    eventually(lambda: len(times) == 1, "the slow look was taken")
    eventually(lambda: len(bench.readings("t0")) == 1, "it was published")
    clock.advance(1.0)
    eventually(lambda: len(times) == 2, "the next look was taken")

    assert times[1] - start == pytest.approx(8.0)


def test_sensor_is_opened_anew_after_three_misses(bench: Bench, clock: ManualClock, eventually: Eventually) -> None:
    """A chip that was unplugged needs its setting up again."""
    log: list[str] = []
    bench.run(broken, clock=clock, every_s=1.0, log=log)

    def advanced() -> bool:
        clock.advance(1.0)
        return log.count("open") >= 2

    eventually(advanced, "the sensor was opened again")

    assert log[:6] == ["open", "read", "read", "read", "close", "open"]


def test_driver_that_raises_anything_hurts_itself_alone(bench: Bench, eventually: Eventually) -> None:
    """Kinds of other packages may be badly written."""

    def awful() -> RawReading:
        raise ZeroDivisionError("division by zero")

    manager = bench.run(awful, fine, clock=SystemClock(), every_s=0.05)

    eventually(lambda: len(bench.readings("t1")) >= 3, "the good sensor was read")
    eventually(lambda: "ZeroDivisionError" in str(manager.health()["sensors"]), "the failure is in the health report")


def test_health_says_when_a_sensor_fails_and_when_it_is_back(
    bench: Bench, clock: ManualClock, eventually: Eventually
) -> None:
    """Three misses in a row are a failure with its reason; one value ends it. One miss alone is not reported."""
    is_broken = threading.Event()

    def look() -> RawReading:
        return broken() if is_broken.is_set() else fine()

    manager = bench.run(look, clock=clock, every_s=1.0)
    eventually(lambda: bench.reports("t0"), "health was reported")
    is_broken.set()

    def after_a_second(status: HealthStatus) -> Callable[[], bool]:
        def reached() -> bool:
            clock.advance(1.0)
            return bench.reports("t0")[-1].status is status

        return reached

    eventually(after_a_second(HealthStatus.FAILED), "the failure was reported")
    assert bench.reports("t0")[-1].why == "no answer"
    assert manager.failing() == ["t0"]
    is_broken.clear()
    eventually(after_a_second(HealthStatus.OK), "the recovery was reported")

    assert manager.failing() == []
