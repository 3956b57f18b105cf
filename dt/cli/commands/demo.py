"""`dt demo`: a first look, on nothing but Python."""

from __future__ import annotations

import argparse

from dt.cli.loading import settings_for
from dt.cli.output import say
from dt.cli.progress import Progress
from dt.operations.demo_settings import DEFAULT_DAYS, DemoRequest
from dt.utils.clock import SystemClock

HELP = "run everything in one process on a simulated plant: history first, then live"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("--days", type=float, default=DEFAULT_DAYS, help="days of history (%(default)g)")
    parser.add_argument("--port", type=int, help="port of the dashboard (5000, or a free one when that is taken)")
    parser.add_argument("--seed", type=int, help="another box, another weather (the scenario's, or else 1)")
    parser.add_argument(
        "--keep", action="store_true", help="keep what earlier demos stored, and fill in the time since"
    )


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C."""
    from dt.operations.demo import run_demo  # every service comes with it

    settings = settings_for("WARNING")
    request = DemoRequest(days=args.days, port=args.port, seed=args.seed, keep=args.keep)
    with Progress("history") as progress:
        return run_demo(request, settings, SystemClock(), say, progress)
