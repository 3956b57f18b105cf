"""The demo's past: what the box's sensors would have measured, published raw as the collector would have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from dt.communication.messaging import MessagingService, Outgoing, outgoing
from dt.communication.topics import Topics
from dt.simulator.board import box_spec
from dt.simulator.box import Box
from dt.simulator.history import Sample, history, prepare_demo_box
from dt.utils.dataclasses import Origin, SensorData, SensorDescriptor
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig

EVERY_S = 60.0
_DAY_S = 86_400.0
_BATCH = 1000
_FLUSHED_WITHIN_S = 60.0

Progress = Callable[[float, float], None]


def prepared_box(rig: Rig, seed: int, days: float, until: float) -> tuple[Box, float]:
    """Return a box at the start of its past, which ends thirsty at `until`, and when that past starts."""
    since = until - days * _DAY_S
    return prepare_demo_box(box_spec(rig, seed), since, until), since


def lived_through(box: Box, since: float, until: float, silent_until: float = 0.0) -> list[Sample]:
    """Let the box live until `until` and return a look at every minute, from `silent_until` on.

    What lies before that was published by an earlier run.
    """
    return [sample for sample in history(box, since, until, EVERY_S) if sample.timestamp >= silent_until]


def publish_history(
    samples: Sequence[Sample], rig: Rig, messaging: MessagingService, progress: Progress = lambda _done, _total: None
) -> int:
    """Publish every look as raw readings, oldest first, and return how many readings that were."""
    sensors = {sensor.data_type: sensor for sensor in rig.sensors}
    total = len(samples) * len(samples[0].readings()) if samples else 0
    sent = 0
    batch: list[Outgoing] = []
    for record in _records(samples, sensors):
        batch.append(record)
        if len(batch) >= _BATCH:
            messaging.publish_batch(batch)
            sent += len(batch)
            batch = []
            progress(sent, total)
    messaging.publish_batch(batch)
    messaging.flush(_FLUSHED_WITHIN_S)
    return sent + len(batch)


def _records(samples: Iterable[Sample], sensors: Mapping[Quantity, SensorDescriptor]) -> Iterator[Outgoing]:
    topics = {quantity: Topics.of(quantity).raw for quantity in sensors}
    boot_id = f"history-{new_correlation_id()[:8]}"
    for sequence, sample in enumerate(samples):
        for quantity, value, unit in sample.readings():
            sensor = sensors.get(quantity)
            if sensor is None:
                continue
            reading = SensorData(
                sensor_id=sensor.sensor_id,
                data_type=quantity,
                value=value,
                unit=unit,
                timestamp=sample.timestamp,
                correlation_id=new_correlation_id(),
                zone_id=sensor.zone_id,
                plant_id=sensor.plant_id,
                boot_id=boot_id,
                sequence=sequence,
                origin=Origin.BACKFILL,
            )
            yield outgoing(topics[quantity], reading, sensor.zone_id)
