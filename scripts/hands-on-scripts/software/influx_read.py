#!/usr/bin/env python3
"""Shows what InfluxDB 2 keeps of a quantity, by a Flux query of influxdb-client: each sensor's newest readings.

set -a; . DIR/influx.env; set +a     # as scripts/setup_influxdb.sh --start wrote it
.venv/bin/python scripts/hands-on-scripts/software/influx_read.py --quantity soil_moisture --hours 24
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import timedelta
from typing import Any

from amounts import whole
from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

# What a person gives comes in as parameters, never as a part of the query's text.
QUERY = """
from(bucket: _bucket)
    |> range(start: _start)
    |> filter(fn: (r) => r._measurement == _quantity and r._field == "value")
    |> tail(n: _count)
"""


def main(arguments: list[str] | None = None) -> int:
    """Print the readings; return 1 when the server is away, refuses, or has none."""
    options = _parser().parse_args(arguments)
    if not options.token:
        sys.stderr.write("influx_read: no token: set INFLUX_TOKEN, or say --token\n")
        return 1
    try:
        found = records(options)
    except ApiException as error:
        sys.stderr.write(f"influx_read: {options.url}: {error.status} {error.message or error.reason}\n")
        return 1
    except HTTPError as error:
        sys.stderr.write(f"influx_read: {options.url}: {error}\n")
        return 1
    for record in found:
        print(json.dumps(_plain(record)) if options.json else line(record))
    sys.stderr.write(f"{len(found)} readings shown\n")
    return 0 if found else 1


def records(options: argparse.Namespace) -> list[Any]:
    """Return the newest records of each series, oldest first."""
    params = {
        "_bucket": options.bucket,
        "_start": timedelta(hours=-options.hours),
        "_quantity": options.quantity,
        "_count": options.count,
    }
    with InfluxDBClient(options.url, options.token, org=options.org) as client:
        tables = client.query_api().query(QUERY, params=params)
    return sorted((record for table in tables for record in table.records), key=lambda record: record.get_time())


def line(record: Any) -> str:
    """Return one line for people."""
    when = record.get_time().strftime("%Y-%m-%d %H:%M:%S")
    sensor, unit = record.values.get("sensor_id", "-"), record.values.get("unit", "")
    return f"{when}  {sensor}  {record.get_value():g} {unit}"


def _plain(record: Any) -> dict[str, Any]:
    kept = {name: record.values.get(name) for name in ("sensor_id", "zone_id", "plant_id", "unit")}
    return {"time": record.get_time().isoformat(), "value": record.get_value(), **kept}


def _parser() -> argparse.ArgumentParser:
    env = os.environ.get
    parser = argparse.ArgumentParser(description="Show what InfluxDB 2 keeps of a quantity.")
    parser.add_argument("--url", default=env("INFLUX_URL") or "http://127.0.0.1:8086", help="%(default)s")
    parser.add_argument("--token", default=env("INFLUX_TOKEN"), help="default: INFLUX_TOKEN")
    parser.add_argument("--org", default=env("INFLUX_ORG") or "plant-twin", help="%(default)s")
    parser.add_argument("--bucket", default=env("INFLUX_BUCKET") or "plant_twin", help="%(default)s")
    parser.add_argument("--quantity", default="temperature", help="the measurement (default: %(default)s)")
    parser.add_argument("--hours", type=float, default=1.0, help="how far back (default: %(default)s)")
    parser.add_argument("--count", type=whole, default=10, help="newest readings of each sensor (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print each reading as one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main())
