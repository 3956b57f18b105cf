"""The same topics, however they interleave, are batched, or interrupted: the same last word on everything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing, Record
from dt.communication.topics import Topics
from dt.data.processing.processor import Processor
from dt.evaluation.spark_zone import ZoneState, judge_records
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import SensorData
from tests.data.processing.series import SENSORS, START, last_words, new_processor, records_of, state_of
from tests.data.readings import make_reading, readings_in, register

THERMOMETERS, HYGROMETERS = ("air-t", "air-t2", "stranger-t"), ("air-h", "a-stranger-h")
DEGREES, PERCENTS = (20.0, 21.5, 70.0), (55.0, 61.0, 0.05, 99.0)  # 70 and 0.05 are suspect, strangers always
PAUSES_S = (10.0, 10.0, 10.0, 0.2, 4.8, 31.0, 100.0)


@st.composite
def topics(draw: st.DrawFn, sensors: tuple[str, ...], data_type: str, values: tuple[float, ...]) -> list[SensorData]:
    """Return one topic: sensors that often measure at the same instant, and sometimes are out of order."""
    found: list[tuple[int, SensorData]] = []
    at = START
    for place in range(draw(st.integers(1, 8))):
        at += draw(st.sampled_from(PAUSES_S))
        for sensor_id in draw(st.lists(st.sampled_from(sensors), min_size=1, max_size=3, unique=True)):
            reading = make_reading(sensor_id, data_type, draw(st.sampled_from(values)), timestamp=at)
            found.append((place + draw(st.sampled_from((0, 0, 0, 0, 1, 5))), reading))
    return [reading for _place, reading in sorted(found, key=lambda one: one[0])]


@st.composite
def merged(draw: st.DrawFn, first: Sequence[SensorData], second: Sequence[SensorData]) -> list[SensorData]:
    """Return the two topics interleaved, each in its own order."""
    queues, mixed = [list(first), list(second)], []
    while queues[0] and queues[1]:
        mixed.append(queues[draw(st.integers(0, 1))].pop(0))
    return mixed + queues[0] + queues[1]


def last_of_batches(raw: Sequence[SensorData], cuts: Sequence[int]) -> list[SensorData]:
    """Return the last word on everything, with another process after each cut, as when one is killed or rebalanced."""
    outputs: list[Outgoing] = []
    records = records_of(raw)
    bounds = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    for since, until in pairwise(bounds):
        processor: Processor = new_processor()
        processor.restore(state_of(outputs))
        outputs += processor.transform(records[since:until])
    return in_order(readings_in(outputs))


def last_of_spark(raw: Sequence[SensorData]) -> list[SensorData]:
    """Return what a Spark worker makes of them."""
    registry = MemoryMessaging(ManualClock())
    register(registry, *SENSORS)
    records: list[Record] = records_of(raw)
    found, _state = judge_records(registry.read_all(Topics.REGISTRY), "UTC", records, ZoneState())
    registry.close()
    return in_order([SensorData.from_json(body) for _place, _topic, body in found])


def in_order(readings: Sequence[SensorData]) -> list[SensorData]:
    """Return the last words in one order."""
    return sorted(last_words(readings), key=lambda one: (one.data_type, one.sensor_id, one.timestamp))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_interleavings_batches_and_restarts_change_no_last_word(data: st.DataObject) -> None:
    """Values, verdicts, causes and even revisions are the same, of the service and of Spark."""
    temperatures = data.draw(topics(THERMOMETERS, "temperature", DEGREES))
    humidities = data.draw(topics(HYGROMETERS, "humidity", PERCENTS))
    mixed = data.draw(merged(temperatures, humidities))
    cuts = data.draw(st.lists(st.integers(0, len(mixed)), max_size=3))

    expected = last_of_batches([*temperatures, *humidities], [])

    assert last_of_batches(mixed, cuts) == expected
    assert last_of_batches([*humidities, *temperatures], cuts) == expected
    assert last_of_spark(mixed) == expected


def test_a_better_thermometer_of_the_same_instant_makes_the_deficit_again() -> None:
    """The first pair is said at once; the good reading beside it replaces the doubted one, whichever came first."""
    doubted = make_reading("air-t", value=70.0, timestamp=START)
    good = make_reading("air-t2", value=20.0, timestamp=START)
    moist = make_reading("air-h", "humidity", 50.0, timestamp=START)

    for raw in ([doubted, moist, good], [doubted, good, moist], [moist, good, doubted]):
        found = [one for one in readings_in(new_processor().transform(records_of(raw))) if one.data_type == "vpd"]

        assert found[-1].caused_by == (good.correlation_id, moist.correlation_id)
        assert found[-1].quality is not None
        assert found[-1].quality.verdict == "good"
        assert [one.revision for one in found] == sorted({one.revision for one in found})


def test_one_thermometer_and_one_hygrometer_wait_for_nothing() -> None:
    """The pair of an instant is said with the reading that completes it, once, as revision 0."""
    processor = new_processor()
    for minute in range(50):
        temperature = make_reading("air-t", value=20.0 + minute % 3, timestamp=START + 60.0 * minute)
        humidity = make_reading("air-h", "humidity", 50.0 + minute % 2, timestamp=START + 60.0 * minute)

        before = readings_in(processor.transform(records_of([temperature])))
        after = readings_in(processor.transform(records_of([humidity])))

        assert [one.data_type for one in before if one.data_type in {"vpd", "dew_point"}] == []
        assert [(one.data_type, one.revision) for one in after[1:]] == [("dew_point", 0), ("vpd", 0)]
