"""Replay: a file becomes an archived plant, its sensors, and raw readings that a second run replaces."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dt.communication.memory import MemoryMessaging
from dt.communication.topics import Topics
from dt.evaluation.mapping import parse_mappings
from dt.evaluation.measurements import TimeColumn, read_file
from dt.evaluation.replay import ReplayReport, ReplayRequest, plant_id_of, replay
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import Origin, Plant, RegistryRecord, SensorData, SensorDescriptor
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity, Unit

TEXT = "time,wet,warm\n2024-01-01 00:00:00,0.42,20.5\n2024-01-01 00:10:00,0.41,\n2024-01-01 00:20:00,wet,20.7\n"


class Registry:
    """Remembers what replay registers and tells the log of it, as the database service does."""

    def __init__(self, messaging: MemoryMessaging) -> None:
        self.plants: list[Plant] = []
        self.sensors: list[SensorDescriptor] = []
        self._messaging = messaging

    def put_plant(self, plant: Plant) -> None:
        """Keep a plant."""
        self.plants.append(plant)

    def bind_sensor(self, descriptor: SensorDescriptor) -> None:
        """Keep a sensor."""
        self.sensors.append(descriptor)
        name = f"sensor:{descriptor.sensor_id}"
        record = RegistryRecord(record_id=name, kind="sensor", timestamp=0, body=descriptor.to_dict())
        self._messaging.publish(Topics.REGISTRY, record, key=name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a small file with an empty and a bad cell."""
    path = tmp_path / "Pot 1.csv"
    path.write_text(TEXT)
    return path


def run(
    file: Path,
    messaging: MemoryMessaging,
    registry: Registry | None = None,
    *maps: str,
    clock: ManualClock | None = None,
    speed: float = 0.0,
) -> ReplayReport:
    """Replay a file as plant `pot`."""
    request = ReplayRequest(
        file=read_file(file),
        time=TimeColumn(name="time"),
        mappings=parse_mappings(maps or ("wet=soil_moisture:fraction", "warm=temperature")),
        plant_id="pot",
        speed=speed,
    )
    return replay(request, messaging, registry or Registry(messaging), clock or ManualClock())


def sent(messaging: MemoryMessaging, topic: str = Topics.SOIL_MOISTURE.raw) -> list[SensorData]:
    """Return the readings of a raw topic."""
    return [SensorData.from_json(record.value or b"") for record in messaging.read_all(topic)]


def test_every_usable_cell_is_sent_once_as_a_replayed_reading(file: Path, messaging: MemoryMessaging) -> None:
    """Value, unit, time, place and order are the file's; the origin keeps it from causing anything."""
    report = run(file, messaging)

    first, second = sent(messaging)
    assert (first.value, first.raw_value, first.unit, first.origin) == (0.42, 0.42, Unit.FRACTION, Origin.REPLAY)
    assert (first.zone_id, first.plant_id, first.sensor_id) == ("pot", "pot", "pot-wet")
    assert second.timestamp - first.timestamp == 600.0
    assert (first.sequence, second.sequence) == (1, 2)
    assert (report.rows, report.sent, report.empty, report.refused) == (3, 4, 1, 1)
    assert report.problems == ("line 4, column wet: 'wet' is no number",)


def test_an_archives_air_is_its_own(file: Path, messaging: MemoryMessaging) -> None:
    """Nobody else stands in an archived plant's zone."""
    run(file, messaging)

    [reading, _] = sent(messaging, Topics.TEMPERATURE.raw)
    assert (reading.zone_id, reading.plant_id) == ("pot", "pot")


def test_records_are_keyed_by_zone_and_say_that_they_are_replayed(file: Path, messaging: MemoryMessaging) -> None:
    """Headers repeat the origin, so that readers need not decode."""
    run(file, messaging)

    record = messaging.read_all(Topics.SOIL_MOISTURE.raw)[0]
    assert record.key == "pot"
    assert record.headers["origin"] == b"replay"


def test_a_second_run_repeats_the_first_to_the_byte(file: Path, messaging: MemoryMessaging) -> None:
    """Same sensor, time and correlation id: what is stored is replaced, not doubled."""
    run(file, messaging)
    run(file, messaging)

    values = [record.value for record in messaging.read_all(Topics.SOIL_MOISTURE.raw)]
    assert values[:2] == values[2:]


def test_an_archived_plant_and_a_sensor_a_column_are_registered(file: Path, messaging: MemoryMessaging) -> None:
    """The archive is known before its first reading arrives."""
    registry = Registry(messaging)

    run(file, messaging, registry)

    [plant] = registry.plants
    assert (plant.plant_id, plant.zone_id, plant.archived) == ("pot", "pot", True)
    assert [(s.sensor_id, s.data_type) for s in registry.sensors] == [
        ("pot-wet", Quantity.SOIL_MOISTURE),
        ("pot-warm", Quantity.TEMPERATURE),
    ]
    assert registry.sensors[0].read_interval == 600.0


def test_an_inverted_fraction_keeps_the_files_number_as_raw_value(file: Path, messaging: MemoryMessaging) -> None:
    """What the file says can always be read back."""
    run(file, messaging, None, "wet=soil_moisture:fraction:inverted")

    first = sent(messaging)[0]
    assert (first.value, first.raw_value) == (pytest.approx(0.58), 0.42)


def test_columns_that_make_one_sensor_name_are_refused(tmp_path: Path, messaging: MemoryMessaging) -> None:
    """Two columns must not become one series."""
    path = tmp_path / "file.csv"
    path.write_text("time,a b,a-b\n2024-01-01,1,2\n")

    with pytest.raises(MessageError, match="pot-a-b"):
        run(path, messaging, None, "a b=temperature", "a-b=temperature")
    assert sent(messaging, Topics.TEMPERATURE.raw) == []


def test_with_a_speed_each_reading_waits_for_its_time(
    file: Path, messaging: MemoryMessaging, eventually: object
) -> None:
    """Ten minutes at 60 times life are ten seconds."""
    clock = ManualClock()
    maps = ("wet=soil_moisture:fraction",)
    thread = threading.Thread(target=run, args=(file, messaging, None, *maps), kwargs={"clock": clock, "speed": 60.0})
    thread.start()
    assert callable(eventually)
    eventually(lambda: len(sent(messaging)) == 1, "the first reading is sent at once")

    clock.advance(9.9)
    thread.join(0.1)
    assert len(sent(messaging)) == 1

    clock.advance(0.2)
    thread.join(5.0)
    assert len(sent(messaging)) == 2


@pytest.mark.parametrize(
    ("name", "plant"), [("moisture.csv", "moisture"), ("Pot Ä 1.TSV", "pot-1"), ("---", "archive")]
)
def test_a_file_names_its_plant(name: str, plant: str) -> None:
    """Names are safe in paths and topics."""
    assert plant_id_of(name) == plant


def test_no_reading_at_all_is_reported_as_such(tmp_path: Path, messaging: MemoryMessaging) -> None:
    """Nothing is sent, and the report says how many cells were refused."""
    path = tmp_path / "file.csv"
    path.write_text("time,wet\n2024-01-01,x\n")

    report = run(path, messaging, None, "wet=soil_moisture")

    assert (report.sent, report.refused, report.first) == (0, 1, None)
