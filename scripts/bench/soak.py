"""Live through thousands of plant-days in lockstep; writes build/figures/soak.json and the table notes/soak.md.

Species, pots, places and seasons are drawn from the seed; every second box has faults of the catalogue. Time is CPU
time of one core. The command fails when water stood where it should not or an invariant did not hold.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dt.cli.progress import Progress
from dt.evaluation.soak import BoxResult, Soak, fault_rows, soak
from dt.simulator.faults.catalogue import CATALOGUE
from dt.utils.logger import configure_logging

FIGURES, NOTES = Path("build/figures/soak.json"), Path("notes/soak.md")
_GOALS = {
    "plant_days": ("at least", 10_000.0),
    "floods": ("at most", 0.0),
    "violations": ("at most", 0.0),
    "below_wilting_share": ("at most", 0.01),
    "faulty_alerted_share": ("at least", 1.0),
    "false_alarms": ("at most", 0.0),
    "water_vs_timer": ("below", 1.0),
    "seconds": ("at most", 1200.0),
}
_SHOWN = 40
_HEAD = """# Soak

Written by `make soak` (seed {seed}). Half of the boxes have no faults, and these alone say how plants and water do.
Faults are drawn from the catalogue at the severities below, and a person repairs each at its end. Rigs are built as the
hardware notes ask: a pump supply with its own timer, and a siphon break.
"""
_PLANTS = """
A timer has one knob. `water_vs_timer` is the loop's water by that of the smallest daily dose per litre of pot which,
given to all pots of these boxes alike by a daily timer, keeps each plant as few days below the wilting point;
`timer_ml_per_l` is that dose (ml). `water_vs_timer_all_same_ks` asks of the same knob that no plant's mean stress
coefficient is lower than in the loop. With a knob for each pot, turned by who knows the whole run beforehand, they are
`water_vs_own_timer` and `water_vs_timer_same_ks`.

A plant near its wilting point closes its stomata and takes next to nothing, so that a few ml a day keep it alive and
stressed: whatever waters at the plants' own lower limits gives more than that. `transpired_share` says how much of the
water that left the pots went through the plants; the rest evaporated from the soil's face or ran off.

## Plants without faults
"""
_ALARMS = """
## False alarms

Where nothing was wrong, an alert that names a sensor, a pump or water is false; that soil is dry is told before each
watering, and is not. `false_alarms` counts them per plant and month of 30 days.
"""
_FAULTS = """
## Faults

A fault threatens when, left alone, it leaves a plant without water or gives it too much within days. Counted are those
that threatened for a day; one of a pump begins to threaten when the pump is wanted.
"""


def main() -> int:
    """Soak, print, write."""
    arguments = _parser().parse_args()
    configure_logging(Path("build/logs"), "CRITICAL")
    with Progress("soaking") as progress:
        made = soak(
            arguments.plant_days, arguments.seed, progress,
            only=arguments.faults, asks_timer=not arguments.no_timer, boxes=arguments.boxes,
        )  # fmt: skip
    figures = made.figures()
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({name: round(value, 6) for name, value in figures.items()}, indent=1) + "\n")
    if not arguments.no_notes and not arguments.boxes:
        NOTES.write_text("\n".join(_page(made, arguments.seed)) + "\n", "utf-8")
    for name, value in figures.items():
        print(f"{name:28}{value:14,.4f}   {_wanted(name)}")
    for line in _wrongs(made)[:_SHOWN]:
        print(line)
    return 1 if figures["floods"] or figures["violations"] else 0


def _page(made: Soak, seed: int) -> Iterable[str]:
    figures = made.figures()
    yield _HEAD.format(seed=seed)
    yield from _table(
        ("figure", "value", "wanted"),
        [
            (f"`{name}`", f"{value:,.4g}", _wanted(name))
            for name, value in figures.items()
            if name not in ("seconds", "plant_days_per_core_hour")
        ],
    )
    yield _PLANTS
    yield from _table(("species", "plant-days", "below wilting", "mean Ks", "ml a day"), _species_rows(made.results))
    yield _ALARMS
    yield from _table(("alert", "how often"), sorted(made.false_alarms().items()) or [("none", 0)])
    yield _FAULTS
    head = ("fault", "drawn", "threatens", "threatened a day", "told within 24 h", "median h", "why")
    yield from _table(head, [_fault_row(row) for row in fault_rows(made.results)])
    wrongs = _wrongs(made)
    if wrongs:
        yield "\n## What went wrong\n"
        yield from (f"- {line}" for line in wrongs[:_SHOWN])


def _wanted(name: str) -> str:
    word, goal = _GOALS.get(name, ("", 0.0))
    return f"{word} {goal:,g}" if word else ""


def _fault_row(row: Mapping[str, Any]) -> tuple[object, ...]:
    threatens = "yes" if row["threatens"] else "no"
    median = f"{statistics.median(row['after_h']):.1f}" if row["after_h"] else ""
    return row["name"], row["drawn"], threatens, row["threatened"] or "", row["told"] or "", median, row["why"]


def _species_rows(results: Sequence[BoxResult]) -> list[tuple[object, ...]]:
    days: Counter[str] = Counter()
    below: Counter[str] = Counter()
    ks: dict[str, float] = {}
    water: dict[str, float] = {}
    for result in results:
        if result.box.faults:
            continue
        for plant_id, plant in result.box.rig.plants.items():
            name, lived = plant.species, result.days[plant_id]
            days[name] += lived
            below[name] += result.days_below[plant_id]
            ks[name] = ks.get(name, 0.0) + lived * result.mean_ks[plant_id]
            water[name] = water.get(name, 0.0) + result.water_ml[plant_id]
    return [
        (name, days[name], below[name], f"{ks[name] / days[name]:.2f}", f"{water[name] / days[name]:.0f}")
        for name in sorted(days)
    ]


def _wrongs(made: Soak) -> list[str]:
    found = [f"flood: {line}" for result in made.results for line in result.floods]
    found += [f"violation: {line}" for result in made.results for line in result.violations]
    for result in made.results:
        for one in result.told:
            if one.threatened_s >= 86_400.0 and (one.told_after_s is None or one.told_after_s > 86_400.0):
                after = "never" if one.told_after_s is None else f"after {one.told_after_s / 3600.0:.0f} h"
                found.append(f"told {after}: box {result.box.number}, {one.fault.row.name} on {one.fault.target}")
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plant-days", type=int, default=10_000, help="how many days of how many plants")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn")
    parser.add_argument("--faults", nargs="+", default=(), metavar="F13", choices=sorted(CATALOGUE), help="only these")
    parser.add_argument("--boxes", nargs="+", default=(), metavar="9", type=int, help="only these, by number; no notes")
    parser.add_argument("--no-timer", action="store_true", help="search no timer's dose")
    parser.add_argument("--no-notes", action="store_true", help="leave notes/soak.md as it is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
