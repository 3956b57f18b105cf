"""What each gate doubts, and what it leaves alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from dt.utils.dataclasses import SensorData
from tests.data.processing.series import (
    DAY,
    HOUR,
    MINUTE,
    START,
    checks_of,
    new_processor,
    records_of,
    run,
    series,
    trembling,
)  # fmt: skip
from tests.data.readings import make_reading, readings_in

SOIL = ("soil", "soil_moisture")


def test_still_air_raises_no_doubt() -> None:
    """Three days at a reading a minute, with a day's course and a sensor's noise."""
    noise = trembling(3 * 1440, 0.0)
    values = [round(20 + 5 * math.sin(i / 1440 * math.tau) + noise[i], 1) for i in range(len(noise))]

    assert set(checks_of(series(values))) == {""}


@pytest.mark.parametrize("height", [-12.0, 2.5, 12.0])
def test_a_spike_is_doubted_and_its_neighbours_are_not(height: float) -> None:
    """The next reading shows a small one; a large one is doubted at once."""
    values = trembling(200)
    values[150] += height

    found = checks_of(series(values))

    assert found[150] in {"spike", "step"}
    assert set(found[:150] + found[151:]) == {""}


def test_a_small_spike_is_good_until_the_next_reading_corrects_it() -> None:
    """Strictly causal: the first word knows nothing of what comes; the correction has a higher revision."""
    values = trembling(200)
    values[150] += 2.5
    raw = series(values)

    outputs = [r for r in readings_in(new_processor().transform(records_of(raw))) if r.sensor_id == "air-t"]

    words = [r for r in outputs if r.timestamp == raw[150].timestamp]
    assert [(w.revision, w.quality.verdict) for w in words if w.quality] == [(0, "good"), (1, "suspect")]
    assert words[1].value == words[1].raw_value == raw[150].value
    assert outputs.index(words[1]) == outputs.index(words[0]) + 2


def test_what_is_known_of_the_future_changes_no_word_before_it() -> None:
    """A file that is cut short has the same words up to where it ends."""
    values = trembling(400)
    values[200] += 12
    values[300:] = [v + 12 for v in values[300:]]
    raw = series(values)

    def first_words(readings: list[SensorData]) -> list[bytes]:
        return [r.to_json() for r in readings_in(new_processor().transform(records_of(readings)))]

    whole = first_words(raw)
    for cut in (150, 201, 202, 301):
        assert first_words(raw[:cut]) == whole[: len(first_words(raw[:cut]))]


def test_a_step_is_doubted_until_the_way_back() -> None:
    """A sensor that jumps by 12 degC and back: everything between is doubted, nothing after it."""
    values = trembling(600)
    values[200:500] = [v + 12 for v in values[200:500]]

    found = checks_of(series(values))

    assert found[200:500] == ["step"] * 300
    assert set(found[:200] + found[500:]) == {""}


def test_a_step_that_stays_for_a_day_is_believed() -> None:
    """A sensor that a person moved must not be doubted for ever."""
    values = trembling(200) + trembling(2000, 32.0)

    found = checks_of(series(values))

    assert found[200] == "step"
    assert found[-1] == ""


@pytest.mark.parametrize("every_s", [1.0, 60.0, 600.0])
def test_water_is_no_step_and_a_probe_that_is_pulled_out_is_one(every_s: float) -> None:
    """Soil becomes wet at once and dry slowly."""
    values = trembling(300, 0.25, 0.001, 4) + trembling(300, 0.40, 0.001, 4) + trembling(100, 0.03, 0.001, 4)

    found = checks_of(series(values, *SOIL, every_s=every_s))

    assert set(found[:600]) == {""}
    assert set(found[600:]) == {"step"}


def test_slow_rise_of_soil_moisture_is_warmth_and_a_steep_one_is_water() -> None:
    """A capacitive probe feels the sun; a dose arrives within minutes."""
    noise = trembling(1440, 0.0, 0.001, 4)
    sun = [0.25 + 0.05 * max(0.0, math.sin(i / 1440 * math.tau)) + noise[i] for i in range(1440)]
    water = [0.25 + (0.05 if i > 400 else 0.0) + noise[i] for i in range(1440)]

    assert checks_of(series(sun, *SOIL)).count("slow_rise") > 120
    assert set(checks_of(series(water, *SOIL))) == {""}


def test_a_value_that_stands_still_is_doubted_by_what_this_sensor_usually_does() -> None:
    """A sensor that trembles is stuck after an hour; one with coarse steps may stand for half a day."""
    fine = trembling(1600) + [20.3] * 300
    coarse = [float(20 + (i // 400) % 2) for i in range(4000)]

    found = checks_of(series(fine))

    assert set(found[:1600]) == {""}
    assert found[1600 + 100] == found[-1] == "stuck"
    assert set(checks_of(series(coarse))) == {""}


@pytest.mark.parametrize("pause_s", [2 * DAY, 8000 * DAY])
def test_a_pause_or_a_clock_that_jumps_is_no_plateau_to_learn_from(pause_s: float) -> None:
    """The same count before and after it says nothing of how long a value may stand: a stuck probe is told in hours."""
    values = [round(0.30 + noise, 3) for noise in trembling(600, 0.0, 0.002, 4)]
    values[300] = values[299]
    stuck = [*values, *[values[-1]] * 72]
    readings = [
        *series(stuck[:300], *SOIL, every_s=300.0),
        *[
            make_reading(*SOIL, value, timestamp=START + pause_s + i * 300.0, boot_id="b1", sequence=i + 1)
            for i, value in enumerate(stuck[300:], start=300)
        ],
    ]

    found = checks_of(readings)

    assert "stuck" not in found[:600]
    assert found[-1] == "stuck"


def test_darkness_is_no_plateau_and_darkness_by_day_is() -> None:
    """Twelve hours of 0 lux are a night, unless these hours were light on the past days."""
    day = [round(5000 + 40 * x) for x in trembling(720, 0.0, 1.0, 2)]
    nights = (day + [0.0] * 720) * 6

    found = checks_of(series([*nights, *[0.0] * 720], "lux", "light_intensity"))

    assert set(found[: len(nights)]) == {""}
    assert "stuck" in found[len(nights) :]


def test_lamp_that_stands_still_is_doubted() -> None:
    """A frozen light sensor by day."""
    day = [round(5000 + 40 * x) for x in trembling(720, 0.0, 1.0, 2)]
    values = (day + [0.0] * 720) * 2 + day[:100] + [4990.0] * 400

    assert checks_of(series(values, "lux", "light_intensity"))[-1] == "stuck"


def test_noise_that_grows_is_doubted() -> None:
    """Four times the usual, though each value by itself could be."""
    values = trembling(3000, 20.0, 0.1, 2) + trembling(200, 20.0, 0.6, 2)

    found = checks_of(series(values))

    assert set(found[:3000]) == {""}
    assert found[-100:].count("noise") > 90


@pytest.mark.parametrize(
    ("raw", "check"),
    [
        (make_reading("air-h", "humidity", 0.0), "plausible_range"),
        (make_reading("lux", "light_intensity", 54612.5), "saturation"),
        (make_reading("lux", "light_intensity", 27306.25), "saturation"),
        (make_reading("soil", "soil_moisture", -0.02, plant_id="basil"), "value_range"),
        (make_reading("air-t", value=70.0), "plausible_range"),
    ],
)
def test_a_reading_alone_can_be_doubted(raw: SensorData, check: str) -> None:
    """An all-zero frame, the end of a scale, negative water, a desert's sun."""
    assert checks_of([raw]) == [check]


def test_two_sensors_of_one_air_that_drift_apart_are_both_doubted() -> None:
    """Neither knows which is right; a distance that was always there is none."""
    count = 4 * 288
    one = trembling(count)
    two = [
        v + 1.5 + (0.0 if i < 3 * 288 else 6.0 * (i - 3 * 288) / 288) for i, v in enumerate(trembling(count, seed=2))
    ]
    readings = [
        r for pair in zip(series(one, every_s=300.0), series(two, "air-t2", every_s=300.0), strict=True) for r in pair
    ]

    found = [r for r in run(readings) if r.data_type == "temperature"]

    doubted = {r.sensor_id for r in found if r.quality is not None and r.quality.check == "neighbours"}
    assert doubted == {"air-t", "air-t2"}
    assert all(r.quality is not None and r.quality.verdict == "good" for r in found[: 2 * 3 * 288])


def test_a_repeated_reading_leaves_no_second_trace() -> None:
    """At least once becomes exactly once: what was committed with the state is not said again."""
    raw = series(trembling(50))
    processor = new_processor()
    first = readings_in(processor.transform(records_of(raw)))

    again = readings_in(processor.transform(records_of(raw[10:40])))

    assert len(first) >= 50
    assert again == []


def test_a_second_reading_of_one_instant_is_as_good_as_the_first_or_doubted() -> None:
    """The same again changes nothing; another value contradicts."""
    raw = series([20.0, 20.1])
    same = make_reading("air-t", value=20.1, timestamp=raw[1].timestamp, boot_id="b1", sequence=3)
    other = make_reading("air-t", value=25.0, timestamp=raw[1].timestamp, boot_id="b1", sequence=4)

    found = readings_in(new_processor().transform(records_of([*raw, same, other])))

    own = [r.quality for r in found if r.sensor_id == "air-t" and r.quality]
    assert [quality.verdict for quality in own] == ["good", "good", "good", "suspect"]
    assert own[-1].check == "duplicate"


def test_a_late_reading_is_judged_alone_and_says_so() -> None:
    """It fills its hole; nothing that came after it is judged anew."""
    raw = series(trembling(20))
    in_order = [*raw[:10], *raw[11:], raw[10]]

    found = run(in_order)

    late = next(r for r in found if r.sensor_id == "air-t" and r.timestamp == raw[10].timestamp)
    assert late.quality is not None
    assert (late.quality.verdict, late.quality.check) == ("good", "late")


@pytest.mark.parametrize("origin", ["live", "backfill", "replay"])
def test_check_and_field_agree_on_what_is_late(origin: str) -> None:
    """Whatever is judged as out of order is marked so; history that comes in order is not."""
    raw = series(trembling(20), origin=origin)

    found = run([*raw[:10], *raw[11:], raw[10]])

    own = [r for r in found if r.sensor_id == "air-t"]
    assert [r.late for r in own] == [r is own[10] for r in own]
    assert [r.quality.check for r in own if r.quality is not None and r.late] == ["late"]


def test_a_clock_that_is_set_back_is_doubted_until_it_stays_there() -> None:
    """Readings that were taken later and say earlier; after five in a row the new time is believed."""
    raw = series(trembling(100))
    back = [
        make_reading(
            "air-t",
            value=20.0 + i % 2 / 10,
            timestamp=START + 10 * MINUTE + 30 + i * MINUTE,
            boot_id="b1",
            sequence=101 + i,
        )
        for i in range(10)
    ]

    outputs = readings_in(new_processor().transform(records_of([*raw, *back])))

    words = [r.quality.check for r in outputs if r.sensor_id == "air-t" and r.sequence > 100 and r.quality]
    assert words == ["clock_back"] * 5 + [None] * 5


@pytest.mark.parametrize("ahead_s", [0.0, 22 * 365 * DAY])
def test_a_clock_that_stood_ahead_leaves_no_gate_open(ahead_s: float) -> None:
    """A watering while the clock stood in 2049 explains no fall of the day after."""
    level = trembling(600, 0.30, 0.001, 4)
    values = [*level, *(x + 0.25 for x in level[:100]), *(x + 0.20 for x in level), *(x + 0.10 for x in level[:60])]
    raw = series(values, *SOIL)
    moved = [
        replace(one, timestamp=one.timestamp + ahead_s) if 590 <= place < 690 else one for place, one in enumerate(raw)
    ]

    found = [one for one in run(moved) if one.sensor_id == "soil" and one.timestamp > START + 1300 * MINUTE]
    today = [one.quality.check for one in found if one.timestamp < START + DAY and one.quality is not None]

    assert set(today) == {"step"}


def test_a_replay_that_begins_again_gives_the_same_words() -> None:
    """A second run of a file replaces the first, verdict by verdict."""
    values = trembling(300)
    values[200] += 12.0
    raw = series(values, origin="replay")
    processor = new_processor()

    first, second = (readings_in(processor.transform(records_of(raw))) for _ in range(2))

    assert second == first


def test_a_new_calibration_begins_a_new_level() -> None:
    """Values that move because somebody calibrated are no step."""
    before = series(trembling(200, 0.3, 0.001, 4), *SOIL)
    after = series(trembling(200, 30.0, 0.1, 2), *SOIL, start=START + 200 * MINUTE, unit="fraction", value_of="x")

    found = checks_of(
        [
            *before,
            *[
                r.__class__.from_dict({**r.to_dict(), "value": r.value / 100.0, "sequence": 201 + i})
                for i, r in enumerate(after)
            ],
        ]
    )

    assert set(found) == {""}


def test_what_the_box_learnt_of_a_sensor_in_its_past_holds_when_it_goes_live() -> None:
    """The first live hour knows how the sensor trembled before."""
    past = series(trembling(1600), origin="backfill")
    live = series([20.3] * 200, start=START + 1600 * MINUTE)
    processor = new_processor()
    processor.transform(records_of(past))

    assert checks_of(live, lambda raw: run(raw, processor))[-1] == "stuck"


def test_gaps_of_hours_are_no_steps() -> None:
    """What was not seen may have changed."""
    values = trembling(100) + trembling(100, 29.0)
    raw = series(values)
    moved = [r.__class__.from_dict({**r.to_dict(), "timestamp": r.timestamp + 12 * HOUR}) for r in raw[100:]]

    assert set(checks_of([*raw[:100], *moved])) == {""}
    assert DAY > HOUR
