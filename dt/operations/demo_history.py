"""The demo's past: what the box's sensors would have measured, published raw as the collector would have."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence

from dt.communication.messaging import MessagingService, Outgoing, outgoing
from dt.communication.topics import Topics
from dt.operations.demo_pictures import PICTURE_EVERY_S, Moment
from dt.simulator.board import chip_of
from dt.simulator.box import Box
from dt.simulator.history import LOOKS, Sample, history, prepare_demo_box, with_past
from dt.simulator.spec import BoxSpec
from dt.utils.dataclasses import Origin, SensorData, SensorDescriptor
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig

EVERY_S = 60.0
_DAY_S = 86_400.0
_BATCH = 1000
_FLUSHED_WITHIN_S = 60.0

Progress = Callable[[float, float], None]


def prepared_box(spec: BoxSpec, rig: Rig, days: float, until: float) -> tuple[Box, float]:
    """Return a box at the start of its past, at whose end (`until`) one pot is thirsty, and when that past starts."""
    since = until - days * _DAY_S
    probes = {s.plant_id: chip_of(s) for s in rig.sensors if s.plant_id and s.data_type is Quantity.SOIL_MOISTURE}
    return prepare_demo_box(spec, since, until, probes=probes), since


def lived_through(box: Box, rig: Rig, since: float, until: float, silent_until: float = 0.0) -> list[Sample]:
    """Let the box live until `until` and return a look at every minute, from `silent_until` on.

    What lies before that was published by an earlier run.
    """
    return live_through(box, rig, since, until, silent_until)[0]


def live_through(
    box: Box, rig: Rig, since: float, until: float, silent_until: float = 0.0, heed: Callable[[], None] = lambda: None
) -> tuple[list[Sample], list[Moment]]:
    """Do as `lived_through`, and return the box's moments of which pictures are to be drawn as well.

    `heed` is called at every minute: what it raises ends it.
    """
    samples: list[Sample] = []
    moments: list[Moment] = []
    due_s = max(since, silent_until)
    for sample in history(box, rig.sensors, since, until, EVERY_S):
        heed()
        if sample.timestamp < silent_until:
            continue
        samples.append(sample)
        if sample.timestamp >= due_s:
            moments.append(Moment(sample.timestamp, box.snapshot()))
            due_s = sample.timestamp + PICTURE_EVERY_S
    return samples, moments


def publish_history(
    samples: Sequence[Sample], rig: Rig, messaging: MessagingService, progress: Progress = lambda _done, _total: None
) -> int:
    """Publish every look as raw readings, oldest first, and return how many readings that were."""
    sensors = with_past(rig.sensors)
    total = len(samples) * len(sensors)
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


def _records(samples: Iterable[Sample], sensors: Sequence[SensorDescriptor]) -> Iterator[Outgoing]:
    boot_id = f"history-{secrets.token_hex(4)}"
    rows = [(sensor, Topics.of(sensor.data_type).raw, LOOKS[sensor.data_type][0]) for sensor in sensors]
    for sequence, sample in enumerate(samples):
        for (sensor, topic, unit), value in zip(rows, sample.values, strict=True):
            reading = SensorData(
                sensor_id=sensor.sensor_id,
                data_type=sensor.data_type,
                value=value,
                unit=unit,
                timestamp=sample.timestamp,
                correlation_id=new_correlation_id(sample.timestamp),
                zone_id=sensor.zone_id,
                plant_id=sensor.plant_id,
                boot_id=boot_id,
                sequence=sequence,
                origin=Origin.BACKFILL,
            )
            yield outgoing(topic, reading, sensor.zone_id)
