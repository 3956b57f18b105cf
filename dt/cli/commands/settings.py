"""`dt settings`: every setting, its value, and where it came from."""

from __future__ import annotations

import argparse

from dt.cli.exits import SUCCESS
from dt.cli.output import print_json, print_table
from dt.operations.settings_list import list_settings

HELP = "show each setting, its value (secrets masked) and where it came from"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON array")


def run(args: argparse.Namespace) -> int:
    """Print the settings."""
    rows = list_settings()
    if args.json:
        print_json([{"name": row.name, "value": row.value, "origin": row.origin} for row in rows])
    else:
        print_table(["NAME", "VALUE", "FROM"], [[row.name, row.value or "-", row.origin] for row in rows])
    return SUCCESS
