"""Measure the way from the broker into the stores, beside Telegraf: the same readings, one contestant after the other.

Prints a table and writes build/figures/ingest.json. `--messages` makes it smaller; `--long` sends ten times as many
into SQLite, to see whether memory grows. `--only` runs some of the contestants.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from contestants import CONTESTANTS, InfluxServer
from ingest_readings import publish
from ingest_watch import Run, watch
from stage import Stage, say

FIGURES = Path("build/figures/ingest.json")
_LONG = 10


def main() -> int:
    """Publish once, then let each contestant work it off."""
    arguments = _parser().parse_args()
    names = arguments.only or list(CONTESTANTS)
    runs: dict[str, Run] = {}
    with tempfile.TemporaryDirectory(prefix="plant-twin-ingest-") as folder:
        stage = Stage(Path(folder))
        with (
            stage.broker(),
            InfluxServer(Path(folder) / "influx", wanted=any("sqlite" not in name for name in names)) as server,
        ):
            say(f"publishing {arguments.messages} processed readings ...")
            publish(stage.settings, arguments.messages)
            for name in names:
                runs[name] = watch(CONTESTANTS[name](stage, server), arguments.messages)
                say(f"{name}: {runs[name].per_s:,.0f}/s")
            if arguments.long:
                publish(stage.settings, (_LONG - 1) * arguments.messages, first=arguments.messages)
                runs["long"] = watch(CONTESTANTS["sqlite"](stage, server), _LONG * arguments.messages)
    figures = _figures(runs)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name:28}{value:12,.1f}   {_goal(name, figures)}")
    return 0


def _figures(runs: dict[str, Run]) -> dict[str, float]:
    figures = {f"{name}_per_s": run.per_s for name, run in runs.items() if name != "long"}
    figures |= {f"{name}_cpu_us": run.cpu_us for name, run in runs.items()}
    ours = {name: run for name, run in runs.items() if name != "telegraf"}
    if ours:
        figures["rss_mb"] = max(run.rss_mb for run in ours.values())
        figures["rss_growth_mb"] = (runs.get("long") or max(ours.values(), key=lambda run: run.growth_mb)).growth_mb
    if "telegraf" in runs:
        figures["telegraf_rss_mb"] = runs["telegraf"].rss_mb
    return figures


def _goal(name: str, figures: dict[str, float]) -> str:
    telegraf = figures.get("telegraf_per_s", 0.0)
    goals = {
        "influx_fast_per_s": f"at least {1.3 * telegraf:,.0f}",
        "influx_kafka_python_per_s": f"at least {0.5 * telegraf:,.0f}",
        "sqlite_per_s": "at least 40,000",
        "rss_mb": "at most 200",
        "rss_growth_mb": "at most 10 over ten million (--long)",
    }
    return goals.get(name, "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000, help="processed readings to work off")
    parser.add_argument("--long", action="store_true", help="and ten times as many into SQLite, for the memory")
    parser.add_argument("--only", nargs="+", choices=list(CONTESTANTS), help="some of the contestants")
    return parser


if __name__ == "__main__":
    sys.exit(main())
