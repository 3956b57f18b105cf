"""Strike real processes in the middle of doses, and measure how soon commands and the emergency stop reach a pin.

`--kills` strikes by kill -9, SIGSTOP, a silent or dead broker and a full disk at random moments of a dose; simulated
pins keep their level when a process dies. Controller or guard hit: off within a second; database, broker or disk hit:
the dose ends as planned; never more water than the dose plus 10 %, never twice for one command. Prints a table and
writes build/figures/control.json; says on stderr what is wrong, and returns 1 then.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from control_house import House, write_figures
from control_latency import by_broker, in_one_process, stops_while_the_disk_stalls
from control_strikes import Fate
from stage import Stage, percentile, say

from dt.operations.broker import OwnBroker
from dt.utils.logger import configure_logging

FIGURES = Path("build/figures/control.json")
_GOALS = {
    "pin_p99_ms": "at most 50",
    "pin_kafka_p99_ms": "at most 150",
    "stop_p99_ms": "at most 200",
    "off_after_kill_max_s": "at most 1",
    "water_share_max": "at most 1.1",
    "wrong": "0",
}


def run(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, float], list[str]]:
    """Return the figures, and what was wrong."""
    here = folder / "here"
    here.mkdir()
    say("commands on the log in memory ...")
    figures = {"pin_p99_ms": 1000 * percentile(in_one_process(here, arguments.commands), 0.99)}
    stage = Stage(folder / "stage")
    with stage.broker():
        broker = OwnBroker(folder=folder / "stage" / "kafka", port=int(stage.settings.kafka_url.rpartition(":")[2]))
        house = House(stage, folder)
        with house.running():
            say("commands by the genuine broker ...")
            by_kafka = by_broker(house, arguments.commands)
            say("emergency stops while the ledger's disk stalls ...")
            stops = stops_while_the_disk_stalls(house, arguments.stops)
            figures |= {
                "pin_kafka_p99_ms": 1000 * percentile(by_kafka, 0.99),
                "pin_kafka_p50_ms": 1000 * statistics.median(by_kafka),
                "stop_p99_ms": 1000 * percentile(stops, 0.99),
            }
            fate = Fate(house, broker, arguments.seed)
            fate.strike(arguments.kills)
    account = fate.account
    figures |= {
        "kills": float(sum(account.strikes.values())),
        "off_after_kill_max_s": max(account.off_after_s, default=0.0),
        "planned_end_off_by_max_s": max(account.planned_late_s, default=0.0),
        "water_share_max": account.most_share,
        "wrong": float(len(account.wrong)),
    }
    for name, count in account.strikes.items():
        say(f"{name}: {count}")
    return figures, account.wrong


def main() -> int:
    """Run, print, write the figures; 1 when an invariant did not hold."""
    arguments = _parser().parse_args()
    configure_logging(Path("build/logs"), "ERROR")
    with tempfile.TemporaryDirectory(prefix="plant-twin-control-") as name:
        figures, wrong = run(arguments, Path(name))
    for line in wrong:
        say(line)
    write_figures(FIGURES, figures)
    for name, value in figures.items():
        print(f"{name:28}{value:12.3f}   {_GOALS.get(name, '')}")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="strikes in all, each kind in its turn")
    parser.add_argument("--commands", type=int, default=200, help="commands timed, in one process and by the broker")
    parser.add_argument("--stops", type=int, default=50, help="emergency stops timed")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
