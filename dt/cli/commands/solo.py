"""`dt solo`: everything on one Raspberry Pi."""

from __future__ import annotations

import argparse

from dt.cli.loading import settings_for
from dt.cli.output import say
from dt.utils.clock import SystemClock

HELP = "run everything in one process on a real rig: one Raspberry Pi and its pots, no broker"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no argument: the settings and the rig file say everything."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM."""
    del args
    from dt.operations.solo import run_solo  # every service comes with it

    settings = settings_for("WARNING", messaging="memory", storage="sqlite")
    return run_solo(settings, SystemClock(), say)
