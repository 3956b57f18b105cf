"""The readings that every contestant gets: what processing has made of ten seconds' pace of 240 sensors."""

from __future__ import annotations

import time
from collections.abc import Iterator

from dt.communication.messaging import Outgoing, outgoing
from dt.communication.opening import kafka_class
from dt.communication.topics import Topics
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import Quality, SensorData, Verdict
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import QUANTITIES, Quantity

MEASURED = (Quantity.TEMPERATURE, Quantity.HUMIDITY, Quantity.LIGHT_INTENSITY, Quantity.SOIL_TEMPERATURE)
_ZONES = tuple(f"zone-{number:02d}" for number in range(20))
_SENSORS = 3  # of each quantity in a zone
_EVERY_S = 10.0
_AT_ONCE = 2_000
_GOOD = Quality(verdict=Verdict.GOOD)


def topics() -> list[str]:
    """Return the topics that they are in."""
    return [Topics.of(quantity).processed for quantity in MEASURED]


def publish(settings: Settings, messages: int, first: int = 0) -> None:
    """Publish readings that end now, at the fastest client's pace."""
    fast = settings.model_copy(update={"kafka_client": "confluent"})
    messaging = kafka_class("confluent")(fast, "bench", SystemClock())
    rounds = 1 + (first + messages) // (len(_ZONES) * len(MEASURED) * _SENSORS)
    began = round(time.time()) - rounds * _EVERY_S
    try:
        for begin in range(first, first + messages, _AT_ONCE):
            messaging.publish_batch(list(_readings(range(begin, min(begin + _AT_ONCE, first + messages)), began)))
        messaging.flush(300.0)
    finally:
        messaging.close()


def _readings(numbers: range, began: float) -> Iterator[Outgoing]:
    for number in numbers:
        rest, place = divmod(number, len(_ZONES))
        zone = _ZONES[place]
        rest, place = divmod(rest, len(MEASURED))
        quantity = MEASURED[place]
        round_of, sensor = divmod(rest, _SENSORS)
        at = began + _EVERY_S * round_of
        value = 20.0 + round_of % 97 / 8.0
        reading = SensorData(
            sensor_id=f"{zone}-{quantity}-{sensor}",
            data_type=quantity,
            value=value,
            unit=QUANTITIES[quantity].unit,
            timestamp=at,
            correlation_id=new_correlation_id(at),
            zone_id=zone,
            boot_id="bench",
            sequence=round_of,
            raw_value=value,
            quality=_GOOD,
        )
        yield outgoing(Topics.of(quantity).processed, reading, zone)
