#!/usr/bin/env python3
"""Writes invented readings to InfluxDB 2, by influxdb-client alone: a temperature that rises and falls.

set -a; . DIR/influx.env; set +a     # as scripts/setup_influxdb.sh --start wrote it
.venv/bin/python scripts/hands-on-scripts/software/influx_write.py --count 100
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time

from amounts import seconds, whole
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError


def main(arguments: list[str] | None = None) -> int:
    """Write --count readings, the last one taken now; return 1 when the server is away or refuses."""
    options = _parser().parse_args(arguments)
    if not options.token:
        sys.stderr.write("influx_write: no token: set INFLUX_TOKEN, or say --token\n")
        return 1
    try:
        with (
            InfluxDBClient(options.url, options.token, org=options.org) as client,
            client.write_api(write_options=SYNCHRONOUS) as writing,
        ):
            writing.write(options.bucket, record=points(options, time.time_ns()))
    except ApiException as error:
        sys.stderr.write(f"influx_write: {options.url}: {error.status} {error.message or error.reason}\n")
        return 1
    except HTTPError as error:
        sys.stderr.write(f"influx_write: {options.url}: {error}\n")
        return 1
    print(f"{options.count} readings of {options.sensor} written to {options.bucket}")
    return 0


def points(options: argparse.Namespace, now_ns: int) -> list[Point]:
    """Return the points, oldest first: identity in tags, the number in a field."""
    step_ns = round(options.every * 1e9)
    return [
        Point("temperature")
        .tag("sensor_id", options.sensor)
        .tag("zone_id", options.zone)
        .tag("unit", "degC")
        .field("value", round(21.0 + 3.0 * math.sin(index / 10.0), 2))
        .time(now_ns - (options.count - 1 - index) * step_ns)
        for index in range(options.count)
    ]


def _parser() -> argparse.ArgumentParser:
    env = os.environ.get
    parser = argparse.ArgumentParser(description="Write invented readings to InfluxDB 2.")
    parser.add_argument("--url", default=env("INFLUX_URL") or "http://127.0.0.1:8086", help="%(default)s")
    parser.add_argument("--token", default=env("INFLUX_TOKEN"), help="default: INFLUX_TOKEN")
    parser.add_argument("--org", default=env("INFLUX_ORG") or "plant-twin", help="%(default)s")
    parser.add_argument("--bucket", default=env("INFLUX_BUCKET") or "plant_twin", help="%(default)s")
    parser.add_argument("--sensor", default="hands-on", help="the tag sensor_id (default: %(default)s)")
    parser.add_argument("--zone", default="hands-on", help="the tag zone_id (default: %(default)s)")
    parser.add_argument("--count", type=whole, default=60, help="how many (default: %(default)s)")
    parser.add_argument("--every", type=seconds, default=5.0, help="seconds between two (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
