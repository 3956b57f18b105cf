"""`dt token`: further bearer tokens, each with what it may do."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from dt.cli.exits import SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import print_json, print_table, say
from dt.utils.exceptions import MessageError
from dt.utils.tokens import TOKEN_FILE, KeptToken, TokenFile, scopes_from

HELP = "make, list and remove bearer tokens with scopes: read, write, act"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True, title="steps")
    add = steps.add_parser("add", help="make a token and print it, once", description="Make a token and print it.")
    add.add_argument("name", metavar="NAME", help="what it is called, such as grafana")
    add.add_argument("--scopes", metavar="LIST", default="read", help="of read, write, act; with commas (%(default)s)")
    listing = steps.add_parser("list", help="list names and scopes", description="List names and scopes.")
    listing.add_argument("--json", action="store_true", help="for programs")
    remove = steps.add_parser("remove", help="take a token away", description="Take a token away, at once.")
    remove.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Do one step; services follow from their next request on."""
    settings = settings_for("WARNING")
    file = TokenFile(settings.data_dir / TOKEN_FILE)
    if args.step == "add":
        token = file.add(args.name, scopes_from(args.scopes), datetime.now(UTC).timestamp())
        say("This token is shown now and never again; only its hash is kept.")
        print(token)
    elif args.step == "remove":
        if not file.remove(args.name):
            raise MessageError("name", f"there is no token {args.name[:80]!r}; dt token list shows all")
        say(f"{args.name} is removed")
    else:
        _list(file.tokens(), as_json=args.json)
    return SUCCESS


def _list(kept: list[KeptToken], *, as_json: bool) -> None:
    rows = [(token.name, token.scopes, datetime.fromtimestamp(token.made_at, UTC)) for token in kept]
    if as_json:
        print_json([{"name": name, "scopes": scopes, "made_at": at.isoformat()} for name, scopes, at in rows])
    else:
        print_table(["name", "scopes", "made"], [(n, ",".join(s), f"{at:%Y-%m-%d %H:%M} UTC") for n, s, at in rows])
