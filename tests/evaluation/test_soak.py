"""The soak: what is drawn is the same for the same seed, what is found is counted, and 500 plant-days show no harm."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dt.evaluation.soak import BoxResult, Soak, fault_rows, lived, soak
from dt.evaluation.soak_faults import ROWS
from dt.evaluation.soak_plan import soak_box
from dt.evaluation.soak_timer import TimerDay, as_much_to_all, lived_by_timer, one_knob, smallest_doses
from dt.simulator.faults.catalogue import CATALOGUE
from dt.simulator.spec import BoxSpec, PotSpec

START_S = 1_811_808_000.0


def test_every_fault_of_the_catalogue_can_be_drawn() -> None:
    """F1 to F18, and of F13 every mode."""
    assert {row.fault for row in ROWS} == set(CATALOGUE)
    modes = {row.parameters["mode"] for row in ROWS if row.fault == "F13"}
    assert modes == {"welded", "never_closes", "dry", "blocked", "siphon", "leak"}


def test_the_same_seed_draws_the_same_boxes(tmp_path: Path) -> None:
    """Another number or another seed draws another box."""
    one, again = (soak_box(3, 1, tmp_path, faulty=True) for _ in range(2))
    other = soak_box(3, 2, tmp_path, faulty=True)

    assert (one.spec, one.faults, one.scenario.deeds) == (again.spec, again.faults, again.scenario.deeds)
    assert one.spec != other.spec
    assert all(fault.until_s < one.scenario.start_s + one.days * 86_400.0 for fault in one.faults)


def test_a_box_of_a_day_is_counted_plant_by_plant(tmp_path: Path) -> None:
    """Days, water and alerts come from truth and log; nothing floods and nothing is violated."""
    result = lived(soak_box(0, 1, tmp_path, faulty=False, days=1))

    assert result.days == {"p0": 1, "p1": 1, "p2": 1, "p3": 1}
    assert result.floods == result.violations == []
    figures = Soak(results=[result], loop_seconds=1.0).figures()
    assert figures["plant_days"] == 4
    assert figures["below_wilting_share"] == 0.0


def test_floods_and_violations_of_any_box_are_counted(tmp_path: Path) -> None:
    """Those of boxes with faults too; days below wilting only of boxes without."""
    healthy, faulty = soak_box(0, 1, tmp_path, faulty=False, days=28), soak_box(1, 1, tmp_path, faulty=True, days=28)
    assert faulty.faults
    blank = BoxResult(
        box=healthy, floods=[], violations=[], checks={}, days={"p0": 28}, days_below={"p0": 7}, mean_ks={"p0": 0.5},
        water_ml={"p0": 100.0}, own_timer_ml={"p0": 200.0}, timer_same_ks_ml={"p0": 400.0},
    )  # type: ignore[arg-type] # fmt: skip
    bad = replace(blank, box=faulty, floods=["a"], violations=["b", "c"], days_below={"p0": 28})

    figures = Soak(results=[blank, bad]).figures()

    assert (figures["floods"], figures["violations"]) == (1, 2)
    assert figures["below_wilting_share"] == 0.25
    assert (figures["water_vs_own_timer"], figures["water_vs_timer_same_ks"]) == (0.5, 0.25)
    assert sum(row["drawn"] for row in fault_rows([blank, bad])) == len(faulty.faults)


def test_the_smallest_timer_dose_is_the_smallest_that_is_enough() -> None:
    """A little less is too little, in the box alone."""
    spec = BoxSpec(pots=(PotSpec(initial_vwc=0.20),), pumps=())
    doses = smallest_doses(spec, START_S, 3, lambda _plant, lived_so: lived_so.mean_ks >= 0.5)

    assert 20.0 < doses["plant-1"] < 300.0
    enough = lived_by_timer(spec, START_S, 3, doses)["plant-1"]
    less = lived_by_timer(spec, START_S, 3, {"plant-1": doses["plant-1"] - 10.0})["plant-1"]
    assert enough.mean_ks >= 0.5 > less.mean_ks


def test_the_one_knob_is_the_smallest_that_is_enough_for_every_pot_and_is_never_turned_back() -> None:
    """Half a millilitre per litre less leaves one of the pots short; the larger pot gets more by its volume."""
    pots = (
        PotSpec(plant_id="small", initial_vwc=0.20, volume_ml=1000.0),
        PotSpec(plant_id="large", initial_vwc=0.20, volume_ml=3000.0),
    )
    spec = BoxSpec(pots=pots, pumps=())

    def is_enough(_plant_id: str, lived_so: TimerDay) -> bool:
        return lived_so.mean_ks >= 0.5

    def suffices(ml_per_l: float) -> bool:
        lived_so = lived_by_timer(spec, START_S, 2, as_much_to_all(spec, ml_per_l))
        return all(is_enough(plant_id, one) for plant_id, one in lived_so.items())

    knob = one_knob(spec, START_S, 2, is_enough)

    assert as_much_to_all(spec, 10.0) == {"small": 10.0, "large": 30.0}
    assert 5.0 < knob < 150.0
    assert suffices(knob)
    assert not suffices(knob - 0.5)
    assert one_knob(spec, START_S, 2, is_enough, at_least=knob) == knob
    assert one_knob(spec, START_S, 2, is_enough, at_least=200.0) == 200.0
    assert knob - 0.5 < one_knob(spec, START_S, 2, is_enough, at_least=knob - 0.5) <= knob + 0.5


def test_a_life_that_cannot_be_enough_any_more_ends_early_and_says_the_same() -> None:
    """What could still have come is no worse than what would have come, and was not enough either."""
    spec = BoxSpec(pots=(PotSpec(initial_vwc=0.12),), pumps=())
    whole = lived_by_timer(spec, START_S, 4, {"plant-1": 0.0})["plant-1"]
    asked: list[TimerDay] = []

    def is_enough(_plant_id: str, best: TimerDay) -> bool:
        asked.append(best)
        return best.mean_ks >= 0.9

    cut_short = lived_by_timer(spec, START_S, 4, {"plant-1": 0.0}, is_enough)["plant-1"]

    assert len(asked) < 4
    assert whole.mean_ks <= cut_short.mean_ks < 0.9
    assert cut_short.days_below_wilting <= whole.days_below_wilting


def test_the_loops_water_is_weighed_against_the_knob_in_the_boxes_that_were_asked(tmp_path: Path) -> None:
    """The timer gives its knob times days times litres of pot; a box that was not asked counts on neither side."""
    box = soak_box(0, 1, tmp_path, faulty=False, days=2)
    litres = sum(pot.volume_ml for pot in box.spec.pots) / 1000.0
    asked = BoxResult(
        box=box, floods=[], violations=[], checks=Counter(), days={"p0": 2}, days_below={}, mean_ks={"p0": 1.0},
        water_ml={"p0": 10.0 * litres, "p1": 20.0 * litres}, is_asked=True,
    )  # fmt: skip
    other = replace(asked, water_ml={"p0": 1e9}, is_asked=False)

    figures = Soak(results=[asked, other], knob_ml=10.0, knob_same_ks_ml=30.0).figures()

    assert figures["water_vs_timer"] == pytest.approx(1.5)
    assert figures["water_vs_timer_all_same_ks"] == pytest.approx(0.5)
    assert Soak(results=[asked, other]).figures()["water_vs_timer"] == 0.0
    assert Soak(results=[other], knob_ml=10.0).figures()["water_vs_timer"] == 0.0


def test_alarms_are_false_only_where_nothing_was_wrong_and_everyday_dryness_is_none(tmp_path: Path) -> None:
    """Two in 28 plant-days; those of a box with faults are another matter."""
    box, faulty = soak_box(0, 1, tmp_path, faulty=False), soak_box(1, 1, tmp_path, faulty=True)
    healthy = BoxResult(
        box=box, floods=[], violations=[], checks=Counter(), days={"p0": 28}, days_below={}, mean_ks={"p0": 1.0},
        water_ml={}, opened=Counter({"dose_weak": 2}),
    )  # fmt: skip
    made = Soak(results=[healthy, replace(healthy, box=faulty, opened=Counter({"locked_out": 5}))])

    assert made.false_alarms() == {"dose_weak": 2}
    assert made.figures()["false_alarms"] == pytest.approx(2 * 30.0 / 28.0)


def test_a_welded_relay_is_an_alarm_and_soil_that_is_dry_before_its_watering_is_none(tmp_path: Path) -> None:
    """Counted by kind, each time it begins."""
    box = soak_box(0, 1, tmp_path, faulty=False, days=4)
    order = {
        "fault": "F13", "mode": "welded", "target": "pump-0", "since": box.scenario.start_s + 43_200.0,
        "until": box.scenario.start_s + 86_400.0,
    }  # fmt: skip
    faults = replace(box.scenario.faults, faults=(order,), lines=(1,))

    result = lived(replace(box, scenario=replace(box.scenario, faults=faults), days=2))

    assert result.opened["soil_rise"] == 1
    assert result.opened["soil_dry"] == 0


def test_single_boxes_are_lived_through_as_in_the_whole_soak() -> None:
    """By their numbers, for who looks for what went wrong in one."""
    made = soak(1, seed=3, days=1, asks_timer=False, boxes=[5, 2])

    assert [result.box.number for result in made.results] == [2, 5]


@pytest.mark.slow
@pytest.mark.timeout(400)  # a minute on a core of its own
def test_500_plant_days_flood_nothing_and_break_no_invariant() -> None:
    """What `make soak` runs twenty times as long, with another seed."""
    made = soak(500, seed=7, asks_timer=False, days=25)

    figures = made.figures()
    assert figures["plant_days"] >= 500
    assert [line for result in made.results for line in (*result.floods, *result.violations)] == []
    assert figures["below_wilting_share"] <= 0.01
    assert figures["checks"] > 1000
