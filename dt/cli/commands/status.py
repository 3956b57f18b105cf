"""`dt status`: every process of the stack and how it does."""

from __future__ import annotations

import argparse

from dt.cli.exits import FAILURE, SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import duration, print_json, print_table, say
from dt.operations.status import ServiceStatus, StackStatus, stack_status

HELP = "show each service: process, uptime, readiness, port, restarts, consumer lag"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the state; failure when something that should run is not ready."""
    status = stack_status(settings_for("WARNING"))
    if args.json:
        print_json(status.to_dict())
    else:
        print_status(status)
        if not status.is_supervised:
            say("no supervisor looks after the services: dt up starts it")
    return SUCCESS if status.is_ready else FAILURE


def print_status(status: StackStatus) -> None:
    """Print one row for each process."""
    head = ["SERVICE", "STATE", "READY", "PID", "UP", "PORT", "RESTARTS", "LAG", "WHY"]
    print_table(head, [_row(row) for row in status.services])


def _row(row: ServiceStatus) -> list[object]:
    up = "-" if row.up_s is None else duration(row.up_s)
    numbers = ["-" if value is None else value for value in (row.pid, up, row.port, row.restarts, row.lag)]
    return [row.name, row.state, "yes" if row.is_ready else "no", *numbers, row.why]
