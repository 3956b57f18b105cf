"""`dt down`: stops what `dt up` started."""

from __future__ import annotations

import argparse

from dt.cli.exits import SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import say
from dt.operations.down import down
from dt.utils.clock import SystemClock

HELP = "stop the stack, the broker last"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="stop only these, until `dt up`")


def run(args: argparse.Namespace) -> int:
    """Stop and say so; success also when nothing ran."""
    ran = down(settings_for("WARNING"), SystemClock(), say, tuple(args.services))
    say("stopped" if ran else "nothing was running")
    return SUCCESS
