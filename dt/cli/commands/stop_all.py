"""`dt stop-all`: everything off now, latched until a person releases it."""

from __future__ import annotations

import argparse
import getpass

from dt.cli.exits import FAILURE, SUCCESS
from dt.cli.output import say
from dt.utils.config import load_settings
from dt.utils.exceptions import MessageError

HELP = "emergency stop: switch every output off, and let none start until it is released"
_LONGEST_NAME = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("--release", action="store_true", help="let outputs start again; needs --by")
    parser.add_argument("--by", metavar="NAME", help="who presses or releases it (pressing: who is logged in)")


def run(args: argparse.Namespace) -> int:
    """Press or release; nothing on the way writes a log file, for a disk that stalls must not hold up a stop."""
    from dt.operations.stop_all import release_all, stop_all

    by = _name(args)
    settings = load_settings()
    if args.release:
        release_all(settings, by)
        print(f"The emergency stop is released by {by}: outputs may start again.")
        return SUCCESS
    if not stop_all(settings, by):
        say(
            "The emergency stop is latched, but not every output is known to be off: cut the supply of what still runs."
        )
        return FAILURE
    print(f"Everything is off. Nothing starts until: dt stop-all --release --by NAME (pressed by {by})")
    return SUCCESS


def _name(args: argparse.Namespace) -> str:
    by: str = args.by if args.by is not None else "" if args.release else _who()
    if not 0 < len(by) <= _LONGEST_NAME:
        why = f"must be a name of 1 to {_LONGEST_NAME} characters; releasing needs the name of a person"
        raise MessageError("--by", why)
    return by


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        return "dt stop-all"
