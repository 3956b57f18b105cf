"""`dt simulate`: the whole loop against the simulated box, in lockstep, without a network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dt.cli.exits import FAILURE, SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import print_json, print_table
from dt.cli.progress import Progress
from dt.utils.exceptions import MessageError
from dt.utils.rig import load_rig

HELP = "live through a scenario in lockstep, and print how plants, water and safety did"
_LONGEST_DAYS = 3650.0
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("--days", type=float, required=True, metavar="N", help="how many days pass in the box")
    parser.add_argument(
        "--scenario", type=Path, required=True, metavar="FILE", help="what box, weather, faults, people"
    )
    parser.add_argument("--drivers", action="store_true", help="read by the genuine drivers, which sleep for real")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Simulate and print; failure when an invariant did not hold or water stood where it should not."""
    from dt.evaluation.scenario import load_lockstep_scenario
    from dt.evaluation.simulation import simulate

    settings = settings_for("ERROR")
    if not 0.0 < args.days <= _LONGEST_DAYS:
        raise MessageError("days", f"must be more than 0 and at most {_LONGEST_DAYS:g}, not {args.days:g}")
    scenario = load_lockstep_scenario(args.scenario)
    rig = load_rig(scenario.rig or settings.rig_file)
    with Progress("simulating") as progress:
        report = simulate(scenario, rig, args.days, progress, drivers=args.drivers)
    if args.json:
        print_json(report)
    else:
        _print(report)
    safety = report["safety"]
    return FAILURE if safety["violations"] or safety["floods"] else SUCCESS


def _print(report: dict[str, Any]) -> None:
    print(f"{report['scenario']}: {report['since']} to {report['until']}, seed {report['seed']}")
    rows = [
        (
            plant_id, plant["species"], plant["days"], plant["days_below_wilting"], f"{plant['mean_ks']:.2f}",
            f"{plant['growth']:.2f}", f"{plant['water_ml']['pumped']:.0f}", f"{plant['water_ml']['by_hand']:.0f}",
            f"{plant['water_ml']['spilt']:.0f}",
        )
        for plant_id, plant in report["plants"].items()
    ]  # fmt: skip
    head = ("plant", "species", "days", "below wilting", "mean Ks", "growth", "pumped ml", "by hand ml", "spilt ml")
    print_table(head, rows)
    print(f"{len(report['doses'])} commands done, {report['recommended']} recommended, refused: {_counted(report)}")
    for alert in report["alerts"][:_SHOWN]:
        print(f"  {alert['timestamp']}  {alert['state']:12}  {alert['description']}")
    if len(report["alerts"]) > _SHOWN:
        print(f"  and {len(report['alerts']) - _SHOWN} more steps of alerts (--json has all)")
    safety = report["safety"]
    print(f"{sum(safety['checks'].values())} checks of invariants: {len(safety['violations'])} violations")
    for violation in safety["violations"][:_SHOWN]:
        print(f"  {violation['timestamp']}  {violation['invariant']} {violation['what']} {violation['why']}")
    print(f"{len(safety['floods'])} floods")
    for flood in safety["floods"][:_SHOWN]:
        print(f"  {flood['timestamp']}  {flood['plant_id']}: {flood['why']}")


def _counted(report: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in report["refusals"].items()) or "nothing"
