"""`dt report`: a plant's course over some days, as a file to keep."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from dt.cli.exits import SUCCESS
from dt.cli.loading import settings_for
from dt.utils.dataclasses import DBTimestampQuery
from dt.utils.exceptions import ConfigError
from dt.utils.secrets import ensure_token

HELP = "write a report on a plant: charts, quality, gaps, alerts and doses"
_DAY_S = 86_400.0
_DEFAULT_DAYS = 14.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("plant", nargs="?", metavar="PLANT", help="the plant (may be left out where there is only one)")
    parser.add_argument("--since", metavar="TIME", help="ISO 8601 or epoch seconds (14 days before --until)")
    parser.add_argument("--until", metavar="TIME", help="ISO 8601 or epoch seconds (now)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="*.html, or the charts alone: *.png, *.svg, *.pdf (report-PLANT.html)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the file and print its name."""
    from dt.communication.database_api import DatabaseApiClient  # charts and clients load where they are used
    from dt.evaluation.report import make_report

    settings = settings_for("WARNING")
    since, until = _span(args)
    with DatabaseApiClient(settings.flask_db_url, ensure_token(settings)) as client:
        plant_id = args.plant or _only_one([plant.plant_id for plant in client.plants() if not plant.archived])
        path = make_report(client, plant_id, since, until, args.out or Path(f"report-{plant_id}.html"))
    print(path)
    return SUCCESS


def _span(args: argparse.Namespace) -> tuple[float, float]:
    """Return both ends as epoch seconds; raises MessageError that names the option."""
    until = args.until if args.until is not None else time.time()
    asked = DBTimestampQuery.from_dict({"data_type": "soil_moisture", "since": args.since or 0, "until": until})
    return asked.since if args.since is not None else asked.until - _DEFAULT_DAYS * _DAY_S, asked.until


def _only_one(names: list[str]) -> str:
    if len(names) != 1:
        raise ConfigError(f"say which plant: {', '.join(sorted(names)) or 'there is none'}")
    return names[0]
