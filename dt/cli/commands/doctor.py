"""`dt doctor`: what is wrong, and what helps."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from dt.cli.exits import FAILURE, SUCCESS
from dt.cli.output import print_json

HELP = "check everything that usually goes wrong, with a remedy for each failure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, with one for each check")
    parser.add_argument(
        "--try-pin",
        type=_pin,
        metavar="PIN",
        help="drive a pin with nothing on it (GPIO26) high, kill the process that does, and tell what becomes of it",
    )


def run(args: argparse.Namespace) -> int:
    """Print each finding as it is made; failure when one of them is a failure."""
    from dt.operations.checkup import Check  # the checks import every service
    from dt.operations.doctor import examine, is_healthy

    found: list[Check] = []
    for check in examine(trial_pin=args.try_pin):
        found.append(check)
        if not args.json:
            print(f"{check.finding:8} {check.name:11} {check.detail}", flush=True)
            if check.remedy:
                print(f"{'':20} -> {check.remedy}", flush=True)
    if args.json:
        print_json({"is_healthy": is_healthy(found), "checks": [asdict(check) for check in found]})
    return SUCCESS if is_healthy(found) else FAILURE


def _pin(text: str) -> str:
    from dt.utils.exceptions import MessageError
    from dt.utils.pins import pin_number

    try:
        pin_number(text)
    except MessageError as error:
        raise argparse.ArgumentTypeError(error.why) from error
    return text
