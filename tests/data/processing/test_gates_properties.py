"""Whatever comes: no gate raises, batches and restarts change no word, and what is remembered stays small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dt.communication.messaging import Outgoing, Record
from dt.utils.dataclasses import SensorData
from tests.data.processing.series import START, new_processor, records_of, series, state_of
from tests.data.readings import make_reading, readings_in

_KINDS = (
    ("air-t", "temperature", "degC"),
    ("air-t2", "temperature", "degF"),
    ("air-h", "humidity", "%"),
    ("lux", "light_intensity", "lux"),
    ("soil", "soil_moisture", "m3/m3"),
    ("soil", "soil_moisture", "fraction"),
    ("soil", "soil_moisture", "count"),
    ("stranger", "temperature", "degC"),
)
_EXTREMES = st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, 65535.0, 21.5, 54612.5])
_MOST_BYTES_A_SERIES = 3000


@st.composite
def anything(draw: st.DrawFn) -> SensorData:
    """Return a reading that the log would let through."""
    sensor_id, data_type, unit = draw(st.sampled_from(_KINDS))
    at = draw(st.one_of(st.integers(0, 4000), st.sampled_from([-(10**9), 10**9])))
    return make_reading(
        sensor_id,
        data_type,
        draw(st.one_of(_EXTREMES, st.floats(-100, 100_000), st.floats(allow_nan=False, allow_infinity=False))),
        unit=unit,
        timestamp=max(0.0, START + 30.0 * at),
        origin=draw(st.sampled_from(["live", "replay", "backfill"])),
        boot_id=draw(st.sampled_from(["", "b1", "b2"])),
        sequence=draw(st.integers(0, 2**40)),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[SensorData]:
    """Return an hour or two of ordinary sensors with steps, plateaus, repetitions, holes and late readings."""
    values = draw(st.lists(st.sampled_from([20.0, 20.1, 20.2, 21.0, 35.0, 0.0, 99.0]), min_size=5, max_size=60))
    origin = draw(st.sampled_from(["live", "backfill"]))
    raw = series(values, origin=origin)
    raw += series([v / 100 for v in values], "soil", "soil_moisture", origin=origin)
    raw += series([100 * v for v in values], "lux", "light_intensity", every_s=300.0, origin=origin)
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(raw) - 1))
        raw.insert(draw(st.integers(place, len(raw))), raw[place])
    return raw


def outputs_of(records: Sequence[Record], cuts: Sequence[int], *, restarts: bool) -> list[bytes]:
    """Return what comes out when the records are cut into batches, with a new process for each or not."""
    processor, state, found = new_processor(), [], []
    edges = [0, *sorted(cuts), len(records)]
    for since, until in pairwise(edges):
        outputs = processor.transform(records[since:until])
        found += [reading.to_json() for reading in readings_in(outputs)]
        state = state_of(outputs) or state
        if restarts:
            processor = new_processor()
            processor.restore(state)
    return found


@settings(deadline=None, max_examples=60)
@given(st.lists(anything(), max_size=60))
def test_no_input_makes_a_gate_raise(raw: list[SensorData]) -> None:
    """Every reading gets a verdict; what repeats (a number of a boot, whatever its time) is dropped, nothing else."""
    outputs = new_processor().transform(records_of(raw))

    judged = {(r.sensor_id, r.timestamp) for r in readings_in(outputs)}
    numbers = Counter((r.sensor_id, r.boot_id, r.sequence) for r in raw if r.boot_id)
    alone = [r for r in raw if numbers[r.sensor_id, r.boot_id, r.sequence] <= 1]
    assert {(r.sensor_id, r.timestamp) for r in alone} <= judged
    assert all(r.quality is not None for r in readings_in(outputs))


@settings(deadline=None, max_examples=40)
@given(histories(), st.data())
def test_batches_and_restarts_change_no_word(raw: list[SensorData], data: st.DataObject) -> None:
    """One batch, many batches, and many processes that each begin from the committed state."""
    records = records_of(raw)
    cuts = data.draw(st.lists(st.integers(0, len(records)), max_size=5))

    whole = outputs_of(records, [], restarts=False)

    assert outputs_of(records, cuts, restarts=False) == whole
    assert outputs_of(records, cuts, restarts=True) == whole


@settings(deadline=None, max_examples=30)
@given(histories(), st.data())
def test_a_batch_that_comes_again_changes_nothing(raw: list[SensorData], data: st.DataObject) -> None:
    """What is redelivered says the same as before, or nothing."""
    records = records_of(raw)
    since = data.draw(st.integers(0, len(records)))
    until = data.draw(st.integers(since, len(records)))

    once = set(outputs_of(records, [], restarts=False))
    twice = set(outputs_of([*records[:until], *records[since:until], *records[until:]], [], restarts=False))

    assert twice == once


def test_what_is_remembered_of_a_series_does_not_grow() -> None:
    """Three weeks, with holes in its numbers and every instant its own value."""
    values = [0.3 + i % 97 / 10_000 for i in range(3000)]
    raw = [
        reading.__class__.from_dict({**reading.to_dict(), "sequence": 3 * reading.sequence})
        for reading in series(values, "soil", "soil_moisture", every_s=600.0)
    ]
    processor = new_processor()
    sizes = []
    for since in range(0, len(raw), 500):
        outputs = processor.transform(records_of(raw[since : since + 500]))
        sizes.append(sum(len(record.value or b"") for record in state_of(outputs)))

    assert max(sizes) < _MOST_BYTES_A_SERIES


def test_a_zone_of_strangers_stays_within_one_record() -> None:
    """Ten thousand sensor ids in one zone: the oldest are forgotten."""
    processor = new_processor()
    raw = [
        make_reading(f"stranger-{i}", "light_intensity", 500.0, timestamp=START + i, boot_id="b", sequence=1)
        for i in range(10_000)
    ]

    outputs: list[Outgoing] = list(processor.transform(records_of(raw)))

    assert sum(len(record.value or b"") for record in state_of(outputs)) < 1_000_000
