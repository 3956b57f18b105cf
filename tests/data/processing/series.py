"""Series of readings for the tests of the gates, and what becomes of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Record
from dt.communication.topics import Topics
from dt.data.processing.processor import Processor
from dt.data.processing.sensor_book import SensorBook
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import SensorData
from tests.data.readings import NOW, make_descriptor, make_reading, raw_record, readings_in, register

START = NOW - 40 * 86_400.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
UNITS = {"soil_temperature": "degC"}

SENSORS = (
    make_descriptor("air-t"),
    make_descriptor("air-t2"),
    make_descriptor("air-h", "humidity"),
    make_descriptor("lux", "light_intensity", kind="bh1750", options={"light_source": "cool_white"}),
    make_descriptor("soil", "soil_moisture", kind="seesaw", plant_id="basil"),
)


def new_processor(timezone: str = "UTC") -> Processor:
    """Return a processor that knows the sensors."""
    clock = ManualClock()
    messaging = MemoryMessaging(clock)
    register(messaging, *SENSORS)
    processor = Processor(SensorBook(messaging, clock), clock, timezone=timezone)
    processor.restore([])
    return processor


def series(
    values: Iterable[float],
    sensor_id: str = "air-t",
    data_type: str = "temperature",
    *,
    every_s: float = MINUTE,
    start: float = START,
    **more: object,
) -> list[SensorData]:
    """Return readings of a sensor that counts, one every `every_s`."""
    return [
        make_reading(sensor_id, data_type, value, timestamp=start + i * every_s, boot_id="b1", sequence=i + 1, **more)
        for i, value in enumerate(values)
    ]


def trembling(number: int, level: float = 20.0, noise: float = 0.1, digits: int = 1, seed: int = 1) -> list[float]:
    """Return the values of an ordinary sensor in still air."""
    dice = random.Random(seed)
    return [round(level + dice.gauss(0.0, noise), digits) for _ in range(number)]


def records_of(raw: Sequence[SensorData]) -> list[Record]:
    """Return the log's records, each taken at its own instant."""
    return [raw_record(reading, reading.timestamp) for reading in raw]


def last_words(outputs: Iterable[SensorData]) -> list[SensorData]:
    """Return the readings in order of time, each as its highest revision says."""
    best: dict[tuple[str, str, float], SensorData] = {}
    for reading in outputs:
        key = (reading.sensor_id, reading.data_type, reading.timestamp)
        if key not in best or reading.revision >= best[key].revision:
            best[key] = reading
    return sorted(best.values(), key=lambda reading: reading.timestamp)


def run(raw: Sequence[SensorData], processor: Processor | None = None) -> list[SensorData]:
    """Return the last word on everything that a processor makes of readings."""
    made = (processor or new_processor()).transform(records_of(raw))
    return last_words(readings_in(made))


def checks_of(raw: Sequence[SensorData], run_it: Callable[[Sequence[SensorData]], list[SensorData]] = run) -> list[str]:
    """Return for each reading of the first sensor which gate doubted it, or nothing."""
    own = [reading for reading in run_it(raw) if reading.sensor_id == raw[0].sensor_id]
    return [
        (reading.quality.check or "") if reading.quality is not None and reading.quality.verdict != "good" else ""
        for reading in own
    ]


def state_of(outputs: Iterable[object]) -> list[Record]:
    """Return the state among outputs as the state topic gives it back."""
    found = [o for o in outputs if getattr(o, "topic", "") == Topics.STATE_PROCESSING]
    latest = {getattr(o, "key", None): o for o in found}
    return [
        Record(Topics.STATE_PROCESSING, 0, i, key, getattr(o, "value", None), {}, NOW)
        for i, (key, o) in enumerate(latest.items())
    ]
