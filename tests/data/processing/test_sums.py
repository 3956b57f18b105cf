"""Light of a day, rolling hours and dew points."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dt.plant.air import dew_point_c
from dt.utils.dataclasses import SensorData
from dt.utils.quantities import Quantity
from tests.data.processing.series import DAY, HOUR, START, new_processor, records_of, run, series, trembling
from tests.data.readings import NOW, make_reading, readings_in

MIDNIGHT = START - START % DAY
LUX = ("lux", "light_intensity")


def of(found: list[SensorData], quantity: Quantity) -> list[SensorData]:
    """Return the readings of one quantity."""
    return [reading for reading in found if reading.data_type is quantity]


def test_light_of_a_whole_day_is_the_sum_of_its_photons() -> None:
    """12 h of 10,000 lux of cool white light are 5.83 mol."""
    values = [0.0] * 360 + [10_000.0 + i % 2 for i in range(720)] + [0.0] * 360 + [0.0]

    sums = of(run(series(values, *LUX, start=MIDNIGHT)), Quantity.DLI)

    last = next(one for one in reversed(sums) if one.timestamp < MIDNIGHT + DAY)
    assert last.value == pytest.approx(10_000 * 0.0135 * 12 * 0.0036, rel=0.002)
    assert (last.sensor_id, last.unit) == ("box/dli", "mol/m2/d")
    assert last.quality is not None
    assert last.quality.verdict == "good"
    assert "100 %" in (last.quality.why or "")


def test_light_with_a_gap_is_never_silently_low() -> None:
    """Three hours without readings: what is missing is said, and the sum is suspect."""
    raw = series([10_000.0 + i % 2 for i in range(1441)], *LUX, start=MIDNIGHT)
    gap = [r for r in raw if not 6 * HOUR <= r.timestamp - MIDNIGHT < 9 * HOUR]

    sums = of(run(gap), Quantity.DLI)

    last = next(one for one in reversed(sums) if one.timestamp < MIDNIGHT + DAY)
    assert last.quality is not None
    assert (last.quality.verdict, last.quality.check) == ("suspect", "coverage")
    assert "87 %" in (last.quality.why or "")


def test_light_that_cannot_be_believed_is_a_gap() -> None:
    """A saturated sensor says at least so much; its hours are not covered."""
    values = [10_000.0 + i % 2 for i in range(700)] + [54_612.5] * 300 + [10_000.0 + i % 2 for i in range(441)]

    sums = of(run(series(values, *LUX, start=MIDNIGHT)), Quantity.DLI)

    assert sums[-2].quality is not None
    assert sums[-2].quality.check == "coverage"
    assert sums[-2].quality.verdict == "suspect"


def test_the_day_begins_at_the_zones_own_midnight() -> None:
    """In Tokyo the day is nine hours ahead."""
    processor = new_processor("Asia/Tokyo")
    raw = series([5000.0 + i % 2 for i in range(1000)], *LUX, start=MIDNIGHT + 10 * HOUR)

    sums = of(readings_in(processor.transform(records_of(raw))), Quantity.DLI)

    before = [one.value for one in sums if one.timestamp < MIDNIGHT + 15 * HOUR]
    after = [one.value for one in sums if one.timestamp >= MIDNIGHT + 15 * HOUR]
    assert before[-1] > after[0]


def test_rolling_hour_is_the_mean_of_good_readings() -> None:
    """Told every ten minutes; a spike has no part in it, even one that only the next reading shows."""
    values = trembling(130, 20.0, 0.05, 2)
    spiked = list(values)
    spiked[95] += 2.5

    hours = of(run(series(values, start=MIDNIGHT)), Quantity.TEMPERATURE_1H)
    robust = of(run(series(spiked, start=MIDNIGHT)), Quantity.TEMPERATURE_1H)

    at = MIDNIGHT + 2 * HOUR
    [mean] = [one for one in hours if one.timestamp == at]
    [other] = [one for one in robust if one.timestamp == at]
    assert mean.value == pytest.approx(sum(values[60:120]) / 60)
    assert other.value == pytest.approx((sum(values[60:120]) - values[95]) / 59)
    assert (mean.sensor_id, mean.unit) == ("box/temperature_1h", "degC")


def test_a_late_reading_corrects_the_hours_that_it_belongs_to() -> None:
    """Every hour that holds its instant is told again with a higher revision."""
    raw = series([0.2] * 200, "soil", "soil_moisture", start=MIDNIGHT, plant_id="basil")
    late = make_reading("soil", "soil_moisture", 0.26, timestamp=MIDNIGHT + 65 * 60 + 1, plant_id="basil")
    processor = new_processor()
    processor.transform(records_of(raw))

    corrected = of(readings_in(processor.transform(records_of([late]))), Quantity.SOIL_MOISTURE_1H)

    assert [(one.timestamp - MIDNIGHT) / 600 for one in corrected] == [7, 8, 9, 10, 11, 12]
    assert all(one.revision == 1 for one in corrected)
    assert corrected[-1].value == pytest.approx((0.26 + 0.2 * 60) / 61)
    assert corrected[0].sensor_id == "basil/soil_moisture_1h"


def test_hour_with_few_readings_says_so() -> None:
    """Half an hour of silence is not hidden by a mean."""
    raw = series(trembling(400), start=MIDNIGHT)
    kept = [r for r in raw if not 121 * 60 < r.timestamp - MIDNIGHT < 159 * 60]

    hours = of(run(kept), Quantity.TEMPERATURE_1H)

    verdicts = {(one.timestamp - MIDNIGHT) / 600: one.quality.verdict for one in hours if one.quality}
    assert verdicts[12] == "good"
    assert verdicts[16] == "suspect"


def test_dew_point_follows_from_temperature_and_humidity() -> None:
    """The same air has both."""
    found = run([make_reading(value=25.0), make_reading("air-h", "humidity", 50.0)])

    [dew] = of(found, Quantity.DEW_POINT)
    assert dew.value == pytest.approx(dew_point_c(25.0, 50.0))
    assert dew.caused_by == (f"air-t@{NOW}", f"air-h@{NOW}")


@pytest.mark.parametrize("humidity", [0.0, 5e-324])
def test_dry_air_has_no_dew_point(humidity: float) -> None:
    """0 % is what an all-zero frame says; less than a hygrometer resolves is no better."""
    found = run([make_reading(value=25.0), make_reading("air-h", "humidity", humidity)])

    assert [r.data_type for r in found if r.sensor_id.startswith("box/")] == [Quantity.VPD]


def test_light_and_rolling_hours_go_on_after_a_clock_that_stood_decades_ahead() -> None:
    """Sums of 2049 must not wait for it: once the clock is believed again, the day's light is told."""
    ahead_s, processor = 22 * 365 * DAY, new_processor()
    lux = series([10_000.0 + i % 2 for i in range(400)], *LUX, start=MIDNIGHT + 6 * HOUR)
    air = series(trembling(400), start=MIDNIGHT + 6 * HOUR)
    for raw in (lux, air):
        moved = [
            replace(one, timestamp=one.timestamp + ahead_s) if 100 <= i < 120 else one for i, one in enumerate(raw)
        ]
        processor.transform(records_of(moved))

    more = [
        replace(one, timestamp=one.timestamp + 400 * 60.0, sequence=one.sequence + 400, correlation_id=f"more-{i}-{j}")
        for j, raw in enumerate((lux, air))
        for i, one in enumerate(raw[:60])
    ]
    found = run(more, processor)

    assert [one.value > 1.0 for one in of(found, Quantity.DLI)] == [True] * 6
    assert len(of(found, Quantity.TEMPERATURE_1H)) == 6
