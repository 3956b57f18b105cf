"""The soak: what is drawn is the same for the same seed, what is found is counted, and 500 plant-days show no harm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dt.evaluation.soak import BoxResult, Soak, fault_rows, lived, soak
from dt.evaluation.soak_faults import ROWS
from dt.evaluation.soak_plan import soak_box
from dt.evaluation.soak_timer import lived_by_timer, smallest_doses
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
