"""`dt replay`: a file of measurements through the raw topics."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from dt.cli.exits import FAILURE, SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import print_json, say
from dt.cli.progress import Progress
from dt.evaluation.mapping import parse_mappings
from dt.evaluation.measurements import TimeColumn, read_file
from dt.evaluation.replay import ReplayReport, ReplayRequest, plant_id_of, replay
from dt.utils.clock import Clock, SystemClock
from dt.utils.config import Settings
from dt.utils.exceptions import MessageError
from dt.utils.secrets import ensure_token

HELP = "send a file of measurements through the raw topics as an archived plant"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV or TSV with a header")
    parser.add_argument("--time", required=True, metavar="COL", help="column of the time; COL+COL joins two")
    parser.add_argument(
        "--map",
        required=True,
        action="append",
        metavar="COL=QUANTITY[:UNIT[:inverted]]",
        help="a column and what it measures, repeatable; inverted: higher is drier",
    )
    parser.add_argument("--plant", metavar="ID", help="name of the archived plant (default: from the file's name)")
    parser.add_argument(
        "--timezone", metavar="ZONE", help="zone of times without one (default: TIMEZONE, else the machine's)"
    )
    parser.add_argument(
        "--time-format", metavar="FMT", help="how times are written, as in strptime (default: found out)"
    )
    parser.add_argument("--speed", type=float, default=0.0, metavar="N", help="times faster than life; 0: unbraked (0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Send the file and print what became of it; failure when no reading could be sent."""
    settings = settings_for("WARNING")
    if args.speed < 0.0:
        raise MessageError("speed", f"must be 0 or more, not {args.speed:g}")
    request = ReplayRequest(
        file=read_file(args.file),
        time=TimeColumn(name=args.time, timezone=args.timezone or settings.zone_name, time_format=args.time_format),
        mappings=parse_mappings(args.map),
        plant_id=args.plant or plant_id_of(args.file.name),
        speed=args.speed,
    )
    report = _send(request, settings, SystemClock())
    _print(report, as_json=args.json)
    return SUCCESS if report.sent else FAILURE


def _send(request: ReplayRequest, settings: Settings, clock: Clock) -> ReplayReport:
    from dt.communication.database_api import DatabaseApiClient  # clients are loaded where they are used
    from dt.communication.opening import open_messaging

    registry = DatabaseApiClient(settings.flask_db_url, ensure_token(settings))
    messaging = open_messaging(settings, "replay", clock)
    try:
        with Progress("sending") as progress:
            return replay(request, messaging, registry, clock, progress)
    finally:
        messaging.close()


def _print(report: ReplayReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_dict())
        return
    print(f"{report.sent} readings of {report.rows} rows sent as plant {report.plant_id}")
    if report.first is not None and report.last is not None:
        print(f"from {_utc(report.first)} to {_utc(report.last)}")
    if report.empty:
        print(f"{report.empty} empty cells left out")
    if report.refused:
        print(f"{report.refused} cells refused, the first of them:")
        for problem in report.problems:
            say(f"  {problem}")


def _utc(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
