"""`dt export`: readings as CSV or Parquet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dt.cli.exits import SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import say
from dt.cli.progress import Amount
from dt.utils.exceptions import MessageError, RefusedRequestError
from dt.utils.quantities import Quantity
from dt.utils.vocabulary import Verdict

HELP = "write readings to a CSV or Parquet file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("out", metavar="OUT", help="*.csv or *.parquet; - is stdout")
    parser.add_argument("--format", choices=("csv", "parquet"), help="where OUT does not say (csv)")
    quantities = ", ".join(q for q in Quantity if q is not Quantity.CAMERA_IMAGE)
    parser.add_argument("--data-type", metavar="Q", action="append", help=f"only these (several times): {quantities}")
    parser.add_argument("--since", metavar="TIME", help="ISO 8601 or epoch seconds (the first reading)")
    parser.add_argument("--until", metavar="TIME", help="ISO 8601 or epoch seconds (the last reading)")
    parser.add_argument("--plant", metavar="ID", help="only readings of this plant")
    parser.add_argument("--sensor", metavar="ID", help="only readings of this sensor")
    parser.add_argument("--verdict", metavar="V", action="append", help=f"only these: {', '.join(Verdict)}")


def run(args: argparse.Namespace) -> int:
    """Write the file and print its name; its size and progress go to stderr."""
    from dt.communication.database_api import DatabaseApiClient
    from dt.utils.secrets import ensure_token

    kind, query = _format(args), _query(args)
    settings = settings_for("WARNING")
    with DatabaseApiClient(settings.flask_db_url, ensure_token(settings)) as client, Amount("exporting") as told:
        try:
            if args.out == "-":
                size = _to_stdout(client.export(kind, **query), told)
            else:
                size = client.export_to(Path(args.out), kind, told, **query)
        except RefusedRequestError as error:
            if error.status == 422:  # a wrong argument: exit code 2
                raise MessageError(str(error.problem.get("field")), str(error.problem.get("limit"))) from error
            raise
    say(f"{size:,} bytes")
    if args.out != "-":
        print(args.out)
    return SUCCESS


def _to_stdout(pieces: Iterable[bytes], told: Callable[[int], None]) -> int:
    size = 0
    for piece in pieces:
        size += sys.stdout.buffer.write(piece)
        told(size)
    sys.stdout.buffer.flush()
    return size


def _format(args: argparse.Namespace) -> str:
    ending = Path(args.out).suffix.lower().removeprefix(".")
    if args.format is not None:
        return str(args.format)
    if ending in ("csv", "parquet"):
        return ending
    if args.out == "-":
        return "csv"
    raise MessageError("out", f"must end in .csv or .parquet, or --format says which, not {args.out[:80]!r}")


def _query(args: argparse.Namespace) -> dict[str, Any]:
    given = {
        "data_type": args.data_type,
        "since": args.since,
        "until": args.until,
        "plant_id": args.plant,
        "sensor_id": args.sensor,
        "verdicts": args.verdict,
    }
    for name, value in given.items():
        if value is not None and "" in ([value] if isinstance(value, str) else value):  # to REST it means all of them
            raise MessageError(name, "must not be empty; left out, all are exported")
    return {name: value for name, value in given.items() if value is not None}
