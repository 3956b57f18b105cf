"""Readings that keep coming in: a process of its own publishes them at a steady rate until it is stopped."""

from __future__ import annotations

import sys
import threading
import time
from http.client import HTTPConnection
from itertools import count
from urllib.parse import urlsplit

from stage import Stage

from dt.communication.messaging import Outgoing, headers_of
from dt.communication.opening import open_messaging
from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings
from dt.utils.dataclasses import Quality, SensorData, Verdict
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import Quantity, Unit
from dt.utils.service import stopping_on_signals

PLACE = {"sensor_id": "bench-line", "data_type": str(Quantity.TEMPERATURE)}
SENSORS = 200  # whose readings are 5 s apart, as those of a backlog that is worked off
_STEP_S = 5.0
_SLICE_S = 0.05


def main() -> int:
    """Publish until a signal."""
    rate = float(sys.argv[1])
    stop = threading.Event()
    messaging = open_messaging(load_settings(), "bench-feed", SystemClock())
    numbers = count(1)
    began, published = time.monotonic(), 0
    start = time.time() - 86_400.0
    with stopping_on_signals(stop):
        while not stop.wait(_SLICE_S):
            due = int((time.monotonic() - began) * rate) - published
            messaging.publish_batch([_outgoing(next(numbers), start) for _ in range(due)])
            published += due
    messaging.close()
    return 0


def reading(sensor_id: str, at: float, number: int) -> SensorData:
    """Return a good reading, as processing would have published it."""
    return SensorData(
        sensor_id=sensor_id,
        data_type=Quantity.TEMPERATURE,
        value=20.0 + number % 100 / 100.0,
        unit=Unit.DEGREE_CELSIUS,
        timestamp=at,
        correlation_id=new_correlation_id(at),
        zone_id="bench",
        boot_id="bench",
        sequence=number,
        raw_value=20.0,
        quality=Quality(verdict=Verdict.GOOD, check=None, why=None),
    )


def stored_readings(stage: Stage) -> int:
    """Return how many readings of the feed the service says it has stored."""
    place = urlsplit(stage.settings.flask_db_url)
    connection = HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=30.0)
    connection.request("GET", "/metrics")
    body = connection.getresponse().read().decode()
    connection.close()
    found = [line for line in body.splitlines() if line.startswith('dt_stored_total{kind="readings"}')]
    return int(float(found[0].split()[-1])) if found else 0


def _outgoing(number: int, start: float) -> Outgoing:
    """Return reading `number`: the sensors take turns, and the line itself gets one of now in each round."""
    round_of, place = divmod(number, SENSORS)
    if place == 0:
        made = reading(PLACE["sensor_id"], time.time(), 10**9 + round_of)
    else:
        made = reading(f"bench-{place}", start + _STEP_S * round_of + place / SENSORS, round_of)
    return Outgoing(Topics.TEMPERATURE.processed, made.to_json(), "bench", headers_of(made))


if __name__ == "__main__":
    sys.exit(main())
