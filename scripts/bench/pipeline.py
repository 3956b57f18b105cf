"""Messages per second through raw -> processed -> SQLite, on a genuine broker."""

from __future__ import annotations

import sqlite3
import time
from itertools import count

import psutil
from stage import Stage, say, wait_for

from dt.communication.messaging import Outgoing, outgoing
from dt.communication.opening import kafka_class
from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.dataclasses import RegistryRecord, SensorData, SensorDescriptor
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import QUANTITIES, Quantity

_ZONES = ("north", "south", "east", "west", "roof", "cellar")
_QUANTITIES = (Quantity.TEMPERATURE, Quantity.HUMIDITY, Quantity.LIGHT_INTENSITY, Quantity.SOIL_TEMPERATURE)
_COUNT = "SELECT count(*) FROM readings JOIN series USING (series_id) WHERE sensor_id NOT LIKE '%/%'"  # none derived
_COUNTS_EVERY_S = 0.25
_VALUES = {Quantity.TEMPERATURE: 21.5, Quantity.HUMIDITY: 55.0, Quantity.LIGHT_INTENSITY: 5000.0}


def measure_pipeline(stage: Stage, messages: int) -> dict[str, float]:
    """Let processing and database work off a backlog of raw readings; the rate counts stored raw readings."""
    say(f"publishing {messages} raw readings ...")
    produced_per_s = _publish(stage, messages)
    began = time.monotonic()
    with (
        stage.process("-m", "dt.data.processing.main") as processing,
        stage.process("-m", "dt.data.database.app") as database,
    ):
        first = wait_for(lambda: _stored(stage), "nothing was stored")
        first_at = time.monotonic()
        cpu_s = [_cpu_s(process.pid) for process in (processing, database)]
        say("processing and database work off the backlog ...")
        # Counting costs the database's own processor a little: seldom is often enough for a run of many seconds.
        wait_for(lambda: _stored(stage) >= messages, "not everything was stored", 600.0, every_s=_COUNTS_EVERY_S)
        last_at = time.monotonic()
        stored = _stored(stage)
        used_s = [_cpu_s(process.pid) - before for process, before in zip((processing, database), cpu_s, strict=True)]
    return {
        "messages_per_s": (stored - first) / (last_at - first_at),
        "messages": stored,
        "with_start_per_s": stored / (last_at - began),
        "produced_per_s": produced_per_s,
        "processing_cpu_us": 1e6 * used_s[0] / (stored - first),
        "database_cpu_us": 1e6 * used_s[1] / (stored - first),
    }


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _publish(stage: Stage, messages: int) -> float:
    messaging = kafka_class(stage.settings.kafka_client)(stage.settings, "bench", SystemClock())
    numbers = count()
    began = time.monotonic()
    try:
        messaging.publish_batch([_registered(zone, quantity) for zone in _ZONES for quantity in _QUANTITIES])
        for begin in range(0, messages, 1000):
            messaging.publish_batch([_raw(next(numbers)) for _ in range(min(1000, messages - begin))])
        messaging.flush(120.0)
    finally:
        messaging.close()
    return messages / (time.monotonic() - began)


def _registered(zone: str, quantity: Quantity) -> Outgoing:
    """Return what the database says of a sensor that is bound to it."""
    sensor_id = f"{zone}-{quantity}"
    sensor = SensorDescriptor(sensor_id=sensor_id, zone_id=zone, data_type=quantity, kind="bench", read_interval=60.0)
    record = RegistryRecord(record_id=f"sensor:{sensor_id}", kind="sensor", timestamp=0.0, body=sensor.to_dict())
    return outgoing(Topics.REGISTRY, record, record.record_id)


def _raw(number: int) -> Outgoing:
    """Return reading `number`: zones and quantities take turns, a minute apart, so that no two are the same."""
    round_of, place = divmod(number, len(_ZONES) * len(_QUANTITIES))
    zone = _ZONES[place % len(_ZONES)]
    quantity = _QUANTITIES[place // len(_ZONES)]
    at = 1_750_000_000.0 + 60.0 * round_of
    reading = SensorData(
        sensor_id=f"{zone}-{quantity}",
        data_type=quantity,
        value=_VALUES.get(quantity, 18.0) + round_of % 7 / 10,
        unit=QUANTITIES[quantity].unit,
        timestamp=at,
        correlation_id=new_correlation_id(at),
        zone_id=zone,
        boot_id="bench",
        sequence=round_of,
    )
    return outgoing(Topics.of(quantity).raw, reading, zone)


def _stored(stage: Stage) -> int:
    """Return how many measured (not derived) readings the database file holds."""
    file = stage.settings.database_file
    if not file.exists():
        return 0
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        [(stored,)] = connection.execute(_COUNT).fetchall()
        return int(stored)
    except sqlite3.OperationalError:  # the schema is being made
        return 0
    finally:
        connection.close()
