"""`dt stop-all`: everything off now, latched until a person releases it."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dt.cli.exits import FAILURE, SUCCESS
from dt.cli.output import say
from dt.utils.config import load_settings
from dt.utils.exceptions import MessageError

if TYPE_CHECKING:
    from dt.operations.stop_all import Pressed

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
        where = _listed(release_all(settings, by))
        print(f"The emergency stop is released by {by}{where}: outputs may start again.")
        return SUCCESS
    pressed = stop_all(settings, by)
    if all(one.is_quiet for one in pressed):
        where = _listed([one.place for one in pressed])
        print(f"Everything is off{where}. Nothing starts until: dt stop-all --release --by NAME (pressed by {by})")
        return SUCCESS
    for one in pressed:
        say(f"{one.place}: {_words(one)}")
    return FAILURE


def _words(pressed: Pressed) -> str:
    """Return what is known of one place, and no more than that."""
    if pressed.is_quiet:
        return "everything is off, and nothing starts until the stop is released."
    if pressed.is_taken and not pressed.is_left:
        return "the stop is latched, but not every output is known to be off: cut the supply of what still runs."
    unknown = "Whether something is on there is not known: if anything is, cut its supply."
    if pressed.is_left:
        left = "The stop is left for the next one, which starts nothing until it is released."
        return f"no guard answers ({pressed.why}). {left} {unknown}"
    return f"nobody took the emergency stop ({pressed.why}). {unknown}"


def _listed(places: Sequence[Path]) -> str:
    """Return the folders, where there is more than the one that everybody means."""
    return f" in {' and '.join(map(str, places))}" if len(places) > 1 or "demo" in {one.name for one in places} else ""


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
