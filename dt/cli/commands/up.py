"""`dt up`: the real stack on this machine."""

from __future__ import annotations

import argparse

from dt.cli.commands.status import print_status
from dt.cli.exits import FAILURE, SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import print_json, say
from dt.cli.progress import Progress
from dt.utils.clock import SystemClock
from dt.utils.exceptions import ConfigError
from dt.utils.hardware import is_simulated

HELP = "start the real stack: Kafka, topics, one supervised process per service"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="start these again after `dt down SERVICE`")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="use this broker and start none")
    parser.add_argument("--influx", metavar="URL", help="store readings in this InfluxDB 2; its token is INFLUX_TOKEN")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="wait so long for readiness (%(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Start everything and print a table; failure when something is not ready in time."""
    from dt.operations.up import UpRequest, up  # the Kafka client comes with it

    given = {"kafka_url": args.kafka, "messaging": "kafka"}
    if args.influx:
        given |= {"influx_url": args.influx, "storage": "influx"}
    settings = settings_for("WARNING", **given)
    if settings.hardware is None and is_simulated(settings):
        settings = settings_for("WARNING", **given, hardware="simulated")
    if settings.store == "influx" and not settings.influx_token:
        raise ConfigError("INFLUX_TOKEN: is needed for InfluxDB; scripts/setup_influxdb.sh --start writes one")
    request = UpRequest(
        settings=settings,
        is_broker_given=args.kafka is not None,
        names=tuple(args.services),
        ready_within_s=args.timeout,
    )
    with Progress("waiting for services") as progress:
        status = up(request, SystemClock(), say, progress)
    if args.json:
        print_json(status.to_dict())
    else:
        print_status(status)
        say(f"dashboard: {settings.flask_dashboard_url}")
    return SUCCESS if status.is_ready else FAILURE
