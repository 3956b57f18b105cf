"""Measure the loop: throughput on a genuine broker, latency to browsers, and the demo's start.

Prints a table and writes build/figures/loop.json. `--messages`, `--seconds` and `--days` make it smaller.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from browsers import measure_browsers
from demo_start import measure_demo
from pipeline import measure_pipeline
from stage import Stage

FIGURES = Path("build/figures/loop.json")
_GOALS = {
    "messages_per_s": ("at least", 10_000.0),
    "browser_p99_ms": ("at most", 150.0),
    "demo_first_value_s": ("at most", 10.0),
}


def main() -> int:
    """Run the benches one after the other."""
    arguments = _parser().parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="plant-twin-bench-") as folder:
        stage = Stage(Path(folder), kafka_client=arguments.client)
        with stage.broker():
            figures |= measure_pipeline(stage, arguments.messages)
            figures |= measure_browsers(stage, arguments.browsers, arguments.per_second, arguments.seconds)
        figures |= measure_demo(stage, arguments.days)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1) + "\n")
    for name, value in figures.items():
        word, goal = _GOALS.get(name, ("", 0.0))
        print(f"{name:24}{value:12,.2f}   {f'{word} {goal:,.0f}' if word else ''}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000, help="raw readings to work off")
    parser.add_argument("--client", choices=("kafka-python", "confluent"), default="kafka-python")
    parser.add_argument("--browsers", type=int, default=20)
    parser.add_argument("--per-second", type=int, default=200, help="messages a second towards the browsers")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long browsers are measured")
    parser.add_argument("--days", type=float, default=14.0, help="history of the demo")
    return parser


if __name__ == "__main__":
    sys.exit(main())
