"""The past that the demo shows: every reading, quickly, and a thirsty present at any time of day."""

from __future__ import annotations

import time

import pytest

from dt.simulator.box import Box
from dt.simulator.history import LOOKS, Sample, history, prepare_demo_box
from dt.simulator.replay import Replay
from dt.simulator.sensing import Senses, vwc_from_counts
from dt.simulator.spec import PLANT, ZONE, AirSpec, BoxSpec, PotSpec, ZoneSpec
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.quantities import Quantity, Unit

NOW = 1_800_014_400.0
DAY = 86_400.0
SPEC = BoxSpec()


def sensor(quantity: Quantity, plant_id: str | None = None) -> SensorDescriptor:
    """Return a sensor of the box's only zone or pot."""
    return SensorDescriptor(
        sensor_id=f"{plant_id}-{quantity}", zone_id=ZONE, plant_id=plant_id, name="", data_type=quantity, kind="any",
        read_interval=1.0, address=0x36,
    )  # fmt: skip


SENSORS = [sensor(quantity, PLANT if "soil" in quantity else None) for quantity in LOOKS]
SOIL = [each.data_type for each in SENSORS].index(Quantity.SOIL_MOISTURE)


def measured_by(box: Box, plant_id: str = PLANT) -> float:
    """Return what the probe says, without its noise."""
    return vwc_from_counts(Senses.of(box, ZONE, plant_id).expected_counts())


def test_fourteen_days_come_in_well_under_two_seconds() -> None:
    """20,160 minutes of four quantities, evenly spaced, the last one before now."""
    began = time.process_time()

    samples = list(history(prepare_demo_box(SPEC, NOW - 14 * DAY, NOW), SENSORS, NOW - 14 * DAY, NOW))

    assert time.process_time() - began < 2.0
    assert len(samples) == 14 * 1440
    assert [s.timestamp for s in samples] == [NOW - 14 * DAY + 60.0 * i for i in range(14 * 1440)]


@pytest.mark.parametrize("hour", [4, 13, 22])
def test_soil_arrives_just_below_the_dry_limit(hour: int) -> None:
    """Whatever the time of day, the probe stands at most 0.012 m3/m3 below the limit now, and above it days ago."""
    until = NOW + hour * 3600.0 + 17.3
    box = prepare_demo_box(BoxSpec(seed=hour), until - 6 * DAY, until)
    samples = list(history(box, SENSORS, until - 6 * DAY, until, every_s=600.0))

    assert 0.238 < measured_by(box) < 0.249
    assert max(vwc_from_counts(s.values[SOIL]) for s in samples) > 0.33
    assert box.now_s == pytest.approx(until, abs=1e-3)


@pytest.mark.parametrize("days", [0.1, 1.0])
def test_short_past_ends_just_below_the_limit_too(days: float) -> None:
    """A demo of a few hours begins with a pot that is already nearly dry."""
    box = prepare_demo_box(SPEC, NOW - days * DAY, NOW)

    box.advance(NOW)

    assert 0.238 < measured_by(box) < 0.249


def test_another_limit_is_met_too() -> None:
    """The limit of the plant in the rig counts, not a number in the code."""
    spec = BoxSpec(pots=(PotSpec(volume_ml=1000.0),))
    box = prepare_demo_box(spec, NOW - 8 * DAY, NOW, dry_vwc=0.32)

    box.advance(NOW)

    assert measured_by(box) == pytest.approx(0.314, abs=0.003)


def test_the_named_pot_is_thirsty_and_the_others_are_not() -> None:
    """Three pots arrive in three states, one of them below its limit."""
    airy = ZoneSpec(air=AirSpec(volume_m3=0.36, wall_w_k=12.0))
    spec = BoxSpec(zones=(airy,), pots=tuple(PotSpec(plant_id=name) for name in ("a", "b", "c")), pumps=())
    box = prepare_demo_box(spec, NOW - 6 * DAY, NOW, thirsty="b")

    box.advance(NOW)

    assert 0.238 < measured_by(box, "b") < 0.249
    assert min(measured_by(box, "a"), measured_by(box, "c")) > 0.27
    assert abs(measured_by(box, "a") - measured_by(box, "c")) > 0.01


def test_same_seed_gives_the_same_history() -> None:
    """A demo with a seed can be repeated to the digit."""

    def made(seed: int) -> list[Sample]:
        box = prepare_demo_box(BoxSpec(seed=seed), NOW - 0.5 * DAY, NOW)
        return list(history(box, SENSORS, NOW - 0.5 * DAY, NOW, every_s=900.0))

    assert made(5) == made(5)
    assert made(5) != made(6)


def test_readings_have_the_chips_resolution() -> None:
    """Whole counts, tenths of a degree and of a percent, and the units that the collector publishes."""
    [sample] = history(Box(SPEC, NOW), SENSORS, NOW, NOW + 60.0)

    values = dict(zip(LOOKS, sample.values, strict=True))

    assert values[Quantity.SOIL_MOISTURE] == int(values[Quantity.SOIL_MOISTURE])
    assert round(values[Quantity.TEMPERATURE], 1) == values[Quantity.TEMPERATURE]
    units = {quantity: unit for quantity, (unit, _look) in LOOKS.items()}
    assert units[Quantity.SOIL_MOISTURE] is Unit.COUNT
    assert (units[Quantity.HUMIDITY], units[Quantity.LIGHT_INTENSITY]) == (Unit.PERCENT, Unit.LUX)


def test_box_lives_on_where_its_history_ended() -> None:
    """The history leaves no gap before the live readings."""
    box = prepare_demo_box(SPEC, NOW - DAY, NOW)

    last = list(history(box, SENSORS, NOW - DAY, NOW))[-1]

    assert (last.timestamp, box.now_s) == (NOW - 60.0, NOW)


class UniqueWeather(Replay):
    """A record that is too long to be copied."""

    def __deepcopy__(self, memo: object) -> UniqueWeather:
        """Refuse."""
        pytest.fail("the weather was copied")


def test_a_past_in_a_long_weather_record_is_found_without_copying_it() -> None:
    """The search tries many boxes; a weather of years is one for all of them."""
    hours = range(24 * 30)
    weather = UniqueWeather(
        times_s=tuple(3600.0 * hour for hour in hours),
        temperature_degc=tuple(20.0 + hour % 24 / 6.0 for hour in hours),
        vapour_g_m3=(9.0,) * len(hours),
        sun_w_m2=(100.0,) * len(hours),
    )
    spec = BoxSpec(zones=(ZoneSpec(weather=weather),))

    box = prepare_demo_box(spec, NOW - 6 * DAY, NOW)

    assert box.spec.zones[0].weather is weather
    assert box.zones[spec.zones[0].zone_id].weather.at(NOW)[1] == pytest.approx(weather.at(NOW)[1], abs=0.1)
