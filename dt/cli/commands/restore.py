"""`dt restore`: a backup becomes an installation again."""

from __future__ import annotations

import argparse
from pathlib import Path

from dt.cli.exits import SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import say
from dt.cli.progress import Progress

HELP = "put a backup in place, into the stores that the settings name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="what dt backup wrote")
    parser.add_argument("--force", action="store_true", help="where DATA_DIR is not empty: keep what is there aside")


def run(args: argparse.Namespace) -> int:
    """Check the backup, put it in place and say what a person has to know."""
    from dt.operations.restore import restore_backup
    from dt.utils.clock import SystemClock

    settings = settings_for("WARNING")
    with Progress("checking") as progress:
        done = restore_backup(settings, args.file, SystemClock(), force=args.force, step=say, progress=progress)
    for path in done.kept_aside:
        say(f"what was there is kept as {path}")
    for remark in (*done.manifest.remarks, *done.remarks):
        say(f"attention: {remark}")
    counts = done.manifest.counts
    records = sum(number for name, number in counts.items() if name.startswith("records/"))
    say(f"{counts.get('readings', 0)} readings, {records} records, {counts.get('pictures', 0)} pictures are back")
    print(settings.data_dir)
    return SUCCESS
