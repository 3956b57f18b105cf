"""Faults of the machine that the collector runs on (F15-F17): network, clock, disk, and sudden ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from dt.collector.binding import Binding
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import SensorData, SensorDescriptor, Verdict
from tests.conftest import wait_until
from tests.faults.fault_rows import FaultRows, injected
from tests.faults.field import START, Field, probe, zones

WAITED = "read on, kept the readings in the outbox, published all of them in order afterwards"
RIG = zones("basil") + probe("soil", 0x36, every_s=5.0)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Return a field whose clock is moved by hand."""
    with Field(tmp_path_factory.mktemp("host"), RIG, clock=ManualClock(wall=START)) as field:
        field.collect(is_stepped=True)
        yield field


@pytest.fixture
def field(lived: Field) -> Iterator[Field]:
    """Return the field after a quiet moment; whatever befell its host is over after the test."""
    lived.step(10.0)
    lived.arrived()
    yield lived
    for fault in lived.simulator.wire.desk.all():
        lived.end(fault.id)
    lived.step(2.0)
    lived.arrived()


def field_names(field: Field) -> list[str]:
    """Return the sensors of the rig."""
    return [sensor.sensor_id for sensor in field.rig.sensors]


def sequences(field: Field) -> list[int]:
    """Return the numbers of the readings that the log has, in its order."""
    return [reading.sequence for reading in field.seen("soil").readings]


def unique(readings: list[SensorData]) -> list[SensorData]:
    """Return readings as a store keeps them: one per sensor and time, in order of time."""
    return sorted({reading.timestamp: reading for reading in readings}.values(), key=lambda reading: reading.timestamp)


def in_order(field: Field, before: int) -> list[int]:
    """Return the numbers of the readings that came after the first ones, as a store has them: each once."""
    return [reading.sequence for reading in unique(field.seen("soil").readings[before:])]


def is_contiguous(numbers: list[int]) -> bool:
    """Return whether each number is one more than the one before."""
    return all(later == former + 1 for former, later in itertools.pairwise(numbers))


def test_f15_a_broker_that_is_away_loses_nothing(field: Field, fault_rows: FaultRows) -> None:
    """Reading goes on; what waits is said, and arrives in order, once, when the broker is back."""
    before = len(sequences(field))
    fault_id = field.order("F15", "host", what="broker", mode="away")
    field.step(40.0)
    meanwhile, health = len(sequences(field)), field.manager.health() if field.manager else {}
    field.end(fault_id)
    field.step(2.0)
    field.arrived()

    fault_rows.add("F15", "mode away, what broker", WAITED, f"health: {health['waiting']} wait; log: {health['log']}")
    assert meanwhile <= before + 1  # the fault is heard of within a second
    assert int(str(health["waiting"])) >= 7
    assert health["log"] == "no broker answers"
    assert len(sequences(field)) >= before + 8
    assert is_contiguous(in_order(field, before))
    assert field.seen("soil").misses == 0


@pytest.mark.parametrize(
    ("mode", "said"), [pytest.param("slow", "ok", marks=pytest.mark.slow), ("half_open", "half-open")]
)
def test_f15_a_slow_network_delays_publishing_alone(field: Field, fault_rows: FaultRows, mode: str, said: str) -> None:
    """The sensors keep their cadence while a call to the broker hangs; half-open, each hangs until its time-out."""
    before = len(sequences(field))
    fault_id = field.order("F15", "host", what="network", mode=mode, delay_s=3.0)
    field.step(30.0)
    health = field.manager.health() if field.manager else {}
    field.end(fault_id)
    field.step(5.0)
    field.arrived()

    fault_rows.add("F15", f"mode {mode}, what network", WAITED, f"health: log: {health['log']}")
    assert said in str(health["log"])
    assert len(sequences(field)) >= before + 7
    assert is_contiguous(in_order(field, before))


def test_f15_a_database_that_is_away_delays_binding_alone(field: Field, fault_rows: FaultRows) -> None:
    """Which sensors the database does not know yet is said; they are bound when it is back."""
    bound: list[str] = []

    class Database:
        def bind_sensor(self, descriptor: SensorDescriptor) -> object:
            bound.append(descriptor.sensor_id)
            return None

    clock = field.clock
    assert isinstance(clock, ManualClock)
    assert field.machine is not None
    fault_id = field.order("F15", "host", what="database", mode="away")
    field.step(5.0)
    binding = Binding(field.rig.sensors, field.machine.database(Database()), clock)
    binding.start()
    field.step(5.0)
    meanwhile = (list(bound), binding.health()["unbound"])
    misses = field.seen("soil").misses
    field.end(fault_id)

    def is_bound() -> bool:
        field.step(1.0)
        return bool(bound)

    wait_until(is_bound, "the sensor is bound")
    binding.stop()
    did = "bound the sensor when the database was back; reading and publishing went on"
    fault_rows.add("F15", "mode away, what database", did, f"health: binding: unbound {', '.join(field_names(field))}")
    assert meanwhile == ([], ["soil"])
    assert misses == 0


@pytest.mark.parametrize(
    ("parameters", "year", "why"),
    [
        ({"mode": "jump", "year": 2000}, 2000, "the reading's time is before 2015"),
        pytest.param({"mode": "jump", "year": 2049}, 2049, "s ahead of its arrival", marks=pytest.mark.slow),
        pytest.param({"mode": "daylight_saving", "hours": 1}, None, "s ahead of its arrival", marks=pytest.mark.slow),
    ],
)
def test_f16_a_clock_that_jumps_neither_floods_nor_starves(
    field: Field, fault_rows: FaultRows, parameters: dict[str, object], year: int | None, why: str
) -> None:
    """The cadence is the monotonic clock's; readings of the wrong time are stored, and judged bad."""
    before, began = len(sequences(field)), field.clock.wall()
    shift_s = 3600.0 if year is None else datetime(year, 1, 1, tzinfo=UTC).timestamp() - began
    fault_id = field.order("F16", "host", **parameters)
    field.step(30.0)
    field.end(fault_id)
    field.step(20.0)
    field.arrived()
    wait_until(lambda: len(field.seen("soil").processed) == len(sequences(field)), "all is processed")

    seen = field.seen("soil")
    moved = [reading for reading in seen.processed[before:] if abs(reading.timestamp - shift_s - began) < 120.0]
    quality = moved[0].quality
    assert quality is not None
    did = "kept its cadence by the monotonic clock, published with the machine's own time"
    fault_rows.add("F16", injected(parameters), did, f"quality: {quality.verdict}: {quality.why}")
    assert 5 <= len(moved) <= 7
    assert {reading.quality.verdict for reading in moved if reading.quality} == {Verdict.BAD}
    assert all(reading.quality and why in reading.quality.why for reading in moved)
    assert len(seen.readings) == pytest.approx(before + 10, abs=1)
    assert is_contiguous(sequences(field)[before:])
    assert seen.processed[-1].quality is not None
    assert seen.processed[-1].quality.verdict is Verdict.GOOD


@pytest.mark.parametrize("mode", ["duplicates", pytest.param("out_of_order", marks=pytest.mark.slow)])
def test_f16_disturbed_records_come_out_once_and_in_order(field: Field, fault_rows: FaultRows, mode: str) -> None:
    """The log has them twice or late; each is one reading all the same, by sensor and time."""
    before = len(field.seen("soil").readings)
    fault_id = field.order("F16", "host", mode=mode, share=0.5)
    for _ in range(12):
        field.step(5.0)
        field.arrived()
    field.end(fault_id)
    field.step(10.0)
    field.arrived()
    readings = field.seen("soil").readings[before:]

    numbers = [reading.sequence for reading in readings]
    is_disturbed = len(set(numbers)) < len(numbers) if mode == "duplicates" else numbers != sorted(numbers)
    did = "published each record once; on the way some came twice or late"
    stored = f"{len(unique(readings))} readings of the {len(readings)} records that came, in order of their time"
    fault_rows.add("F16", f"mode {mode}", did, f"each reading once: {stored}")
    assert is_disturbed
    assert is_contiguous([reading.sequence for reading in unique(readings)])
    assert len(unique(readings)) >= 12


def is_well(field: Field) -> bool:
    """Let a second pass, and return whether the outbox writes to its disk."""
    assert field.manager is not None
    field.step(0.5)
    return field.manager.health()["disk"] == "ok"


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("disk_full", "No space left on device"),
        pytest.param("read_only", "Read-only file system", marks=pytest.mark.slow),
    ],
)
def test_f17_an_ill_disk_is_said_and_memory_helps_out(field: Field, fault_rows: FaultRows, mode: str, why: str) -> None:
    """Readings wait in memory while the disk takes none; nothing is lost, and the disk is used again when it can be."""
    before = len(sequences(field))
    away = field.order("F15", "host", mode="away")
    ill = field.order("F17", "host", mode=mode)
    field.step(30.0)
    health = field.manager.health() if field.manager else {}
    field.end(ill)
    field.step(2.0)
    wait_until(lambda: is_well(field), "the disk is used again")
    field.end(away)
    field.step(2.0)
    field.arrived()

    did = "kept readings in memory, and wrote them to the disk when it took them again; none was lost"
    disk = str(health["disk"]).replace(str(field.settings.data_dir), "DATA_DIR")
    fault_rows.add("F17", f"mode {mode}", did, f"health: disk: {disk}")
    assert why in str(health["disk"])
    assert int(str(health["in_memory"])) >= 5
    assert is_contiguous(in_order(field, before))
    assert len(sequences(field)) >= before + 6
