"""`dt backup`: everything worth keeping in one file, while all of it runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from dt.cli.exits import SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import say
from dt.cli.progress import Progress

HELP = "write readings, records, pictures, models and rig into one file, while all of it runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the backup, e.g. plants.tar.gz")
    parser.add_argument("--force", action="store_true", help="where FILE is there already: replace it")
    parser.add_argument("--with-secrets", action="store_true", help="include tokens and password files of DATA_DIR")


def run(args: argparse.Namespace) -> int:
    """Write the file and print its name."""
    from dt.operations.backup import make_backup
    from dt.utils.clock import SystemClock

    settings = settings_for("WARNING")
    with Progress("backing up") as progress:
        made = make_backup(
            settings,
            args.file,
            SystemClock(),
            with_secrets=args.with_secrets,
            force=args.force,
            step=_say_step,
            progress=progress,
        )
    for remark in made.remarks:
        say(f"attention: {remark}")
    records = sum(number for name, number in made.counts.items() if name.startswith("records/"))
    pictures, readings = made.counts.get("pictures", 0), made.counts.get("readings", 0)
    say(f"{readings} readings, {records} records, {pictures} pictures, {args.file.stat().st_size / 1e6:.1f} MB")
    print(args.file)
    return SUCCESS


def _say_step(what: str) -> None:
    say(f"backing up {what}")
