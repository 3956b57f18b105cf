"""The rule for dry soil by itself: what decides, when, and how much water it asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.ai.models.base_model import ModelError
from dt.ai.models.rule_based.dry_soil import DrySoilModel, SoilWatch, dose_to_target_ml, is_usable
from dt.utils.dataclasses import AlertCondition, Origin, Plant, Quality, SensorData, Severity, Verdict
from dt.utils.quantities import Quantity, Unit
from tests.ai.soil_readings import BASIL, NOON, reading


def told(readings: list[SensorData], plant: Plant = BASIL, model: DrySoilModel | None = None) -> list[AlertCondition]:
    """Return what the rule says while it takes these readings, each as it is made."""
    rule, watch, said = model or DrySoilModel(), SoilWatch(zone_id="box"), []
    for each in readings:
        watch, condition = rule.step(watch, each, plant, each.timestamp)
        if condition is not None:
            said.append(condition)
    return said


def run(*values: float, every_s: float = 2.0, since: float = 0.0) -> list[SensorData]:
    """Return readings of these values, evenly spaced."""
    return [reading(value, since + index * every_s) for index, value in enumerate(values)]


def test_dry_soil_is_reported_with_the_dose_that_brings_the_pot_to_its_target() -> None:
    """(0.35 - 0.23) m3/m3 of 1.5 l are 180 ml; the median decides."""
    [condition] = told(run(0.22, 0.24, 0.23))

    assert condition.active
    assert condition.key == "soil_dry:basil"
    assert condition.recommended_dose_ml == pytest.approx(180.0)
    assert condition.severity is Severity.WARNING
    assert "180 ml" in condition.advice


def test_condition_carries_id_and_time_of_the_reading_that_decided() -> None:
    """The trace from that reading, and from the others in the median, leads to the condition."""
    [condition] = told(run(0.22, 0.24, 0.23))

    assert condition.correlation_id == "reading-4"
    assert condition.timestamp == NOON + 4
    assert condition.caused_by == ("reading-0", "reading-2")


def test_one_wild_value_among_good_ones_says_nothing() -> None:
    """A glitch that passed the range check is outvoted by its neighbours."""
    assert told(run(0.30, 0.31, 0.02, 0.30, 0.31)) == []


def test_too_few_readings_say_nothing() -> None:
    """Two readings are no estimate."""
    assert told(run(0.10, 0.10)) == []


def test_readings_before_a_long_silence_do_not_count() -> None:
    """The window is 15 minutes: what lies before tells nothing of the soil now."""
    assert told([*run(0.10, 0.10), reading(0.10, 1000.0)]) == []


def test_soil_between_limit_and_hysteresis_stays_dry() -> None:
    """Nothing flaps while the estimate hovers just above the limit."""
    said = told([*run(*[0.24] * 5), *run(*[0.26] * 5, since=10)])

    assert [condition.active for condition in said] == [True]


def test_wet_soil_ends_the_condition_once() -> None:
    """Above the limit and 0.02 it is over, and the reading that opened it stands among the parents."""
    opened, closed = told([*run(*[0.24] * 5), *run(*[0.30] * 9, since=10)])

    assert (opened.active, closed.active) == (True, False)
    assert closed.recommended_dose_ml is None
    assert closed.caused_by[0] == opened.correlation_id


def test_dry_soil_is_reported_again_every_minute_with_the_dose_of_now() -> None:
    """Who starts later hears of it, and asks for the water that is missing by then."""
    said = told([reading(0.24 - at * 0.0001, at) for at in range(0, 140, 2)])

    assert [condition.timestamp - NOON for condition in said] == [4, 64, 124]
    assert said[2].recommended_dose_ml is not None
    assert said[0].recommended_dose_ml is not None
    assert said[2].recommended_dose_ml > said[0].recommended_dose_ml
    assert said[1].caused_by[0] == said[0].correlation_id


def test_soil_that_gets_worse_is_reported_at_once() -> None:
    """Below 0.6 of the limit it is critical; no minute passes first."""
    said = told([*run(*[0.24] * 5), *run(*[0.14] * 5, since=10)])

    assert [condition.severity for condition in said] == [Severity.WARNING, Severity.CRITICAL]


def test_severity_does_not_sink_while_the_condition_lasts() -> None:
    """A little water does not make an urgent matter less urgent before it is over."""
    said = told([*run(*[0.14] * 5), *run(*[0.20] * 40, since=10)])

    assert {condition.severity for condition in said} == {Severity.CRITICAL}


def test_same_reading_twice_counts_once() -> None:
    """Redelivered readings cannot outvote the others."""
    dry = reading(0.10, 0)

    assert told([dry, dry, dry, dry]) == []


def test_archived_plant_ends_its_condition() -> None:
    """A plant that nobody watches any more leaves no open condition behind."""
    rule, watch = DrySoilModel(), SoilWatch(zone_id="box")
    for each in run(*[0.2] * 3):
        watch, _ = rule.step(watch, each, BASIL, each.timestamp)

    watch, condition = rule.step(watch, reading(0.2, 6), replace(BASIL, archived=True), NOON + 6)

    assert condition is not None
    assert not condition.active
    assert watch.active is None


@pytest.mark.parametrize(
    "unfit",
    [
        {"origin": Origin.BACKFILL},
        {"origin": Origin.REPLAY},
        {"origin": Origin.SIMULATED},
        {"late": True},
        {"quality": Quality(verdict=Verdict.SUSPECT)},
        {"quality": Quality(verdict=Verdict.BAD)},
        {"quality": None},
        {"unit": Unit.FRACTION},
        {"plant_id": None},
        {"timestamp": NOON - 901},
        {"timestamp": NOON + 61},
        {"data_type": Quantity.SOIL_TEMPERATURE},
    ],
    ids=str,
)
def test_unfit_reading_decides_nothing(unfit: dict[str, Any]) -> None:
    """Only what is live, in time, good, fresh, a water content and of a plant may lead to water (S4)."""
    assert is_usable(reading(0.1, 0), NOON)
    assert not is_usable(reading(0.1, 0, **unfit), NOON)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60))
def test_conditions_open_and_close_in_turn(values: list[float]) -> None:
    """Whatever the soil does, an end follows only a beginning, and doses are never negative."""
    said = told(run(*values))

    states = [condition.active for condition in said]
    assert all(states[i - 1] for i in range(len(states)) if not states[i] and i > 0)
    assert not states or states[0]
    assert all(condition.recommended_dose_ml is None or condition.recommended_dose_ml >= 0 for condition in said)


def test_dose_is_never_negative() -> None:
    """Soil above its target needs no water."""
    assert dose_to_target_ml(0.9, BASIL) == 0.0


def test_rule_is_kept_as_json_and_comes_back_the_same() -> None:
    """What the registry stores is all that the rule is."""
    model = DrySoilModel(version="7")

    again = DrySoilModel.from_bytes(model.to_bytes(), "7")

    assert again.parameters == model.parameters
    assert again.to_bytes() == model.to_bytes()


def test_impossible_parameters_are_refused_by_name() -> None:
    """A rule that needs more readings than it keeps could never speak."""
    with pytest.raises(ModelError, match="min_readings"):
        DrySoilModel.from_bytes(b'{"window": 2, "min_readings": 5}', "1")
